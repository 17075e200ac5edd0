"""The random operations that a recipe names: each draws one parameter per sample and applies it.

Every operation is `(images, generator, *, options) -> images` with images `f[B,3,H,W]` in [0, 1]; the generator is on
the images' device. The options are those of the operation of that name in torchvision.transforms where it has one;
torchvision draws once per batch, these draw once per sample. All raise `RecipeError` for an option out of range and
for a size that does not fit the images.
"""

from typing import Literal

import torch
from torch import Generator, Tensor

from thumbnet.augment import boxes, color, draws, geometry
from thumbnet.augment.constants import constant
from thumbnet.augment.limits import check_fits, check_options
from thumbnet.registry import Registry


def horizontal_flip(images: Tensor, generator: Generator, *, p: float = 0.5) -> Tensor:
    """Mirror each image left to right with probability `p`."""
    check_options("horizontal_flip", p=p)
    return geometry.flip_horizontal(images, draws.chosen(images, generator, p))


def vertical_flip(images: Tensor, generator: Generator, *, p: float = 0.5) -> Tensor:
    """Mirror each image top to bottom with probability `p`."""
    check_options("vertical_flip", p=p)
    return geometry.flip_vertical(images, draws.chosen(images, generator, p))


def translate_crop(images: Tensor, generator: Generator, *, padding: int = 4) -> Tensor:
    """Move each image by whole pixels, uniform in [-padding, padding] both ways, with reflection at the edge."""
    check_options("translate_crop", padding=padding)
    check_fits("translate_crop", "padding", padding, min(images.shape[2:]) - 1)
    dx = draws.integers(images, generator, -padding, padding)
    dy = draws.integers(images, generator, -padding, padding)
    return geometry.translate(images, dx, dy)


def random_crop(images: Tensor, generator: Generator, *, size: int) -> Tensor:
    """Cut a square of `size` at a uniformly drawn place, without resizing: `f[B,3,size,size]`."""
    check_options("random_crop", size=size)
    height, width = images.shape[2:]
    check_fits("random_crop", "size", size, min(height, width))
    top = draws.integers(images, generator, 0, height - size)
    left = draws.integers(images, generator, 0, width - size)
    return geometry.crop(images, top, left, (size, size))


def random_resized_crop(
    images: Tensor,
    generator: Generator,
    *,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    size: int | None = None,
) -> Tensor:
    """Cut a box with a share of the area in `scale` and a width to height in `ratio`, and resize it (bilinear).

    `size` is the side of the result; without it the input's size stays. From 'Going Deeper with Convolutions'
    (Szegedy et al., 2015), sampled as torchvision's RandomResizedCrop.
    """
    check_options("random_resized_crop", scale=scale, ratio=ratio, size=size)
    return geometry.crop_resize(images, boxes.crop_boxes(images, generator, scale, ratio), _target(images, size))


def center_crop(images: Tensor, _generator: Generator, *, crop: int, size: int | None = None) -> Tensor:
    """Cut the central square of `crop` pixels and resize it to `size`, or back to the input's size (bilinear)."""
    check_options("center_crop", crop=crop, size=size)
    check_fits("center_crop", "crop", crop, min(images.shape[2:]))
    return geometry.center_crop(images, (crop, crop), _target(images, size))


def corner_crop(
    images: Tensor,
    generator: Generator,
    *,
    crop: int,
    p_full: float = 0.5,
    size: int | None = None,
    interpolation: geometry.Resampling = "bilinear",
) -> Tensor:
    """Keep the whole image with probability `p_full`, else cut one of its four corners of `crop` pixels (uniform).

    The result has `size`, or the input's size. From 'The Power of Inception' (Milani, 2017): 'either the
    original image is kept, or a corner crop'; with p_full=0.2 all five views are equally likely.
    """
    check_options("corner_crop", crop=crop, p_full=p_full, size=size)
    check_fits("corner_crop", "crop", crop, min(images.shape[2:]))
    corner = draws.integers(images, generator, 0, 3)
    corner = torch.where(draws.chosen(images, generator, p_full), 4, corner)
    return geometry.corner_crop(images, corner, (crop, crop), _target(images, size), interpolation)


def rotation(
    images: Tensor, generator: Generator, *, degrees: float, interpolation: geometry.Interpolation = "nearest"
) -> Tensor:
    """Turn each image by an angle uniform in [-degrees, degrees]; what comes in from outside is black."""
    check_options("rotation", degrees=degrees)
    return geometry.rotate(images, draws.uniform(images, generator, -degrees, degrees), interpolation)


