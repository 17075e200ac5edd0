"""Geometry with one parameter per sample: deterministic functions of a batch and its parameters.

Images are `f[B,C,H,W]` on any device, in any floating type and memory layout. Whole-pixel moves (flips, shifts, crops,
nearest rotation) are one gather of pixels or rows, the same for all channels: exact, without a device
synchronisation, and on a CPU faster than selecting a subset or building a sampling grid. Results are contiguous but
for those of a resize, which keep the layout of the input, and of `enlarge`.
"""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from thumbnet.augment.constants import constant

Interpolation = Literal["nearest", "bilinear"]
"""How a rotation reads between pixels."""

Resampling = Literal["bilinear", "bicubic"]
"""How a resize reads between pixels."""

_FEW = 4
"""Images that a CPU enlarges at a time."""


def flip_horizontal(images: Tensor, mask: Tensor) -> Tensor:
    """Return `images` mirrored left to right where `mask` holds.

    Args:
        images: `f[B,C,H,W]`.
        mask: `bool[B]`.
    """
    side = torch.arange(images.shape[3], device=images.device)
    columns = torch.where(mask[:, None], side.flip(0), side)
    return images.gather(3, columns[:, None, None, :].expand(images.shape))


def flip_vertical(images: Tensor, mask: Tensor) -> Tensor:
    """Return `images` mirrored top to bottom where `mask` holds.

    Args:
        images: `f[B,C,H,W]`.
        mask: `bool[B]`.
    """
    channels, height, width = images.shape[1:]
    side = torch.arange(height, device=images.device)
    rows = torch.where(mask[:, None], side.flip(0), side)
    # Whole rows are copied at once: seven times faster here than a gather along this axis.
    return images.reshape(-1, width).index_select(0, _every_row(rows, channels, height).flatten()).view(images.shape)


