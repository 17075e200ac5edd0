"""How training went, evaluation by evaluation and step by step."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from thumbnet.recipe import Recipe
from thumbnet.report.facts.table import Missing, Table
from thumbnet.report.subject import Subject

_EVALUATED = (
    "running_train_loss",
    "eval_train_loss",
    "holdout_loss",
    "val_loss",
    "running_train_top1",
    "eval_train_top1",
    "holdout_top1",
    "val_top1",
    "holdout_top5",
    "val_top5",
    "images_per_second",
    "lr",
)


@dataclass(frozen=True)
class PhaseChange:
    """The begin of a phase after the first.

    Args:
        phase: its number, from 2.
        step: the steps done before it.
        epoch: the epochs done before it.
        text: what is new in it.
    """

    phase: int
    step: int
    epoch: float
    text: str


@dataclass(frozen=True)
class RunCurves:
    """The curves of one run: its evaluations and its iterations, as stored, and where its phases begin."""

    label: str
    evaluations: Sequence[Mapping[str, Any]]
    iterations: Sequence[Mapping[str, Any]]
    changes: tuple[PhaseChange, ...]

    def series(self, key: str) -> list[tuple[float, float]]:
        """Return (epoch, value) of each evaluation that has the figure `key`."""
        return _pairs(self.evaluations, key)

    def steps(self, key: str) -> list[tuple[float, float]]:
        """Return (epoch, value) of each iteration that has the figure `key`."""
        return _pairs(self.iterations, key)


@dataclass(frozen=True)
class Curves:
    """The curves of all runs."""

    runs: tuple[RunCurves, ...]

    def to_json(self) -> dict[str, Any]:
        """Return each run's evaluations and phase changes; its iterations are in the table alone."""
        return {
            "runs": [
                {
                    "run": one.label,
                    "evaluations": [dict(row) for row in one.evaluations],
                    "iterations": len(one.iterations),
                    "phase_changes": [vars(change) for change in one.changes],
                }
                for one in self.runs
            ]
        }

    def tables(self) -> Sequence[Table]:
        """Return the evaluations and the iterations of all runs."""
        evaluations = [
            (one.label, row.get("step"), row.get("epoch"), *(row.get(key) for key in _EVALUATED))
            for one in self.runs
            for row in one.evaluations
        ]
        iterations = [
            (one.label, row.get("step"), row.get("epoch"), row.get("loss"), row.get("lr"))
            for one in self.runs
            for row in one.iterations
        ]
        return (
            Table("evaluations", ("run", "step", "epoch", *_EVALUATED), evaluations),
            Table("iterations", ("run", "step", "epoch", "loss", "lr"), iterations),
        )


def make_curves(subjects: Sequence[Subject]) -> Curves | Missing:
    """Return the curves of the runs, or that none has any."""
    runs = tuple(
        RunCurves(one.label, one.evaluations(), one.iterations(), phase_changes(one)) for one in subjects if one.rows
    )
    if not runs:
        return Missing("nothing was measured while training (a soup is not trained)")
    return Curves(runs)


def phase_changes(subject: Subject) -> tuple[PhaseChange, ...]:
    """Return where each phase after the first began, as far as the run got."""
    rows = subject.iterations()
    # A run that an older version began, and maybe this one resumed, has steps that do not state their phase.
    begins = _begins(rows) if all("phase" in row for row in rows) else _derived_begins(rows, subject.recipe)
    return tuple(
        PhaseChange(phase, before["step"], before["epoch"], _news(subject, phase - 1)) for phase, before in begins
    )


def _begins(rows: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the number of each phase that began after the first, and the row before it."""
    return [(row["phase"], before) for before, row in pairwise(rows) if row["phase"] != before["phase"]]


def _derived_begins(rows: Sequence[Mapping[str, Any]], recipe: Recipe) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the same of rows without phases.

    The steps of an epoch are not stored; they follow from the step at which a phase that is given in epochs ends.
    """
    begins: list[tuple[int, Mapping[str, Any]]] = []
    start, first_epoch = 0, 0
    for number, phase in enumerate(recipe.phases[:-1], start=2):
        if start >= len(rows):
            break
        row = rows[-1]
        if phase.length.unit == "epochs":
            row = _nearest(rows[start:], first_epoch + phase.length.amount * recipe.fraction)
        per_epoch = max(1, round((row["step"] - start) / (row["epoch"] - first_epoch)))
        end = start + max(1, round(phase.length.steps(per_epoch) * recipe.fraction))
        if end >= len(rows):
            break
        begins.append((number, rows[end - 1]))
        # A phase begins a new epoch, also after a part of one.
        start, first_epoch = end, math.ceil(rows[end - 1]["epoch"] - 1e-4)
    return begins


def _nearest(rows: Sequence[Mapping[str, Any]], epoch: float) -> Mapping[str, Any]:
    return min(rows, key=lambda row: abs(row["epoch"] - epoch))


def _news(subject: Subject, index: int) -> str:
    before, phase = subject.recipe.phases[index - 1 : index + 1]
    size, side = (one.image_size or subject.data["image_size"] for one in (phase, before))
    news = []
    if size != side:
        news.append(f"images of {size} pixels")
    if phase.trainable != before.trainable:
        news.append("all parameters train" if phase.trainable == "all" else "other parameters train")
    if phase.policies != before.policies and size == side:
        news.append("other augmentation")
    if phase.optimizer != before.optimizer:
        news.append("other optimiser")
    return f"phase {index + 1}" + (": " + ", ".join(news) if news else "")


def _pairs(rows: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    return [(float(row["epoch"]), float(row[key])) for row in rows if row.get(key) is not None and "epoch" in row]
