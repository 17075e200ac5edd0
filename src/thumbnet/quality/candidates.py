"""Pairs of images that may be alike: those whose hashes differ in few bits, of all pairs there are."""

import numpy as np
from numpy.typing import NDArray

from thumbnet.watch import Watch, silent

_ROWS, _COLUMNS = 256, 8192


def thinned(hashes: NDArray[np.uint64], largest: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of u64[2,N] to compare with each other, i64[M], and further candidates, i64[C,2].

    Of more than `largest` images of one hash only the first is compared with all others; each of the rest with that
    one. Else their pairs, which no radius tells apart, would crowd out all others.
    """
    _, group, counts = np.unique(hashes, axis=1, return_inverse=True, return_counts=True)
    group = group.ravel()
    order = np.argsort(group, kind="stable")
    first = order[np.cumsum(counts) - counts][group]
    rest = (counts[group] > largest) & (first != np.arange(len(group)))
    return np.flatnonzero(~rest), np.stack([first[rest], np.flatnonzero(rest)], axis=1)


def candidate_pairs(
    hashes: NDArray[np.uint64], radius: int, most: int, watch: Watch = silent
) -> tuple[NDArray[np.int64], int]:
    """Return all pairs i64[C,2] of images whose hashes u64[2,N] differ in `radius` bits or fewer, and the radius.

    All pairs are compared, block by block, so that memory stays bounded. With more than `most` pairs the radius is
    lowered until they fit, at the least to 0; what is returned is then all pairs of that lower radius.
    """
    kept: list[NDArray[np.int64]] = []
    sizes: list[NDArray[np.uint8]] = []
    held = 0
    for start in range(0, hashes.shape[1], _ROWS):
        for place in range(start, hashes.shape[1], _COLUMNS):
            pairs, bits = _close(hashes, start, place, radius)
            kept.append(pairs)
            sizes.append(bits)
            held += len(pairs)
            while held > most and radius > 0:
                radius -= 1
                narrower = [bits <= radius for bits in sizes]
                kept = [pairs[inside] for pairs, inside in zip(kept, narrower, strict=True)]
                sizes = [bits[inside] for bits, inside in zip(sizes, narrower, strict=True)]
                held = sum(map(len, kept))
        watch("comparing", min(start + _ROWS, hashes.shape[1]), hashes.shape[1])
    return np.concatenate([np.empty((0, 2), dtype=np.int64), *kept]), radius


def _close(
    hashes: NDArray[np.uint64], start: int, place: int, radius: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the pairs of a block's images from `start` with later ones from `place`, and the bits that differ."""
    rows, columns = hashes[:, start : start + _ROWS, None], hashes[:, None, place : place + _COLUMNS]
    bits = np.bitwise_count(rows[0] ^ columns[0])
    bits += np.bitwise_count(rows[1] ^ columns[1])
    one, other = np.divmod(np.flatnonzero(bits <= radius), bits.shape[1])
    later = other + place > one + start
    one, other = one[later], other[later]
    return np.stack([one + start, other + place], axis=1), bits[one, other]