def translate(images: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """Return `images` moved `dx` pixels right and `dy` down; what comes in is the reflection at the edge.

    The same as padding with `torch.nn.functional.pad(mode='reflect')` and cutting out the original size.

    Args:
        images: `f[B,C,H,W]`.
        dx: `i64[B]`, absolute values below W.
        dy: `i64[B]`, absolute values below H.
    """
    height, width = images.shape[2:]
    rows = _reflect(torch.arange(height, device=images.device) - dy[:, None], height)
    columns = _reflect(torch.arange(width, device=images.device) - dx[:, None], width)
    return _pick(images, rows, columns)


def crop(images: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a window of `size` (height, width) of each image, without resizing: `f[B,C,*size]`.

    Args:
        images: `f[B,C,H,W]`.
        top: `i64[B]`, first row of each window, 0 to H - height.
        left: `i64[B]`, first column of each window, 0 to W - width.
        size: height and width of the windows.
    """
    rows = top[:, None] + torch.arange(size[0], device=images.device)
    columns = left[:, None] + torch.arange(size[1], device=images.device)
    return _pick(images, rows, columns)


def crop_resize(images: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the box of each image, resized to `size`, bilinear and with antialiasing where it shrinks.

    For boxes on whole pixels this is `torchvision.transforms.v2.functional.resized_crop`: pixels outside the box do
    not count. A full box gives the image itself, bit by bit.

    Args:
        images: `f[B,C,H,W]`.
        boxes: `f[B,4]`: top, left, height and width in pixels; inside the image, at least one pixel high and wide.
        size: height and width of the result.

    Returns:
        `f[B,C,*size]`.
    """
    top, left, height, width = boxes.unbind(1)
    narrow = _resample_rows(images, top, height, size[0]).mT
    return _resample_rows(narrow, left, width, size[1]).mT.contiguous()


def center_crop(images: Tensor, crop_size: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Return the central window of `crop_size`, resized to `size` (bilinear): `f[B,C,*size]`.

    The window's place is torchvision's: half of the remaining pixels before it, rounded to the nearest even number.

    Args:
        images: `f[B,C,H,W]`.
        crop_size: height and width of the window, at most those of the images.
        size: height and width of the result.
    """
    height, width = images.shape[2:]
    top, left = round((height - crop_size[0]) / 2), round((width - crop_size[1]) / 2)
    if crop_size == size:
        return images[:, :, top : top + size[0], left : left + size[1]].contiguous()
    box = constant((top, left, *crop_size), images.device, torch.int64)
    return crop_resize(images, box.expand(len(images), 4), size)


def corner_crop(
    images: Tensor,
    corner: Tensor,
    crop_size: tuple[int, int],
    size: tuple[int, int],
    interpolation: Resampling = "bilinear",
) -> Tensor:
    """Return one corner of each image, or the whole of it, resized to `size` as by `resize`: `f[B,C,*size]`.

    Args:
        images: `f[B,C,H,W]`.
        corner: `i64[B]`: 0 top left, 1 top right, 2 bottom left, 3 bottom right, 4 the whole image.
        crop_size: height and width of the corner windows.
        size: height and width of the result.
        interpolation: 'bilinear' or 'bicubic'.
    """
    below, beside = images.shape[2] - crop_size[0], images.shape[3] - crop_size[1]
    whole = corner == 4
    top, left = (corner // 2 == 1) * below, (corner % 2 == 1) * beside
    if interpolation == "bicubic":
        # Choosing first would resize each image once, but the host would wait for a GPU to say how many are whole.
        windows = resize(crop(images, top, left, crop_size), size, "bicubic")
        return torch.where(whole[:, None, None, None], resize(images, size, "bicubic"), windows).contiguous()
    extent = [crop_size[0] + whole * below, crop_size[1] + whole * beside]
    return crop_resize(images, torch.stack([top, left, *extent], 1).float(), size)


def rotate(images: Tensor, degrees: Tensor, interpolation: Interpolation = "nearest") -> Tensor:
    """Return `images` turned counter-clockwise about their centre; what comes in from outside is 0.

    The same as `torchvision.transforms.v2.functional.rotate` with its default fill.

    Args:
        images: `f[B,C,H,W]`.
        degrees: `f[B]`.
        interpolation: 'nearest' or 'bilinear'.
    """
    height, width = images.shape[2:]
    kind = torch.promote_types(images.dtype, torch.float32)
    angle = degrees.to(kind)[:, None, None] * (math.pi / 180)
    x = torch.arange(width, device=images.device, dtype=kind) - (width - 1) / 2
    y = (torch.arange(height, device=images.device, dtype=kind) - (height - 1) / 2)[:, None]
    source_x = angle.cos() * x - angle.sin() * y
    source_y = angle.sin() * x + angle.cos() * y
    if interpolation == "bilinear":
        # The grid must have the images' type, and half precision cannot tell neighbouring pixels apart.
        grid = torch.stack([source_x * (2 / width), source_y * (2 / height)], 3)
        turned = functional.grid_sample(images.to(kind), grid, padding_mode="zeros", align_corners=False)
        return turned.to(images.dtype)
    columns = source_x.add_((width - 1) / 2).round_()
    rows = source_y.add_((height - 1) / 2).round_()
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    places = rows.mul_(width).add_(columns).mul_(inside).long()
    return _pick_places(images, places).mul_(inside[:, None])


def resize(
    images: Tensor, size: tuple[int, int], interpolation: Resampling = "bilinear", antialias: bool = True
) -> Tensor:
    """Return `images` resized to `size` (height, width): `f[B,C,*size]`.

    Args:
        images: `f[B,C,H,W]`.
        size: height and width of the result.
        interpolation: 'bilinear' or 'bicubic' (whose values may leave the range of the input a little).
        antialias: whether shrinking averages over all pixels that it leaves out (as Pillow does).
    """
    height, width = images.shape[2:]
    if (height, width) == size:
        return images
    # Enlarging bilinearly, antialiasing changes nothing but takes the slower kernel; bicubic uses another curve.
    needed = antialias and (interpolation == "bicubic" or size[0] < height or size[1] < width)
    # The antialiased kernels have no half-precision form on a CPU.
    wide = images.to(torch.promote_types(images.dtype, torch.float32)) if needed else images
    resized = functional.interpolate(wide, size=size, mode=interpolation, align_corners=False, antialias=needed)
    return resized.to(images.dtype)


def enlarge(images: Tensor, size: int, interpolation: Resampling, dtype: torch.dtype) -> Tensor:
    """Return `images` enlarged to squares of `size` pixels as `resize` does, of `dtype` and channels-last.

    Every row and every column of the result is a fixed sum of those of the image, so this is two products with a
    matrix. On a CPU, with the change of layout and type, it takes half of the time of `resize` and those two.

    Args:
        images: `f[B,C,H,W]`, no larger than `size`.
        size: height and width of the result.
        interpolation: 'bilinear' or 'bicubic'.
        dtype: of the result; sums are made in the images' own type.
    """
    batch, channels, height, width = images.shape
    rows, columns = _weights(images, height, size, interpolation), _weights(images, width, size, interpolation)
    # What lies in the cache between the two products is a few images; another device wants them all at once.
    few = _FEW if images.device.type == "cpu" else max(1, batch)
    enlarged = torch.empty(batch, size, size * channels, dtype=dtype, device=images.device)
    for part, result in zip(torch.split(images, few), torch.split(enlarged, few), strict=True):
        wide = torch.matmul(part.reshape(-1, width), columns.T).view(len(part), channels, height, size)
        result.copy_(torch.matmul(rows, wide.permute(0, 2, 3, 1).reshape(len(part), height, size * channels)))
    return enlarged.view(batch, size, size, channels).permute(0, 3, 1, 2)


def _weights(images: Tensor, side: int, size: int, interpolation: Resampling) -> Tensor:
    """Return what each of `size` places takes of each of `side` pixels, `f[size,side]`: the resized identity."""
    identity = torch.eye(side, dtype=images.dtype, device=images.device)[None, None]
    return resize(identity, (size, side), interpolation)[0, 0]


def _reflect(positions: Tensor, side: int) -> Tensor:
    """Return `positions` in -side + 1 to 2 * side - 2 mirrored into 0 to side - 1, the edge itself not repeated."""
    return (side - 1) - ((side - 1) - positions.abs()).abs()


def _pick(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the pixels of each image at `rows` i64[B,h] and `columns` i64[B,w]: `f[B,C,h,w]`."""
    return _pick_places(images, (rows * images.shape[3])[:, :, None] + columns[:, None, :])


def _pick_places(images: Tensor, places: Tensor) -> Tensor:
    """Return the pixels of each image at `places` i64[B,h,w] (row * W + column): `f[B,C,h,w]`."""
    batch, channels = images.shape[:2]
    index = places.view(batch, 1, -1).expand(batch, channels, -1)
    return images.reshape(batch, channels, -1).gather(2, index).view(batch, channels, *places.shape[1:])


def _every_row(rows: Tensor, channels: int, height: int) -> Tensor:
    """Return positions among all rows of a batch, i64[B,C,...], for `rows` i64[B,...] of each image."""
    first = torch.arange(len(rows) * channels, device=rows.device).mul_(height).view(len(rows), channels)
    return first.view(len(rows), channels, *[1] * (rows.ndim - 1)) + rows[:, None]


def _resample_rows(images: Tensor, start: Tensor, length: Tensor, size: int) -> Tensor:
    """Return the rows from `start` over `length` of each image resampled to `size` of them: f[B,C,size,W].

    A result is the average of the rows of its box under a triangle about its place: as wide as the distance of two
    rows when enlarging, of two results when shrinking (torch's antialiased bilinear weights).
    """
    batch, channels, height, width = images.shape
    kind = torch.promote_types(images.dtype, torch.float32)
    first, extent = start.to(kind)[:, None, None], length.to(kind)[:, None, None]
    ratio = extent / size
    places = first + (torch.arange(size, device=images.device, dtype=kind)[:, None] + 0.5) * ratio
    reach = ratio.clamp(min=1)
    # A triangle spans at most twice its reach; the reach is bounded by a whole image, so no value is read back here.
    taps = 2 * math.ceil(max(1.0, height / size)) + (height > size)
    rows = (places - reach + 0.5).floor() + torch.arange(taps, device=images.device, dtype=kind)
    weights = (1 - (rows + 0.5 - places).abs_() / reach).clamp_(min=0)
    weights = weights.mul_((rows + 0.5 >= first) & (rows + 0.5 < first + extent))
    weights = weights.div_(weights.sum(2, keepdim=True)).to(images.dtype)
    chosen = _every_row(rows.clamp_(0, height - 1).long(), channels, height)
    # An embedding bag is a weighted sum of rows of a table: four times faster here than products of matrices.
    summed = functional.embedding_bag(
        chosen.view(-1, taps),
        images.reshape(-1, width),
        per_sample_weights=weights[:, None].expand(chosen.shape).reshape(-1, taps),
        mode="sum",
    )
    return summed.view(batch, channels, size, width)
