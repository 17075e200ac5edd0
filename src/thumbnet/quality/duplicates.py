"""Images that a data set holds more than once: of identical pixels, or nearly alike, within and across splits."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import DataError
from thumbnet.packed import PackedDataset
from thumbnet.quality.candidates import candidate_pairs, thinned
from thumbnet.quality.likeness import Grey, agreement, match, outline, perceptual_hash, shrink
from thumbnet.watch import Watch, silent

THRESHOLD = 0.48
"""Agreement from which two photographs count as nearly alike; chosen by eye on Tiny ImageNet (docs/quality.md)."""

RADIUS = 28
"""Bits of the hash in which candidates may differ, of 112."""

OUTLINE_MATCH = 0.55
"""Match of the outlines from which candidates are measured exactly."""

MOST_CANDIDATES = 2_000_000
"""Candidates that are kept at once; with more, the radius shrinks until they fit."""

DEVIATIONS = 6
"""Near duplicates agree by so many deviations more than pairs drawn at random do in the middle."""

FEWEST_PAIRS = 100
"""Pairs of different images below which chance cannot be judged, so that the threshold is 0.48 alone."""

_CHUNK = 2048
_RANDOM_PAIRS = 4000
_LARGEST_GROUP = 50
_LEAST_SPREAD = 0.005


@dataclass(frozen=True, eq=False)
class Duplicates:
    """The pairs of images of a data set that are alike, the identical ones first, then by falling agreement.

    Args:
        fingerprint: of the data.
        splits: names of the splits.
        first_split: i64[P], position in `splits` of the first image of each pair.
        first: i64[P], its row there.
        second_split: i64[P], of the second image.
        second: i64[P].
        agreement: f32[P], see `likeness.agreement`; 1 for identical pixels.
        identical: bool[P], whether the pixels are the same.
        threshold: agreement from which pairs count as nearly alike; above 1 where random pairs agree too well to tell.
        radius: bits of the hash in which candidates could differ.
        random_pairs: pairs drawn at random that the threshold was held against.
    """

    fingerprint: str
    splits: tuple[str, ...]
    first_split: NDArray[np.int64]
    first: NDArray[np.int64]
    second_split: NDArray[np.int64]
    second: NDArray[np.int64]
    agreement: NDArray[np.float32]
    identical: NDArray[np.bool_]
    threshold: float
    radius: int
    random_pairs: int

    def __len__(self) -> int:
        return len(self.first)

    def by_splits(self, chosen: NDArray[np.bool_]) -> dict[str, int]:
        """Return how many of the pairs that `chosen` bool[P] marks lie in and between splits: `{"train-val": 7}`."""
        pairs = zip(self.first_split[chosen].tolist(), self.second_split[chosen].tolist(), strict=True)
        return dict(Counter(f"{self.splits[one]}-{self.splits[other]}" for one, other in pairs))

    def conflicts(self, labels: dict[str, NDArray[np.int64]]) -> NDArray[np.bool_]:
        """Return which pairs have two different labels, bool[P]; `labels` are i64[N] by split, -1 where unknown."""
        known = [labels[split] for split in self.splits]
        one = _take(known, self.first_split, self.first)
        other = _take(known, self.second_split, self.second)
        return np.asarray((one >= 0) & (other >= 0) & (one != other))

    def twins(self, split: str, other: str, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the rows of `split`, ascending, that a pair which `chosen` bool[P] marks joins to one of `other`."""
        if not {split, other} <= set(self.splits):
            return np.empty(0, dtype=np.int64)
        here, there = self.splits.index(split), self.splits.index(other)
        forward = chosen & (self.first_split == here) & (self.second_split == there)
        back = chosen & (self.second_split == here) & (self.first_split == there)
        return np.unique(np.concatenate([self.first[forward], self.second[back]]))


def find_duplicates(dataset: PackedDataset, watch: Watch = silent) -> Duplicates:
    """Return the identical and the nearly alike images of all splits.

    Candidates differ in few bits of a perceptual hash; of those whose outlines match, the agreement is measured. The
    threshold is 0.48, or more where images are alike by their nature: there, what random pairs seldom reach. In a
    group of more than 50 identical images each is paired with the first alone, and so is each of more than 50 images
    of one hash. An image without an outline, such as one of a single colour, is alike to none but identical ones.

    Args:
        dataset: packed.
        watch: is told how far it is.

    Raises:
        DataError: a split is damaged.
    """
    starts = np.cumsum([0, *dataset.counts.values()])
    total = int(starts[-1])
    grey, digests = _read(dataset, total, watch)
    if total < 2:
        raise DataError(f"{dataset.path}: {total} image; duplicates need at least two")
    groups = _groups(digests)
    same = _identical_pairs(groups)
    different = np.array([group[0] for group in groups], dtype=np.int64)
    chance, random_pairs = _beyond_chance(grey, different)
    threshold = max(THRESHOLD, chance)
    near, agreements, radius = _near_pairs(grey, different, threshold, watch)
    near, agreements = _with_copies(near, agreements, groups)
    pairs = np.concatenate([same, near])
    first_split, second_split = (np.searchsorted(starts, pairs[:, side], side="right") - 1 for side in (0, 1))
    return Duplicates(
        fingerprint=dataset.fingerprint,
        splits=dataset.split_names,
        first_split=first_split,
        first=pairs[:, 0] - starts[first_split],
        second_split=second_split,
        second=pairs[:, 1] - starts[second_split],
        agreement=np.concatenate([np.ones(len(same), dtype=np.float32), agreements]),
        identical=np.arange(len(pairs)) < len(same),
        threshold=threshold,
        radius=radius,
        random_pairs=random_pairs,
    )


