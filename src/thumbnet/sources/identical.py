"""Identical files: images that a source holds more than once, byte for byte."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from thumbnet.packed import ClassInfo
from thumbnet.sources.listing import Listing
from thumbnet.sources.tree import FileSource

MOST_GROUPS = 1000
"""Groups that the facts name one by one; the counts are of all."""


class _Copy(NamedTuple):
    split: str
    label: int
    file: str


def identical_files(
    source: FileSource, listing: Listing, checksums: Mapping[str, Sequence[tuple[int, int]]]
) -> dict[str, Any]:
    """Find the groups of identical files among the images of a source.

    Args:
        source: reads a file's bytes.
        listing: the splits.
        checksums: for each split, the (CRC-32, size) of each of its files, in their order.

    Returns:
        JSON values: `pairs` (their number), `pairs_by_splits` and `conflicting_pairs_by_splits` (such as
        `{"train-val": 7}`; two known labels that differ conflict), and `groups` (files, splits, class ids).
    """
    candidates: dict[tuple[int, int], list[_Copy]] = {}
    for split, listed in listing.splits.items():
        for file, label, key in zip(listed.files, listed.labels.tolist(), checksums[split], strict=True):
            candidates.setdefault(key, []).append(_Copy(split, label, file))
    groups = [group for copies in candidates.values() if len(copies) > 1 for group in _same_content(source, copies)]
    pairs = [pair for group in groups for pair in itertools.combinations(group, 2)]
    return {
        "pairs": len(pairs),
        "pairs_by_splits": dict(Counter(f"{a.split}-{b.split}" for a, b in pairs)),
        "conflicting_pairs_by_splits": dict(Counter(f"{a.split}-{b.split}" for a, b in pairs if _conflict(a, b))),
        "groups": [_described(group, listing.classes) for group in groups[:MOST_GROUPS]],
    }


def _same_content(source: FileSource, copies: Sequence[_Copy]) -> list[list[_Copy]]:
    """Split files of equal checksum and size into groups of equal content."""
    by_digest: dict[bytes, list[_Copy]] = {}
    for copy in copies:
        by_digest.setdefault(hashlib.sha256(source.read(copy.file)).digest(), []).append(copy)
    return [group for group in by_digest.values() if len(group) > 1]


def _conflict(a: _Copy, b: _Copy) -> bool:
    return -1 not in (a.label, b.label) and a.label != b.label


def _described(group: Sequence[_Copy], classes: Sequence[ClassInfo]) -> dict[str, Any]:
    return {
        "files": [copy.file for copy in group],
        "splits": [copy.split for copy in group],
        "classes": [classes[copy.label].id if copy.label >= 0 else None for copy in group],
        "labels_conflict": any(_conflict(a, b) for a, b in itertools.combinations(group, 2)),
    }
