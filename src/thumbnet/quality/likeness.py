"""How alike two images are: small grey copies, a perceptual hash of them, and an exact measure of agreement."""

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
"""Grey images in 0 to 255, N by side by side."""

SIDE = 32
"""Side in pixels at which images are compared."""

BITS = 112
"""Bits of the hash: 8 x 7 steps to the right and 7 x 8 steps down."""

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_WINDOW = 5
_DETAIL_WINDOW = 7
_NOISE, _DETAIL_NOISE = (0.03 * 255) ** 2, (0.02 * 255) ** 2
"""Variance that the windows of an image reach by noise and compression alone."""


def shrink(images: NDArray[np.uint8]) -> Grey:
    """Return grey copies f32[N,32,32] of `images` u8[N,H,W,3], each pixel the mean of the area that it covers."""
    grey = images @ _LUMA
    down, across = (_area_weights(side) for side in grey.shape[1:])
    return np.asarray(np.matmul(np.matmul(down, grey), across.T), dtype=np.float32)


def perceptual_hash(grey: Grey) -> NDArray[np.uint64]:
    """Return the hash u64[2,N] of grey images f32[N,32,32]: whether brightness rises from one place to the next.

    The places are the 8 x 8 means of the image; the first word holds the steps to the right, the second those down,
    56 bits each. Brightness, contrast, size and compression hardly change it.
    """
    means = grey.reshape(len(grey), 8, SIDE // 8, 8, SIDE // 8).mean(axis=(2, 4))
    steps = (means[:, :, 1:] > means[:, :, :-1], means[:, 1:, :] > means[:, :-1, :])
    return np.stack([_packed(bits.reshape(len(grey), -1)) for bits in steps])


def outline(grey: Grey) -> NDArray[np.int8]:
    """Return what stands out from its surroundings in grey images f32[N,32,32], i8[N,256] of mean about 0.

    These are 16 x 16 means less their mean over 5 x 5, in units of their own deviation, so that the product of two
    says quickly how well two images match.
    """
    means = grey.reshape(len(grey), 16, SIDE // 16, 16, SIDE // 16).mean(axis=(2, 4))
    contrast = means - _local_mean(np.pad(means, ((0, 0), (2, 2), (2, 2)), mode="reflect"), 5)
    scale = contrast.std(axis=(1, 2), keepdims=True) + 1
    levels = np.clip(np.rint(contrast / scale * 40), -100, 100).reshape(len(grey), -1)
    return np.asarray(levels, dtype=np.int8)


def match(first: NDArray[np.int8], second: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return the cosine f32[N] between outlines i8[N,256]; 0 for an image without any."""
    one, other = first.astype(np.float32), second.astype(np.float32)
    size = np.sqrt(_dots(one, one) * _dots(other, other))
    cosine: NDArray[np.float32] = np.zeros(len(size), dtype=np.float32)
    np.divide(_dots(one, other), size, out=cosine, where=size > 0)
    return cosine


def agreement(first: Grey, second: Grey) -> NDArray[np.float32]:
    """Return how well grey images f32[N,32,32] agree place by place, f32[N] in [-1, 1].

    In each window of 5 x 5 pixels, the covariance of the two over the mean of their variances plus that of noise (the
    contrast and structure of structural similarity, but 0 where both are plain, so that plain ground counts for
    nothing); its mean over all windows. The same again of the detail alone, what is left of each image without its
    mean over 5 x 5, in windows of 7 x 7, so that two skies that darken alike do not agree. The lesser of the two.
    Identical images of rich detail reach nearly 1, plain ones less, unrelated ones about 0.

    Source: Wang et al., 'Image quality assessment: from error visibility to structural similarity', IEEE Transactions
    on Image Processing 13 (2004).
    """
    whole = _structure(first, second, _WINDOW, _NOISE)
    detail = _structure(_detail(first), _detail(second), _DETAIL_WINDOW, _DETAIL_NOISE)
    return np.minimum(whole, detail)


def _structure(first: Grey, second: Grey, window: int, noise: float) -> NDArray[np.float32]:
    # One pass over all five means: the filter costs more than what it filters.
    stacked = np.concatenate([first, second, first * first, second * second, first * second])
    one, other, one_square, other_square, product = np.split(_local_mean(stacked, window), 5)
    spread = one_square - one * one + other_square - other * other
    return np.asarray((2 * (product - one * other) / (spread + noise)).mean(axis=(1, 2)), dtype=np.float32)


def _detail(grey: Grey) -> Grey:
    return grey - _local_mean(np.pad(grey, ((0, 0), (2, 2), (2, 2)), mode="symmetric"), 5)


def _local_mean(images: Grey, window: int) -> Grey:
    """Return the mean of each whole window of f32[N,H,W]: f32[N,H-window+1,W-window+1]."""
    rows = images.shape[1] - window + 1
    columns = images.shape[2] - window + 1
    down = sum(images[:, shift : shift + rows] for shift in range(window))
    across = sum(np.asarray(down)[:, :, shift : shift + columns] for shift in range(window))
    return np.asarray(across, dtype=np.float32) / np.float32(window * window)


def _dots(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.einsum("nd,nd->n", first, second), dtype=np.float32)


def _packed(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    weights = np.uint64(1) << np.arange(bits.shape[1], dtype=np.uint64)
    return np.asarray((bits * weights).sum(axis=1, dtype=np.uint64))


def _area_weights(side: int) -> NDArray[np.float32]:
    """Return f32[32,side]: the share of each pixel in each of 32 equal stretches of the side."""
    edges = np.linspace(0, side, SIDE + 1)
    pixels = np.arange(side)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.asarray(np.maximum(covered, 0) * SIDE / side, dtype=np.float32)
