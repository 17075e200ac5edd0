"""What was run, on what, and how well it does."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from thumbnet.metrics import Scores
from thumbnet.predictions import Predictions
from thumbnet.report.facts.table import Cell, Table
from thumbnet.report.subject import Subject


@dataclass(frozen=True)
class RunHeader:
    """The head of one run.

    Args:
        label: what the report calls the run.
        recipe: name of its recipe.
        state: 'complete', or as far as it got.
        steps: optimiser steps that it has made.
        split: the split that is judged; `None` where there is none.
        scores: on that split; `None` where there is none.
        views: scores on val with the test-time views that the recipe names, by 'name' and 'scores'; or `None`.
        best: the best epoch, by 'split', 'top1', 'top1_interval' and 'epoch'; `None` where the recipe chooses none.
        figures: `epochs`, `parameters`, `multiply_adds`, `train_seconds`, `total_seconds`, `images_per_second` and
            `peak_memory_bytes`, as far as the run states them.
        pretrained: whether its weights were pretrained.
        train_on: 'fit' or 'all'.
        device: type, name and count of CPUs of the last session.
        threads: CPU threads of the last session.
        versions: of the last session.
        commit: of thumbnet, in the first session; `None` where unknown.
        sessions: how often the run was started or resumed.
        data: `name`, `path`, `fingerprint`, `image_size` and `counts` of the data set, and its number of `classes`.
        command: the command line that started the run.
        again: the command line that runs it again, from its stored recipe.
    """

    label: str
    recipe: str
    state: str
    steps: int
    split: str | None
    scores: Scores | None
    views: Mapping[str, Any] | None
    best: Mapping[str, Any] | None
    figures: Mapping[str, float]
    pretrained: bool
    train_on: str
    device: Mapping[str, Any]
    threads: int | None
    versions: Mapping[str, str | None]
    commit: str | None
    sessions: int
    data: Mapping[str, Any]
    command: str
    again: str

    def to_json(self) -> dict[str, Any]:
        """Return all fields as JSON data; accuracies are fractions."""
        scores = None if self.scores is None else self.scores.to_json()
        return {**vars(self), "scores": scores, "figures": dict(self.figures), "versions": dict(self.versions)}


@dataclass(frozen=True)
class Header:
    """The heads of all runs of a report."""

    runs: tuple[RunHeader, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the heads as JSON data, in order."""
        return {"runs": [one.to_json() for one in self.runs]}

    def tables(self) -> Sequence[Table]:
        """Return one row a run, with its scores and its cost."""
        head = ("run", "recipe", "state", "split", "images", "top1", "top1_low", "top1_high", "top5", "nll", "ece")
        rows = []
        for one in self.runs:
            scores = one.scores
            judged: tuple[Cell, ...] = (None,) * 7
            if scores is not None:
                judged = (scores.images, scores.top1, *scores.top1_interval, scores.top5, scores.nll, scores.ece)
            costs = [one.figures.get(key) for key in _FIGURES]
            rows.append((one.label, one.recipe, one.state, one.split, *judged, *costs, one.data["fingerprint"]))
        return (Table("runs", (*head, *_FIGURES, "fingerprint"), rows),)


_FIGURES = (
    "epochs",
    "parameters",
    "multiply_adds",
    "train_seconds",
    "total_seconds",
    "images_per_second",
    "peak_memory_bytes",
)


def make_header(subjects: Sequence[Subject]) -> Header:
    """Return the heads of the runs.

    Raises:
        RunError: something stored is damaged.
    """
    return Header(tuple(_head(one) for one in subjects))


def _head(subject: Subject) -> RunHeader:
    run, data, result = subject.run, subject.data, subject.result or {}
    status, sessions = run.status(), run.sessions()
    judged = subject.judged if isinstance(subject.judged, Predictions) else None
    total = "" if status["total_steps"] is None else f" of {status['total_steps']:,}"
    complete = status["state"] == "complete"
    return RunHeader(
        label=subject.label,
        recipe=subject.recipe.name,
        state="complete" if complete else f"{status['state']} at step {status['step']:,}{total}",
        steps=status["step"],
        split=None if judged is None else judged.split,
        scores=None if judged is None else judged.scores(),
        views=result.get("views"),
        best=result.get("best"),
        figures={key: result[key] for key in _FIGURES if result.get(key) is not None},
        pretrained=subject.recipe.model.pretrained,
        train_on=subject.recipe.train_on,
        device=sessions[-1].get("device", {}),
        threads=sessions[-1].get("threads"),
        versions=sessions[-1].get("versions", {}),
        commit=sessions[0].get("commit"),
        sessions=len(sessions),
        data={key: data[key] for key in ("name", "path", "fingerprint", "image_size", "counts")}
        | {"classes": len(data["classes"])},
        command=sessions[0].get("command", ""),
        again=_again(subject),
    )


def _again(subject: Subject) -> str:
    words = ["thumbnet", "train", str(subject.run.recipe_path), "--data", str(subject.data["path"]), "--out"]
    return shlex.join([*words, f"{subject.run.path}-again"])
