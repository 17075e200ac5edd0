"""Random boxes, one per sample: top, left, height and width in whole pixels, as `f32[B,4]`."""

import math

import torch
from torch import Generator, Tensor

from thumbnet.augment import draws

_TRIES = 10
"""How often a box that does not fit is drawn again, as in torchvision."""


def crop_boxes(images: Tensor, generator: Generator, scale: tuple[float, float], ratio: tuple[float, float]) -> Tensor:
    """Return boxes with a share of the area uniform in `scale` and log(width / height) uniform in log(`ratio`).

    Of ten tries the first that fits counts; when none does, the largest central box with a ratio in the range. The
    place is uniform. This is the sampling of torchvision's RandomResizedCrop.
    """
    height, width = images.shape[2:]
    heights, widths = _shapes(images, generator, scale, (math.log(ratio[0]), math.log(ratio[1])))
    fits = (widths >= 1) & (widths <= width) & (heights >= 1) & (heights <= height)
    starts, extents = list[Tensor](), list[Tensor]()
    sides = zip((height, width), _first(fits, heights, widths), _central(height, width, ratio), strict=True)
    for length, drawn, central in sides:
        extents.append(torch.where(fits.any(0), drawn, central))
        start = draws.places(images, generator, length - extents[-1] + 1)
        starts.append(torch.where(fits.any(0), start, (length - central) // 2))
    return torch.stack([*starts, *extents], 1)


def erasing_boxes(
    images: Tensor, generator: Generator, scale: tuple[float, float], ratio: tuple[float, float]
) -> Tensor:
    """Return boxes with a share of the area uniform in `scale` and log(height / width) uniform in log(`ratio`).

    Of ten tries the first that is smaller than the image both ways counts; when none is, the box is empty. The place
    is uniform. This is the sampling of torchvision's RandomErasing.
    """
    height, width = images.shape[2:]
    heights, widths = _shapes(images, generator, scale, (-math.log(ratio[1]), -math.log(ratio[0])))
    fits = (widths < width) & (heights < height)
    extent = torch.stack(_first(fits, heights, widths), 1) * fits.any(0)[:, None]
    top = draws.places(images, generator, height - extent[:, 0] + 1)
    left = draws.places(images, generator, width - extent[:, 1] + 1)
    return torch.cat([torch.stack([top, left], 1), extent], 1)


def mixing_boxes(images: Tensor, generator: Generator, weight: Tensor) -> Tensor:
    """Return boxes of the image's shape whose area is 1 - `weight` of it, cut off at the edge of the image.

    The centre is uniform. This is the sampling of 'CutMix' (Yun et al., 2019).
    """
    height, width = images.shape[2:]
    side = (1 - weight).sqrt()
    sides = []
    for length in (height, width):
        half = (length * side / 2).floor()
        centre = draws.places(images, generator, torch.full_like(side, length))
        sides.append(((centre - half).clamp(min=0), (centre + half).clamp(max=length)))
    (top, bottom), (left, right) = sides
    return torch.stack([top, left, bottom - top, right - left], 1)


def _shapes(
    images: Tensor, generator: Generator, scale: tuple[float, float], log_ratio: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Return heights and widths f[tries,B] for shares of the area in `scale` and log(width / height) in the range."""
    shape = (_TRIES, len(images))
    area = torch.rand(shape, generator=generator, device=images.device).mul_(scale[1] - scale[0]).add_(scale[0])
    logs = torch.rand(shape, generator=generator, device=images.device)
    ratio = logs.mul_(log_ratio[1] - log_ratio[0]).add_(log_ratio[0]).exp_()
    area = area.mul_(images.shape[2] * images.shape[3])
    return (area / ratio).sqrt_().round_(), (area * ratio).sqrt_().round_()


def _first(fits: Tensor, *tries: Tensor) -> list[Tensor]:
    """Return of each of `tries` [tries,B] the first that fits: [B] (the first of all where none does)."""
    chosen = fits.byte().argmax(0, keepdim=True)
    return [values.gather(0, chosen)[0] for values in tries]


def _central(height: int, width: int, ratio: tuple[float, float]) -> list[float]:
    """Return height and width of the largest box in the image whose width to height lies in `ratio`."""
    if width / height < ratio[0]:
        return [max(1.0, float(round(width / ratio[0]))), float(width)]
    if width / height > ratio[1]:
        return [float(height), max(1.0, float(round(height * ratio[1])))]
    return [float(height), float(width)]
