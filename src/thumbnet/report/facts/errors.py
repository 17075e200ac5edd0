"""The images that the network is most wrong about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thumbnet.report.facts.judged import Judged
from thumbnet.report.facts.table import Table

_ANSWERS = 3
"""How many of the likeliest classes are stated with an image."""


@dataclass(frozen=True)
class Mistake:
    """An image that is classified wrongly.

    Args:
        rank: its place among all mistakes by loss, from 1.
        row: its row in the predictions.
        image: its id.
        label: index of its class.
        probability: what the network gives its class.
        loss: negative log-likelihood of its class, in nats.
        answers: the likeliest classes, as (index, probability), the predicted one first.
    """

    rank: int
    row: int
    image: str
    label: int
    probability: float
    loss: float
    answers: tuple[tuple[int, float], ...]

    @property
    def predicted(self) -> int:
        """Index of the predicted class."""
        return self.answers[0][0]


@dataclass(frozen=True, eq=False)
class Mistakes:
    """All wrongly classified images of a split, the highest loss first."""

    judged: Judged
    mistakes: tuple[Mistake, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the classes."""
        return self.judged.predictions.classes

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.judged.names

    @property
    def images(self) -> int:
        """How many images were judged."""
        return len(self.judged.labels)

    def gallery(self, worst: int, of_each: int) -> tuple[Mistake, ...]:
        """Return the `worst` mistakes of all and `of_each` class's worst ones, in order of loss."""
        seen = np.zeros(len(self.names), dtype=np.int64)
        chosen = []
        for one in self.mistakes:
            seen[one.label] += 1
            if one.rank <= worst or seen[one.label] <= of_each:
                chosen.append(one)
        return tuple(chosen)

    def to_json(self) -> dict[str, Any]:
        """Return the number of mistakes and the hundred worst as JSON data; the table has all."""
        worst = [
            {
                "image": one.image,
                "true": self.ids[one.label],
                "true_probability": one.probability,
                "loss": one.loss,
                "answers": [{"class": self.ids[to], "probability": value} for to, value in one.answers],
            }
            for one in self.mistakes[:100]
        ]
        return {**self.judged.to_json(), "mistakes": len(self.mistakes), "worst": worst}

    def tables(self) -> Sequence[Table]:
        """Return one row an image, right or wrong, and one row a mistake, the highest loss first."""
        rows = [
            (
                *(one.rank, one.image, self.ids[one.label], self.names[one.label], one.probability),
                *(self.ids[one.predicted], self.names[one.predicted], one.answers[0][1], one.loss),
            )
            for one in self.mistakes
        ]
        header = ("rank", "image", "true", "true_name", "true_probability", "predicted", "predicted_name")
        return *self.judged.tables(), Table("mistakes", (*header, "probability", "loss"), rows)


def make_mistakes(judged: Judged) -> Mistakes:
    """Return the wrongly classified images, the highest loss first; of equal losses in the order of the split."""
    rows = np.flatnonzero(judged.wrong)
    rows = rows[np.argsort(-judged.loss[rows], kind="stable")]
    found = tuple(_mistake(judged, rank, int(row)) for rank, row in enumerate(rows, start=1))
    return Mistakes(judged, found)


def _mistake(judged: Judged, rank: int, row: int) -> Mistake:
    label, values = int(judged.labels[row]), judged.probabilities[row]
    likeliest = np.argsort(-judged.predictions.logits[row], kind="stable")[:_ANSWERS]
    return Mistake(
        rank=rank,
        row=row,
        image=judged.predictions.image_ids[row],
        label=label,
        probability=float(values[label]),
        loss=float(judged.loss[row]),
        answers=tuple((int(to), float(values[to])) for to in likeliest),
    )
