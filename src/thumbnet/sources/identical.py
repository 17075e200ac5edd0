"""Identical files: images that a source holds more than once, byte for byte."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from thumbnet.packed import ClassInfo
from thumbnet.sources.listing import Listing
from thumbnet.sources.tree import FileSource

MOST_GROUPS = 1000
"""Groups that the facts name one by one; the counts are of all."""

MOST_FILES = 100
"""Files that the facts name of a group; the counts are of all."""


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
        `{"train-val": 7}`; two known labels that differ conflict), `groups_found` (their number), and `groups` (of the
        first: the number of `copies`, and of the first copies the files, splits and class ids).
    """
    candidates: dict[tuple[int, int], list[_Copy]] = {}
    for split, listed in listing.splits.items():
        for file, label, key in zip(listed.files, listed.labels.tolist(), checksums[split], strict=True):
            candidates.setdefault(key, []).append(_Copy(split, label, file))
    groups = [group for copies in candidates.values() if len(copies) > 1 for group in _same_content(source, copies)]
    pairs: Counter[str] = Counter()
    conflicting: Counter[str] = Counter()
    for group in groups:
        pairs += _pairs(group)
        conflicting += _conflicting_pairs(group)
    return {
        "pairs": pairs.total(),
        "pairs_by_splits": dict(pairs),
        "conflicting_pairs_by_splits": dict(conflicting),
        "groups_found": len(groups),
        "groups": [_described(group, listing.classes) for group in groups[:MOST_GROUPS]],
    }


def _same_content(source: FileSource, copies: Sequence[_Copy]) -> list[list[_Copy]]:
    """Split files of equal checksum and size into groups of equal content."""
    by_digest: dict[bytes, list[_Copy]] = {}
    for copy in copies:
        by_digest.setdefault(hashlib.sha256(source.read(copy.file)).digest(), []).append(copy)
    return [group for group in by_digest.values() if len(group) > 1]


def _pairs(copies: Iterable[_Copy]) -> Counter[str]:
    """Return how many pairs some copies make within and between splits, from how many each split has."""
    tally = Counter(copy.split for copy in copies)
    found: Counter[str] = Counter()
    for (a, m), (b, n) in itertools.combinations_with_replacement(tally.items(), 2):
        found[f"{a}-{b}"] = m * (m - 1) // 2 if a == b else m * n
    return found


def _conflicting_pairs(group: Sequence[_Copy]) -> Counter[str]:
    """Return how many pairs of known labels differ, within and between splits: all but those of one label."""
    known = [copy for copy in group if copy.label >= 0]
    found = _pairs(known)
    by_label: dict[int, list[_Copy]] = {}
    for copy in known:
        by_label.setdefault(copy.label, []).append(copy)
    for copies in by_label.values():
        found.subtract(_pairs(copies))
    return found


def _described(group: Sequence[_Copy], classes: Sequence[ClassInfo]) -> dict[str, Any]:
    named = group[:MOST_FILES]
    return {
        "copies": len(group),
        "files": [copy.file for copy in named],
        "splits": [copy.split for copy in named],
        "classes": [classes[copy.label].id if copy.label >= 0 else None for copy in named],
        "labels_conflict": len({copy.label for copy in group} - {-1}) > 1,
    }
