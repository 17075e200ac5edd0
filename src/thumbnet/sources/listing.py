"""What a source holds, before any image is decoded: classes, and the images of each split in canonical order."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import DataError
from thumbnet.packed import ClassInfo
from thumbnet.sources.tree import FileTree

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)
"""Ends of names, in any case, by which files of class folders are taken for images."""


class Row(NamedTuple):
    """One image of a source: its label (-1 unknown), its id, the file it is in, and its box if it has one."""

    label: int
    image_id: str
    file: str
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, eq=False)
class ListedSplit:
    """The images of one split, in canonical order: by (label, id) in `train`, by id elsewhere.

    Attributes:
        files: N names of files in the source.
        image_ids: N unique ids.
        labels: int64 [N], -1 where unknown.
        boxes: int32 [N, 4], -1 where unknown, or None where no image has one.
    """

    files: tuple[str, ...]
    image_ids: tuple[str, ...]
    labels: NDArray[np.int64]
    boxes: NDArray[np.int32] | None


@dataclass(frozen=True, eq=False)
class Listing:
    """A checked source: its kind and name, the class list sorted by id, its splits, and facts worth keeping."""

    kind: str
    name: str
    classes: tuple[ClassInfo, ...]
    splits: Mapping[str, ListedSplit]
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


def listed_split(name: str, rows: Iterable[Row]) -> ListedSplit:
    """Put the images of a split in canonical order."""
    ordered = sorted(rows, key=(lambda row: row[:2]) if name == "train" else (lambda row: (0, row.image_id)))
    boxes = None
    if any(row.box is not None for row in ordered):
        boxes = np.array([row.box or (-1, -1, -1, -1) for row in ordered], dtype=np.int32)
    return ListedSplit(
        files=tuple(row.file for row in ordered),
        image_ids=tuple(row.image_id for row in ordered),
        labels=np.array([row.label for row in ordered], dtype=np.int64),
        boxes=boxes,
    )


def smallest_by_hash(rows: Sequence[Row], fraction: float) -> set[str]:
    """Return the ids of a share of each class: those with the smallest SHA-256, at least one a class, but never all.

    So none of a class of a single image. The choice depends on the ids alone: neither on their order nor on a seed.
    """
    by_class: dict[int, list[Row]] = {}
    for row in rows:
        by_class.setdefault(row.label, []).append(row)
    chosen: set[str] = set()
    for members in by_class.values():
        members.sort(key=lambda row: hashlib.sha256(row.image_id.encode()).digest())
        count = min(len(members) - 1, max(1, round(fraction * len(members))))
        chosen.update(row.image_id for row in members[:count])
    return chosen


def text_lines(tree: FileTree, name: str) -> list[str]:
    """Return the lines of a text file of the source.

    Raises:
        DataError: it is missing or is not UTF-8 text.
    """
    if name not in tree:
        raise DataError(f"{tree.where(name)} is missing; get the data again")
    data = tree.read(name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{tree.where(name)}: not text (byte {error.start} is not UTF-8); get the file again"
        ) from error
    if "\0" in text:
        raise DataError(f"{tree.where(name)}: not text (it holds zero bytes); get the file again")
    return text.splitlines()


def is_image(name: str) -> bool:
    """Say whether the name ends as an image's does."""
    return "." + name.rpartition(".")[2].lower() in IMAGE_SUFFIXES


def check_classes(tree: FileTree, ids: Sequence[str]) -> None:
    """Refuse fewer than two classes.

    Raises:
        DataError: there are fewer than two.
    """
    if len(ids) < 2:
        found = f"one class ({ids[0]})" if ids else "no classes"
        raise DataError(f"{tree.source}: {found}; a classifier needs at least two classes, each a folder of images")
