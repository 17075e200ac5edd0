"""Images that are there twice: pairs of identical and of nearly alike images, with their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from thumbnet.packed import PackedDataset
from thumbnet.quality.duplicates import FEWEST_PAIRS, RADIUS, Duplicates
from thumbnet.report.facts.table import Table


class End(NamedTuple):
    """One image of a pair: its split, id and label (-1 where unknown)."""

    split: str
    image: str
    label: int


@dataclass(frozen=True)
class Twin:
    """Two images that are alike, how well they agree, and whether their pixels are identical."""

    first: End
    second: End
    agreement: float
    identical: bool

    @property
    def conflict(self) -> bool:
        """Whether both labels are known and differ."""
        return -1 not in (self.first.label, self.second.label) and self.first.label != self.second.label


@dataclass(frozen=True)
class Twins:
    """All pairs of images that are alike, in and between splits.

    Args:
        pairs: the identical ones first, then by falling agreement.
        identical: pairs by splits, such as `{'train-val': 7}`.
        near: the same of those that are nearly alike.
        conflicts: pairs of either kind whose labels differ.
        threshold: agreement from which images count as nearly alike; above 1 where none can be told.
        radius: bits of the hash in which near pairs could differ; below `duplicates.RADIUS` some may be missing.
        random_pairs: how many pairs drawn at random the threshold was held against.
    """

    pairs: tuple[Twin, ...]
    identical: Mapping[str, int]
    near: Mapping[str, int]
    conflicts: Mapping[str, int]
    threshold: float
    radius: int
    random_pairs: int

    @property
    def notes(self) -> list[str]:
        """What is not sure about the near duplicates, in words."""
        notes = []
        if self.radius < RADIUS:
            notes.append(
                f"Many images of this data are alike, so that only pairs were measured whose hashes differ in "
                f"{self.radius} bits or fewer instead of {RADIUS}; some near duplicates are missing"
            )
        if self.random_pairs < FEWEST_PAIRS:
            notes.append(
                f"The data has {self.random_pairs} pairs of different images, too few to say how alike unrelated ones "
                "are, so that near duplicates may be unrelated"
            )
        return notes

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "identical": dict(self.identical),
            "near": dict(self.near),
            "conflicting": dict(self.conflicts),
            "threshold": self.threshold,
            "radius": self.radius,
            "random_pairs": self.random_pairs,
        }

    def table(self, ids: Sequence[str]) -> Table:
        """Return one row a pair; `ids` are the classes'."""
        header = ("first_split", "first", "first_class", "second_split", "second", "second_class")
        rows = [
            (*_cells(one.first, ids), *_cells(one.second, ids), one.agreement, one.identical, one.conflict)
            for one in self.pairs
        ]
        return Table("duplicates", (*header, "agreement", "identical", "labels_conflict"), rows)


def make_twins(dataset: PackedDataset, found: Duplicates) -> Twins:
    """Return the duplicates of a data set with ids and labels."""
    opened = [dataset.split(name, verify=False) for name in found.splits]
    sides = (found.first_split, found.first), (found.second_split, found.second)
    ends = [
        [
            End(opened[split].name, opened[split].image_ids[row], int(opened[split].labels[row]))
            for split, row in zip(splits.tolist(), rows.tolist(), strict=True)
        ]
        for splits, rows in sides
    ]
    conflicts = found.conflicts({one.name: one.labels for one in opened})
    return Twins(
        pairs=tuple(
            Twin(first, second, agreement, identical)
            for first, second, agreement, identical in zip(
                *ends, found.agreement.tolist(), found.identical.tolist(), strict=True
            )
        ),
        identical=found.by_splits(found.identical),
        near=found.by_splits(~found.identical),
        conflicts=found.by_splits(conflicts),
        threshold=found.threshold,
        radius=found.radius,
        random_pairs=found.random_pairs,
    )


def _cells(end: End, ids: Sequence[str]) -> tuple[str, str, str | None]:
    return end.split, end.image, ids[end.label] if end.label >= 0 else None
