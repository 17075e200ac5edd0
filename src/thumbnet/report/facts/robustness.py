"""Accuracy on corrupted images against the clean figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thumbnet import metrics
from thumbnet.analyses import Robustness, read
from thumbnet.report.facts.places import ids_of
from thumbnet.report.facts.table import Cell, Missing, Table
from thumbnet.report.subject import Subject


@dataclass(frozen=True)
class CorruptedCell:
    """One corruption at one severity (from 1): parameter, accuracy, its 95% interval and the right answers."""

    corruption: str
    severity: int
    parameter: float
    accuracy: float
    interval: tuple[float, float]
    correct: int


@dataclass(frozen=True, eq=False)
class Corrupted:
    """What the network says of corrupted images.

    Args:
        found: as it is stored.
        images: ids of the judged images.
        ids: of all classes.
    """

    found: Robustness
    images: Sequence[str]
    ids: Sequence[str]

    @property
    def clean(self) -> metrics.Accuracy:
        """The accuracy without corruption."""
        return self.found.clean_accuracy()

    def cells(self) -> list[CorruptedCell]:
        """Return what is computed, corruption by corruption, mildest first."""
        return [self._cell(row, column) for row, column in np.argwhere(self.found.is_computed()).tolist()]

    def _cell(self, row: int, column: int) -> CorruptedCell:
        found, parameter = self.found.cell(row, column), self.found.parameters[row][column]
        name = self.found.corruptions[row]
        return CorruptedCell(name, column + 1, parameter, found.top1, found.top1_interval, found.correct)

    def mean(self) -> float | None:
        """Return the mean accuracy over all corruptions and severities; `None` where one is not computed."""
        return self.found.mean_accuracy() if self.found.is_complete else None

    def to_json(self) -> dict[str, Any]:
        """Return every cell and the clean figure; accuracies are fractions."""
        return {
            "split": self.found.subset,
            "images": len(self.images),
            "definition": self.found.definition,
            "seed": self.found.seed,
            "clean": self.clean.top1,
            "clean_interval": list(self.clean.top1_interval),
            "mean": self.mean(),
            "complete": self.found.is_complete,
            "cells": [{**vars(one), "interval": list(one.interval)} for one in self.cells()],
        }

    def tables(self) -> Sequence[Table]:
        """Return one row a corruption and severity, and one an image with the answer to each of them."""
        total = len(self.images)
        cells: list[tuple[Cell, ...]] = [
            (one.corruption, one.severity, one.parameter, total, one.correct, one.accuracy, *one.interval)
            for one in self.cells()
        ]
        header = ("corruption", "severity", "parameter", "images", "correct", "accuracy", "low", "high")
        answers = np.array([self.found.labels, self.found.clean, *self.found.predicted[self.found.is_computed()]])
        names = np.array(self.ids, dtype=object)[answers.T].tolist()
        columns = [f"{one.corruption}_{one.severity}" for one in self.cells()]
        rows = [(image, *row) for image, row in zip(self.images, names, strict=True)]
        return [
            Table("robustness", header, cells),
            Table("robustness-images", ("image", "true", "clean", *columns), rows),
        ]


def make_corrupted(subject: Subject) -> Corrupted | Missing:
    """Return what the network of a run says of corrupted images, or why that is not known."""
    found = read(subject.run, Robustness, subject.origin)
    if found is None or not found.is_computed().any():
        return subject.not_analyzed("figures on corrupted images", "robustness")
    return Corrupted(found, ids_of(subject, found.split, found.positions), subject.run.class_ids())