def gaussian_blur(
    images: Tensor, generator: Generator, *, kernel_size: int = 5, sigma: tuple[float, float] = (0.1, 2.0)
) -> Tensor:
    """Blur each image by a Gaussian with a standard deviation uniform in `sigma`, in pixels."""
    check_options("gaussian_blur", kernel_size=kernel_size, sigma=sigma)
    check_fits("gaussian_blur", "kernel_size", kernel_size, 2 * min(images.shape[2:]) - 1)
    return color.gaussian_blur(images, draws.uniform(images, generator, *sigma), kernel_size)


def brightness(images: Tensor, generator: Generator, *, amount: float) -> Tensor:
    """Multiply each image by a factor uniform in [max(0, 1 - amount), 1 + amount]."""
    check_options("brightness", amount=amount)
    return color.adjust_brightness(images, _factor(images, generator, amount))


def contrast(images: Tensor, generator: Generator, *, amount: float) -> Tensor:
    """Blend each image with its mean grey, by a factor uniform in [max(0, 1 - amount), 1 + amount]."""
    check_options("contrast", amount=amount)
    return color.adjust_contrast(images, _factor(images, generator, amount))


def saturation(images: Tensor, generator: Generator, *, amount: float) -> Tensor:
    """Blend each image with its grey values, by a factor uniform in [max(0, 1 - amount), 1 + amount]."""
    check_options("saturation", amount=amount)
    return color.adjust_saturation(images, _factor(images, generator, amount))


def hue(images: Tensor, generator: Generator, *, amount: float) -> Tensor:
    """Turn the hue of each image by a share of the colour circle uniform in [-amount, amount]."""
    check_options("hue", amount=amount)
    return color.adjust_hue(images, draws.uniform(images, generator, -amount, amount))


def random_erasing(
    images: Tensor,
    generator: Generator,
    *,
    p: float = 0.5,
    scale: tuple[float, float] = (0.02, 0.33),
    ratio: tuple[float, float] = (0.3, 3.3),
    fill: Literal["noise"] | float | tuple[float, float, float] = 0.0,
) -> Tensor:
    """Replace, with probability `p`, a box with a share of the area in `scale` and a side ratio in `ratio`.

    `fill` is a grey value or three channel values in [0, 1], or 'noise': uniform in [0, 1] for each value, as in
    'Random Erasing Data Augmentation' (Zhong et al., 2017). Sampled as torchvision's RandomErasing.
    """
    check_options("random_erasing", p=p, scale=scale, ratio=ratio, fill=fill)
    erased = boxes.erasing_boxes(images, generator, scale, ratio)
    erased = erased * draws.chosen(images, generator, p)[:, None]
    if fill == "noise":
        values = torch.rand(images.shape, generator=generator, device=images.device)
    else:
        colour = fill if isinstance(fill, tuple) else (fill,)
        values = constant(colour, images.device, images.dtype)[:, None, None]
    return color.erase(images, erased, values)


def resize(
    images: Tensor,
    _generator: Generator,
    *,
    size: int,
    interpolation: geometry.Resampling = "bilinear",
    antialias: bool = True,
) -> Tensor:
    """Resize each image to a square of `size` pixels."""
    check_options("resize", size=size)
    return geometry.resize(images, (size, size), interpolation, antialias)


def _target(images: Tensor, size: int | None) -> tuple[int, int]:
    """Return the height and width that `size` stands for."""
    return (images.shape[2], images.shape[3]) if size is None else (size, size)


def _factor(images: Tensor, generator: Generator, amount: float) -> Tensor:
    return draws.uniform(images, generator, max(0.0, 1 - amount), 1 + amount)


IMAGE_OPERATIONS: Registry[Tensor] = Registry(
    "operation",
    {
        "horizontal_flip": horizontal_flip,
        "vertical_flip": vertical_flip,
        "translate_crop": translate_crop,
        "random_crop": random_crop,
        "random_resized_crop": random_resized_crop,
        "center_crop": center_crop,
        "corner_crop": corner_crop,
        "rotation": rotation,
        "gaussian_blur": gaussian_blur,
        "brightness": brightness,
        "contrast": contrast,
        "saturation": saturation,
        "hue": hue,
        "random_erasing": random_erasing,
        "resize": resize,
    },
)
"""Operations on images alone, by the names that recipes use."""

DETERMINISTIC: frozenset[str] = frozenset({"center_crop", "resize"})
"""Operations that draw nothing: the ones that an evaluation policy may hold."""
