"""Two runs on the same images: what is fixed, what is broken, and whether the difference is real."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.comparison import LEVEL, Comparison, compare_right, holm, mcnemar
from thumbnet.errors import PredictionError
from thumbnet.predictions import Predictions, align, choice_note, chosen_on
from thumbnet.report.facts.table import Missing, Table, finite
from thumbnet.report.subject import Subject


@dataclass(frozen=True)
class ClassDifference:
    """One class in both runs.

    Args:
        label: its index.
        images: how many it has.
        first_right: how many of them the first run gets right.
        second_right: how many the second.
        fixed: images that the second alone gets right.
        broken: images that the first alone gets right.
        p_value: of McNemar's exact test on these.
        adjusted: the same adjusted for all classes that have images, by Holm's method.
    """

    label: int
    images: int
    first_right: int
    second_right: int
    fixed: int
    broken: int
    p_value: float
    adjusted: float

    @property
    def is_real(self) -> bool:
        """Whether the difference is more than chance gives to one of so many classes."""
        return self.adjusted < LEVEL

    @property
    def difference(self) -> float:
        """The second's accuracy less the first's; nan without images."""
        return (self.second_right - self.first_right) / self.images if self.images else float("nan")


@dataclass(frozen=True, eq=False)
class Compared:
    """Two runs side by side.

    Args:
        labels: what the report calls them.
        split: the split that both judge.
        comparison: the difference of their accuracies and the paired test.
        notes: which of them were chosen on images of that split, so that neither holds; a sentence each.
        ids: K ids of classes.
        names: their names.
        images: N ids, in the first's order.
        truth: i64[N], class indices.
        answers: i64[2,N], predicted class indices of both.
        probabilities: f64[2,N], what both give the true class.
        classes: the differences, in the order of the indices.
    """

    labels: tuple[str, str]
    split: str
    comparison: Comparison
    notes: tuple[str, ...]
    ids: tuple[str, ...]
    names: tuple[str, ...]
    images: tuple[str, ...]
    truth: NDArray[np.int64]
    answers: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    classes: tuple[ClassDifference, ...]

    def changed(self, fixed: bool) -> NDArray[np.int64]:
        """Return the rows of images that the second alone gets right (or the first alone), the surest change first."""
        right = self.answers == self.truth
        rows = np.flatnonzero(right[1] & ~right[0] if fixed else right[0] & ~right[1])
        change = np.abs(self.probabilities[1] - self.probabilities[0])[rows]
        return np.asarray(rows[np.argsort(-change, kind="stable")])

    def to_json(self) -> dict[str, Any]:
        """Return the comparison, the classes, and the ids of fixed and broken images as JSON data."""
        return {
            "first": self.labels[0],
            "second": self.labels[1],
            "split": self.split,
            **self.comparison.to_json(),
            "sentence": self.comparison.sentence(*self.labels),
            "notes": list(self.notes),
            "classes": [
                {**vars(one), "id": self.ids[one.label], "difference": finite(one.difference)} for one in self.classes
            ],
            "fixed_images": [self.images[row] for row in self.changed(True)],
            "broken_images": [self.images[row] for row in self.changed(False)],
        }

    def tables(self) -> Sequence[Table]:
        """Return one row a class and one row an image."""
        classes = [
            (
                *(self.ids[one.label], self.names[one.label], one.images, one.first_right, one.second_right),
                *(one.fixed, one.broken, one.difference, one.p_value, one.adjusted),
            )
            for one in self.classes
        ]
        head = (
            "class",
            "name",
            "images",
            "first_right",
            "second_right",
            "fixed",
            "broken",
            "difference",
            "p_value",
            "adjusted_p_value",
        )
        columns = (
            self.images,
            *([self.ids[label] for label in part] for part in (self.truth, *self.answers)),
            *self.probabilities.tolist(),
        )
        header = ("image", "true", "first", "second", "first_true_probability", "second_true_probability")
        rows = list(zip(*columns, strict=True))
        return Table("compare-classes", head, classes), Table("compare-images", header, rows)


def make_compared(first: Subject, second: Subject) -> Compared | Missing:
    """Return how the second run stands to the first, or why they cannot be compared."""
    sides = []
    for one in (first, second):
        if isinstance(one.judged, Missing):
            return Missing(f"{one.label}: {one.judged.reason}", one.judged.remedy)
        sides.append(one.judged)
    if (apart := _apart(first, second, sides)) is not None:
        return apart
    try:
        aligned = align(sides, "the two runs")
    except PredictionError as error:
        return Missing(f"the two cannot be compared by image: {error}")
    return _compared((first, second), sides, aligned)


def _apart(first: Subject, second: Subject, sides: Sequence[Predictions]) -> Missing | None:
    """Return why two runs on different data or splits are not compared, and what compares them; `None` if alike."""
    command = shlex.join(["thumbnet", "compare", str(first.run.path), str(second.run.path)])
    prints = [one.data["fingerprint"] for one in (first, second)]
    known = f"fingerprints {prints[0]:.12} and {prints[1]:.12}"
    if sides[0].classes != sides[1].classes:
        reason, remedy = f"the two runs know different classes ({known})", "train both on the same data"
    elif prints[0] != prints[1]:
        reason = f"the two runs are on different data of the same classes ({known})"
        remedy = f"name the data that is to judge both: {command} --data DIR"
    elif sides[0].split != sides[1].split:
        reason = f"{first.label} is judged on {sides[0].split} and {second.label} on {sides[1].split}"
        remedy = f"compare them with: {command} --split val"
    else:
        return None
    return Missing(f"{reason}, so they are not compared image by image", remedy)


def _compared(
    subjects: tuple[Subject, Subject], sides: Sequence[Predictions], logits: Sequence[NDArray[np.float32]]
) -> Compared:
    base = sides[0]
    truth, labels = base.labels, (subjects[0].label, subjects[1].label)
    answers = np.stack([one.argmax(axis=1) for one in logits]).astype(np.int64)
    right = answers == truth
    return Compared(
        labels=labels,
        split=base.split,
        comparison=compare_right(right[0], right[1]),
        notes=tuple(
            choice_note(f"{label} was", base.split, tested=True)
            for label, side in zip(labels, sides, strict=True)
            if base.split in chosen_on(side.provenance)
        ),
        ids=base.classes,
        names=subjects[0].names,
        images=base.image_ids,
        truth=truth,
        answers=answers,
        probabilities=np.stack([metrics.softmax(one)[np.arange(len(truth)), truth] for one in logits]),
        classes=_differences(truth, right, len(base.classes)),
    )


def _differences(truth: NDArray[np.int64], right: NDArray[np.bool_], classes: int) -> tuple[ClassDifference, ...]:
    def count(of: NDArray[np.bool_]) -> list[int]:
        return [int(one) for one in np.bincount(truth[of], minlength=classes)]

    columns = (
        count(np.ones(len(truth), dtype=np.bool_)),
        count(right[0]),
        count(right[1]),
        count(right[1] & ~right[0]),
        count(right[0] & ~right[1]),
    )
    known = [label for label in range(classes) if columns[0][label]]
    p_values = [mcnemar(columns[3][label], columns[4][label]) for label in range(classes)]
    adjusted = dict(zip(known, holm([p_values[label] for label in known]), strict=True))
    return tuple(
        ClassDifference(label, *row, p_values[label], adjusted.get(label, 1.0))
        for label, row in enumerate(zip(*columns, strict=True))
    )
