"""Each class by itself: how often it is found, how often rightly named, and what else it is taken for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thumbnet import metrics
from thumbnet.report.facts.judged import Judged
from thumbnet.report.facts.table import Table, finite


@dataclass(frozen=True)
class ClassFacts:
    """One class.

    Args:
        label: its index.
        id: its id.
        name: its name.
        images: how many images of the split show it.
        right: how many of them are named rightly.
        predicted: how many images of the split are named so.
        accuracy: `right` of `images`, which is the class's recall too; nan without images.
        interval: 95% Wilson interval of the accuracy; nan without images.
        precision: `right` of `predicted`; 0 where nothing is named so.
        f1: harmonic mean of precision and recall; nan without images.
        errors: how many images are named wrongly.
        wrong: the classes that they are named, as (index, images), the commonest first.
    """

    label: int
    id: str
    name: str
    images: int
    right: int
    predicted: int
    accuracy: float
    interval: tuple[float, float]
    precision: float
    f1: float
    errors: int
    wrong: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class PerClass:
    """All classes of a split, in the order of their indices."""

    judged: Judged
    classes: tuple[ClassFacts, ...]

    def ranked(self) -> list[ClassFacts]:
        """Return the classes that have images, the worst first."""
        known = [one for one in self.classes if one.images]
        return sorted(known, key=lambda one: (one.accuracy, one.f1, one.label))

    def averages(self) -> dict[str, float]:
        """Return the unweighted means of precision, recall and F1 over the classes that have images."""
        known = self.ranked()
        return {
            "precision": float(np.mean([one.precision for one in known])),
            "recall": float(np.mean([one.accuracy for one in known])),
            "f1": float(np.mean([one.f1 for one in known])),
        }

    def to_json(self) -> dict[str, Any]:
        """Return all classes and their unweighted means as JSON data; shares are fractions."""
        return {
            "averages": self.averages(),
            "classes": [
                {
                    **vars(one),
                    "accuracy": finite(one.accuracy),
                    "interval": [finite(end) for end in one.interval],
                    "recall": finite(one.accuracy),
                    "f1": finite(one.f1),
                    "wrong": [{"id": self.classes[to].id, "images": count} for to, count in one.wrong],
                }
                for one in self.classes
            ],
        }

    def tables(self) -> Sequence[Table]:
        """Return one row a class; what it is taken for is in the table of confusions."""
        header = ("class", "name", "images", "right", "predicted", "accuracy", "accuracy_low", "accuracy_high")
        rows = [
            (
                *(one.id, one.name, one.images, one.right, one.predicted, one.accuracy, *one.interval),
                *(one.precision, one.accuracy, one.f1, one.errors, len(one.wrong)),
            )
            for one in self.classes
        ]
        more = ("precision", "recall", "f1", "errors", "wrong_classes")
        return (Table("per-class", (*header, *more), rows),)


def make_per_class(judged: Judged) -> PerClass:
    """Return the figures of each class."""
    return PerClass(judged, tuple(_class(judged, label) for label in range(len(judged.names))))


def _class(judged: Judged, label: int) -> ClassFacts:
    row = judged.confusion[label]
    images, right = int(row.sum()), int(row[label])
    predicted = int(judged.confusion[:, label].sum())
    wrong = sorted(((int(to), int(row[to])) for to in np.flatnonzero(row) if to != label), key=lambda one: -one[1])
    nan = float("nan")
    return ClassFacts(
        label=label,
        id=judged.predictions.classes[label],
        name=judged.names[label],
        images=images,
        right=right,
        predicted=predicted,
        accuracy=right / images if images else nan,
        interval=metrics.accuracy_interval(right, images) if images else (nan, nan),
        precision=right / predicted if predicted else 0.0,
        f1=2 * right / (images + predicted) if images else nan,
        errors=images - right,
        wrong=tuple(wrong),
    )
