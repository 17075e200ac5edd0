"""Colour, blur and erasing with one parameter per sample: deterministic functions of a batch and its parameters.

Images are `f[B,3,H,W]` with values in [0, 1] on any device, in any floating type and memory layout. Results of the
colour functions are clamped to [0, 1], as torchvision's are.
"""

import torch
from torch import Tensor
from torch.nn import functional

from thumbnet.augment.constants import constant

_GREY = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in a grey value, as torchvision uses them (ITU-R BT.601)."""

_LARGEST_DENSE_KERNEL = 9
"""Largest blur kernel that is faster as one square convolution than as two of one dimension."""


def gaussian_blur(images: Tensor, sigma: Tensor, kernel_size: int) -> Tensor:
    """Return `images` blurred by a Gaussian of `sigma`, with the reflection of the image beyond its edge.

    The same as `torchvision.transforms.v2.functional.gaussian_blur`.

    Args:
        images: `f[B,C,H,W]`.
        sigma: `f[B]`, standard deviations in pixels, above 0.
        kernel_size: odd side of the kernel in pixels; half of it must be below H and W.
    """
    batch, channels, height, width = images.shape
    reach = kernel_size // 2
    kind = torch.promote_types(images.dtype, torch.float32)
    offsets = torch.arange(-reach, reach + 1, device=images.device, dtype=kind)
    kernel = torch.softmax(-0.5 * (offsets / sigma.to(kind)[:, None]) ** 2, 1).repeat_interleave(channels, 0)
    padded = functional.pad(images.contiguous(), (reach,) * 4, mode="reflect")
    # Every channel of every sample becomes a channel of one image, so that each has its own kernel.
    stacked = padded.view(1, batch * channels, height + 2 * reach, width + 2 * reach)
    across, down = kernel[:, None, None, :].to(images.dtype), kernel[:, None, :, None].to(images.dtype)
    if kernel_size <= _LARGEST_DENSE_KERNEL:
        stacked = functional.conv2d(stacked, across * down, groups=batch * channels)
    else:
        stacked = functional.conv2d(stacked, across, groups=batch * channels)
        stacked = functional.conv2d(stacked, down, groups=batch * channels)
    return stacked.view(batch, channels, height, width)


def normalize(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Return `(images - mean) / std` per channel.

    Args:
        images: `f[B,C,H,W]`.
        mean: C values.
        std: C positive values.
    """
    scale = constant(tuple(1 / s for s in std), images.device, images.dtype)
    shift = constant(tuple(-m / s for m, s in zip(mean, std, strict=True)), images.device, images.dtype)
    return (images * scale[:, None, None]).add_(shift[:, None, None])


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Return `images` multiplied by `factor`: 0 gives black, 1 the image, 2 twice its brightness.

    Args:
        images: `f[B,C,H,W]`.
        factor: `f[B]`, 0 or more.
    """
    return (images * _per_sample(factor, images)).clamp_(0, 1)


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Return `images` blended with the mean of their grey values: 0 gives plain grey, 1 the image.

    Args:
        images: `f[B,3,H,W]`.
        factor: `f[B]`, 0 or more.
    """
    mean = _grey(images).mean((2, 3), keepdim=True)
    return torch.lerp(mean, images, _per_sample(factor, images)).clamp_(0, 1)


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Return `images` blended with their grey values: 0 gives a grey image, 1 the image.

    Args:
        images: `f[B,3,H,W]`.
        factor: `f[B]`, 0 or more.
    """
    return torch.lerp(_grey(images), images, _per_sample(factor, images)).clamp_(0, 1)


def adjust_hue(images: Tensor, factor: Tensor) -> Tensor:
    """Return `images` with their hue turned by `factor` of the colour circle, in HSV.

    The same as `torchvision.transforms.v2.functional.adjust_hue`, without its way through HSV and back: a channel is
    the darkest one plus a part of the chroma that depends on the distance of the hue from the channel's own.

    Args:
        images: `f[B,3,H,W]`.
        factor: `f[B]` in [-0.5, 0.5].
    """
    # The hue is a quotient: half precision would be off by several grey levels.
    wide = images.to(torch.promote_types(images.dtype, torch.float32))
    red, green, blue = wide.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    darkest = torch.minimum(torch.minimum(red, green), blue)
    chroma = value - darkest
    # Grey has no hue: with any divisor the result is chroma times something, which is 0.
    share = chroma.clamp(min=torch.finfo(wide.dtype).tiny).reciprocal_()
    # The hue in sixths of the circle, counted from the colour that is strongest: red 0, green 2, blue 4.
    turn = (6 * factor.to(wide.dtype))[:, None, None]
    # Choosing by a weight of exactly 0 or 1 is exact; a branch on each pixel's colour is ten times slower here.
    kind = wide.dtype
    hue = (red - green).mul_(share).add_(4)
    hue = torch.lerp(hue, (blue - red).mul_(share).add_(2), (value == green).to(kind))
    hue = torch.lerp(hue, (green - blue).mul_(share), (value == red).to(kind)).add_(turn)
    hue = hue.sub_((hue / 6).floor_(), alpha=6)
    result = torch.empty_like(wide)
    parts = ((hue - 3).abs_().sub_(1), 2 - (hue - 2).abs_(), 2 - (hue - 4).abs_())
    for channel, part in enumerate(parts):
        torch.addcmul(darkest, chroma, part.clamp_(0, 1), out=result[:, channel])
    return result.clamp_(0, 1).to(images.dtype)


def erase(images: Tensor, boxes: Tensor, fill: Tensor) -> Tensor:
    """Return `images` with a box of each replaced by `fill`.

    Args:
        images: `f[B,C,H,W]`.
        boxes: `f[B,4]` or `i64[B,4]`: top, left, height and width in whole pixels; no height or width erases nothing.
        fill: what comes instead, broadcast to the images: `f[C,1,1]` for a colour, `f[B,C,H,W]` for noise.
    """
    # Interpolating with weights of exactly 0 and 1 is exact, and seven times faster here than a mask over channels.
    return torch.lerp(images, fill.to(images.dtype), inside_boxes(images, boxes).to(images.dtype))


def inside_boxes(images: Tensor, boxes: Tensor) -> Tensor:
    """Return where each sample's box lies: `bool[B,1,H,W]`.

    Args:
        images: `f[B,C,H,W]`.
        boxes: `[B,4]`: top, left, height and width in whole pixels.
    """
    top, left, height, width = boxes.unbind(1)
    y = torch.arange(images.shape[2], device=images.device)
    x = torch.arange(images.shape[3], device=images.device)
    rows = (y >= top[:, None]) & (y < (top + height)[:, None])
    columns = (x >= left[:, None]) & (x < (left + width)[:, None])
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _per_sample(values: Tensor, images: Tensor) -> Tensor:
    """Return `values` f[B] in the type of `images`, shaped to broadcast over them."""
    return values.to(images.dtype)[:, None, None, None]


def _grey(images: Tensor) -> Tensor:
    """Return the grey values of `images`: `f[B,1,H,W]`."""
    red, green, blue = images[:, 0:1], images[:, 1:2], images[:, 2:3]
    return (red * _GREY[0]).add_(green, alpha=_GREY[1]).add_(blue, alpha=_GREY[2])
