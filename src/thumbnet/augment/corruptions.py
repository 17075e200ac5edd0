"""Corruptions that a network may meet, on images in [0, 1]; `thumbnet.analyses.corruptions` defines them.

All are computed on the images' device but for JPEG, which Pillow encodes on the host, image by image.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import simplejpeg
import torch
from PIL import Image
from torch import Tensor

from thumbnet.analyses.corruptions import DEFINITIONS
from thumbnet.augment import color
from thumbnet.randomness import derive_seed

_SIDE = 64
"""Of the images that the blur's parameters are meant for, in pixels."""


@dataclass(frozen=True)
class Corruption:
    """One kind of corruption.

    Attributes:
        parameters: one a severity, mildest first.
        apply: gives corrupted images of images f[B,3,H,W] in [0, 1], a parameter and noise f[B,3,H,W].
        is_noisy: whether it uses the noise.
    """

    parameters: tuple[float, ...]
    apply: Callable[[Tensor, float, Tensor | None], Tensor]
    is_noisy: bool = False


def corrupt(images: Tensor, name: str, severity: int, noise: Tensor | None = None) -> Tensor:
    """Return `images` corrupted, rounded to the 256 levels of a byte.

    Args:
        images: f[B,3,H,W] in [0, 1], H = W.
        name: of a corruption in `CORRUPTIONS`.
        severity: 1 to 5.
        noise: f[B,3,H,W], standard normal, for a corruption that is noisy (see `image_noise`).
    """
    corruption = CORRUPTIONS[name]
    assert (noise is not None) or not corruption.is_noisy
    changed = corruption.apply(images, corruption.parameters[severity - 1], noise)
    return changed.clamp(0, 1).mul(255).round_().div_(255)


def image_noise(seed: int, positions: Tensor, side: int, device: torch.device) -> Tensor:
    """Return standard normal noise f32[B,3,side,side] for the images at `positions` (i64[B]).

    It depends on the seed and on an image's position alone, so neither the batch nor the device changes it (it is
    drawn on the CPU). All severities share it.
    """
    drawn = torch.empty(len(positions), 3, side, side)
    generator = torch.Generator()
    for row, position in zip(drawn, positions.tolist(), strict=True):
        generator.manual_seed(derive_seed(seed, "corruption/noise", position))
        row.normal_(generator=generator)
    return drawn.to(device)


def _noise(images: Tensor, deviation: float, noise: Tensor | None) -> Tensor:
    assert noise is not None
    return images + deviation * noise


def _blur(images: Tensor, deviation: float, _noise: Tensor | None) -> Tensor:
    side = images.shape[-1]
    sigma = deviation * side / _SIDE
    reach = min(int(4 * sigma + 0.5), side - 1)
    if reach == 0:
        return images
    return color.gaussian_blur(images, torch.full((len(images),), sigma, device=images.device), 2 * reach + 1)


def _contrast(images: Tensor, factor: float, _noise: Tensor | None) -> Tensor:
    mean = images.mean((2, 3), keepdim=True)
    return (images - mean) * factor + mean


def _pixelation(images: Tensor, share: float, _noise: Tensor | None) -> Tensor:
    side = images.shape[-1]
    small = max(1, int(side * share))
    shrink, enlarge = (_box_weights(*sizes, images) for sizes in ((side, small), (small, side)))
    both = enlarge @ shrink
    return both @ images @ both.T


def _box_weights(before: int, after: int, like: Tensor) -> Tensor:
    """Return the weights f[after,before] of a resize by a box filter, as Pillow's: whole pixels count or do not."""
    scale = max(before / after, 1.0)
    centres = (torch.arange(after, dtype=torch.float64) + 0.5) * before / after
    distance = (torch.arange(before, dtype=torch.float64) + 0.5 - centres[:, None]) / scale
    inside = ((distance > -0.5) & (distance <= 0.5)).double()
    return (inside / inside.sum(1, keepdim=True)).to(like)


def _jpeg(images: Tensor, quality: float, _noise: Tensor | None) -> Tensor:
    pixels = images.clamp(0, 1).mul(255).round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    result = torch.empty(images.shape, dtype=images.dtype)
    for row, image in zip(result, pixels, strict=True):
        content = io.BytesIO()
        Image.fromarray(image).save(content, "JPEG", quality=int(quality))
        row.copy_(torch.from_numpy(simplejpeg.decode_jpeg(content.getvalue())).permute(2, 0, 1))
    return result.div_(255).to(images.device)


CORRUPTIONS: Mapping[str, Corruption] = {
    "noise": Corruption(DEFINITIONS["noise"].values, _noise, True),
    "blur": Corruption(DEFINITIONS["blur"].values, _blur),
    "contrast": Corruption(DEFINITIONS["contrast"].values, _contrast),
    "pixelation": Corruption(DEFINITIONS["pixelation"].values, _pixelation),
    "jpeg": Corruption(DEFINITIONS["jpeg"].values, _jpeg),
}
"""Corruptions by name."""
