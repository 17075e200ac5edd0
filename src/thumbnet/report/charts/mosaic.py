"""Filters and feature maps as mosaics of small tiles, and maps laid over images."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_GAP = 1
_HEAT = np.array([[20, 20, 110], [0, 140, 190], [90, 200, 90], [250, 210, 50], [220, 40, 20]], np.float64)


def mosaic(tiles: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Return tiles u8[N,h,w] or u8[N,h,w,3] side by side, as u8[H,W,4], transparent between them.

    Args:
        tiles: at least one.
        columns: how many stand in a row.
    """
    coloured = tiles if tiles.ndim == 4 else np.repeat(tiles[..., None], 3, axis=3)
    count, height, width, _ = coloured.shape
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 4), np.uint8)
    for number, tile in enumerate(coloured):
        top, left = number // columns * (height + _GAP), number % columns * (width + _GAP)
        sheet[top : top + height, left : left + width, :3] = tile
        sheet[top : top + height, left : left + width, 3] = 255
    return sheet


def signed_tiles(values: NDArray[np.floating], scale: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return values f[N,...] as bytes: 0 is middle grey, and plus and minus `scale` f[N] are white and black."""
    safe = np.where(scale > 0, scale, 1).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(np.clip(np.round(127.5 + 127.5 * values.astype(np.float64) / safe), 0, 255), dtype=np.uint8)


def ranged_tiles(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return values f[N,h,w] as bytes, each tile from its own lowest (black) to its own highest value (white)."""
    wide = values.astype(np.float64)
    low, high = wide.min(axis=(1, 2), keepdims=True), wide.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.round(255 * (wide - low) / np.where(high > low, high - low, 1)), dtype=np.uint8)


def overlay(
    image: NDArray[np.uint8], one: NDArray[np.float32], box: tuple[float, float, float, float]
) -> NDArray[np.uint8]:
    """Return `image` u8[s,s,3] with a map f32[h,w], 0 or more, laid over the part that `box` states.

    The map is enlarged smoothly (bicubic) and scaled to its own highest value; red is most, dark blue none. A map of
    zeros gives the image without its colours.
    """
    side = image.shape[0]
    top, left, height, width = (round(share * side) for share in box)
    scaled = one / one.max() if one.max() > 0 else one
    large = Image.fromarray(scaled).resize((max(1, width), max(1, height)), Image.Resampling.BICUBIC)
    heat = np.zeros((side, side))
    heat[top : top + height, left : left + width] = np.clip(np.asarray(large), 0, 1)
    grey = image.mean(axis=2, keepdims=True)
    share = 0.55 if one.max() > 0 else 0.0
    return np.asarray(np.round(grey * (1 - share) + _colours(heat) * share), dtype=np.uint8)


def heat_tile(one: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a map f32[h,w], 0 or more and not all zeros, as u8[h,w,3] in the colours of `overlay`."""
    return np.asarray(np.round(_colours(one.astype(np.float64) / one.max())), dtype=np.uint8)


def _colours(heat: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the colours f64[h,w,3], in [0, 255], of values f[h,w] in [0, 1]."""
    places = heat * (len(_HEAT) - 1)
    return np.stack([np.interp(places, np.arange(len(_HEAT)), _HEAT[:, channel]) for channel in range(3)], axis=2)