def _read(dataset: PackedDataset, total: int, watch: Watch) -> tuple[NDArray[np.uint8], list[bytes]]:
    """Return grey copies u8[N,32,32] of all images, split by split, and the digest of the pixels of each."""
    grey = np.empty((total, 32, 32), dtype=np.uint8)
    digests: list[bytes] = []
    for name in dataset.split_names:
        split = dataset.split(name)
        for part in split.parts():
            chunk = split.images[part]
            place = len(digests)
            grey[place : place + len(chunk)] = np.rint(shrink(chunk))
            digests += [hashlib.blake2b(one, digest_size=16).digest() for one in chunk]
            watch("reading", len(digests), total)
    return grey, digests


def _groups(digests: list[bytes]) -> list[list[int]]:
    """Return the places of the images of each digest, in the order of the first of each."""
    groups: dict[bytes, list[int]] = {}
    for place, digest in enumerate(digests):
        groups.setdefault(digest, []).append(place)
    return list(groups.values())


def _identical_pairs(groups: list[list[int]]) -> NDArray[np.int64]:
    pairs = sorted(pair for group in groups if len(group) > 1 for pair in _pairs_of(group))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _pairs_of(group: list[int]) -> Iterator[tuple[int, int]]:
    if len(group) <= _LARGEST_GROUP:
        return itertools.combinations(group, 2)
    return ((group[0], other) for other in group[1:])


def _with_copies(
    pairs: NDArray[np.int64], agreements: NDArray[np.float32], groups: list[list[int]]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the pairs of first images and those of their identical copies, the most alike first."""
    copies = {group[0]: group for group in groups if 1 < len(group) <= _LARGEST_GROUP}
    found, values = [], []
    for (one, other), value in zip(pairs.tolist(), agreements.tolist(), strict=True):
        both = itertools.product(copies.get(one, [one]), copies.get(other, [other]))
        every = [(min(pair), max(pair)) for pair in both]
        found += every
        values += [value] * len(every)
    joined = np.array(found, dtype=np.int64).reshape(-1, 2)
    sure = np.array(values, dtype=np.float32)
    order = np.lexsort((joined[:, 1], joined[:, 0], -sure))
    return joined[order], sure[order]


def _beyond_chance(grey: NDArray[np.uint8], different: NDArray[np.int64]) -> tuple[float, int]:
    """Return the agreement that pairs of `different` i64[D] images drawn at random hardly reach, and their number.

    The middle and the spread are the median and the median distance from it, which a few near duplicates do not
    raise; the latter times 1.4826 is the standard deviation of normal values. With too few pairs it is -1.
    """
    count = len(different)
    if count * (count - 1) // 2 <= _RANDOM_PAIRS:
        pairs = np.stack(np.triu_indices(count, 1), axis=1)
    else:
        draw = np.random.default_rng(0)
        first = draw.integers(0, count, _RANDOM_PAIRS)
        pairs = np.stack([first, (first + draw.integers(1, count, _RANDOM_PAIRS)) % count], axis=1)
    if len(pairs) < FEWEST_PAIRS:
        return -1.0, len(pairs)
    values = _measure(grey, different[pairs]).astype(np.float64)
    middle = float(np.median(values))
    spread = max(_LEAST_SPREAD, 1.4826 * float(np.median(np.abs(values - middle))))
    return middle + DEVIATIONS * spread, len(pairs)


def _near_pairs(
    grey: NDArray[np.uint8], different: NDArray[np.int64], threshold: float, watch: Watch
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Return the pairs of `different` images that agree by `threshold` or more, their agreement, and the radius."""
    hashes, outlines = _described(grey, different)
    shaped = np.flatnonzero(outlines.any(axis=1))
    places, extra = thinned(hashes[:, shaped], _LARGEST_GROUP)
    candidates, radius = candidate_pairs(hashes[:, shaped[places]], RADIUS, MOST_CANDIDATES, watch)
    candidates = shaped[np.concatenate([places[candidates], extra])]
    chunks = [candidates[start : start + 16 * _CHUNK] for start in range(0, len(candidates), 16 * _CHUNK)]
    matching = [chunk[match(outlines[chunk[:, 0]], outlines[chunk[:, 1]]) >= OUTLINE_MATCH] for chunk in chunks]
    pairs = different[np.concatenate([np.empty((0, 2), dtype=np.int64), *matching])]
    agreements = _measure(grey, pairs)
    alike = agreements >= threshold
    return pairs[alike], agreements[alike], radius


def _described(grey: NDArray[np.uint8], chosen: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int8]]:
    """Return hashes u64[2,D] and outlines i8[D,256] of the `chosen` i64[D] images, chunk by chunk."""
    hashes = np.empty((2, len(chosen)), dtype=np.uint64)
    outlines = np.empty((len(chosen), 256), dtype=np.int8)
    for start in range(0, len(chosen), _CHUNK):
        part = grey[chosen[start : start + _CHUNK]].astype(np.float32)
        hashes[:, start : start + len(part)] = perceptual_hash(part)
        outlines[start : start + len(part)] = outline(part)
    return hashes, outlines


def _measure(grey: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    def copies(places: NDArray[np.int64]) -> Grey:
        return grey[places].astype(np.float32)

    chunks = (pairs[start : start + _CHUNK] for start in range(0, len(pairs), _CHUNK))
    found = [agreement(copies(chunk[:, 0]), copies(chunk[:, 1])) for chunk in chunks]
    return np.concatenate([np.empty(0, dtype=np.float32), *found])


def _take(known: list[NDArray[np.int64]], splits: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    found = np.empty(len(rows), dtype=np.int64)
    for place, values in enumerate(known):
        here = splits == place
        found[here] = values[rows[here]]
    return found
