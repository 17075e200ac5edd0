"""What running rows would mean: how far each one is, and how long what is left is expected to take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from thumbnet import packed, records
from thumbnet.errors import ThumbnetError
from thumbnet.recipe import Recipe
from thumbnet.recipes import own_name
from thumbnet.workflows.estimate import TINY_IMAGENET, DataShape, estimate, plan_for, shape_of
from thumbnet.workflows.reproduction.lines import expected_times
from thumbnet.workflows.reproduction.measured import device_name
from thumbnet.workflows.reproduction.runs import Look, make_task
from thumbnet.workflows.running import Tell, open_run_of

Expect = Callable[[Recipe], float | None]
"""Gives the seconds that a whole recipe is expected to take, or `None`."""


@dataclass(frozen=True)
class Pending:
    """How far a row is, and what is left.

    Args:
        row: its name.
        state: 'new', 'unfinished' or 'complete'; of a study, all its runs together.
        folder: the run directory, or the study's folder; `None` where that could not be made.
        note: what sets the run apart from the row, in a few words.
        step: optimiser steps done.
        steps: optimiser steps in all.
        epochs: epochs in all.
        expected_seconds: time that what is left is expected to take, without runs that a row before it trains;
            `None` where unknown.
        problem: why it cannot run; '' where nothing is known to be wrong.
    """

    row: str
    state: Literal["new", "unfinished", "complete"]
    folder: Path | None = None
    note: str = ""
    step: int = 0
    steps: int | None = None
    epochs: float | None = None
    expected_seconds: float | None = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON data."""
        return vars(self) | {"folder": None if self.folder is None else str(self.folder)}


def shape_at(data: Path | None) -> DataShape:
    """Return the shape of the data at `data`, or at the default place, or of Tiny ImageNet where there is none.

    Raises:
        DataError: what is there is no packed data, or is damaged.
    """
    place = data or packed.default_path()
    return shape_of(packed.load(place)) if data is not None or place.exists() else TINY_IMAGENET


def timed(device: torch.device, shape: DataShape, tell: Tell) -> Expect:
    """Return a function that times a few steps of a recipe on `device`, once where several runs have it."""
    known: dict[str, float] = {}

    def expect(recipe: Recipe) -> float:
        if recipe.name not in known:
            tell(f"{recipe.name}: timing a few steps on this machine")
            known[recipe.name] = estimate(recipe, device, shape).seconds
        return known[recipe.name]

    return expect


def recorded_times(folder: Path | None, shape: DataShape) -> tuple[Expect, str]:
    """Return a function that looks a recipe's time up in the records of `folder`, and on which device that is.

    The times are Tiny ImageNet's, so none is known for data of another shape.

    Args:
        folder: of records; `None` takes those that come with thumbnet.
        shape: of the data.

    Raises:
        StorageError: there are no such records, or one is damaged.
    """
    known = records.load_all(folder or records.shipped_folder())
    times = expected_times(known) if shape == TINY_IMAGENET else None

    def expect(recipe: Recipe) -> float | None:
        seconds = None if times is None else times.figures.get(own_name(recipe.name))
        return None if seconds is None else float(seconds) * recipe.fraction

    return expect, "" if times is None else device_name(times.device)


def survey(names: Sequence[str], look: Look, shape: DataShape, out: Path, expect: Expect) -> list[Pending]:
    """Return how far each of the rows `names` is, and what is left; nothing is written.

    Args:
        names: rows.
        look: how they would run.
        shape: of the data that they would run on.
        out: folder of runs.
        expect: gives the seconds that a whole recipe is expected to take, or `None`.
    """
    counted: set[Path] = set()
    return [_pending(name, look, shape, out, expect=expect, counted=counted) for name in names]


def _pending(
    name: str,
    look: Look,
    shape: DataShape,
    out: Path,
    *,
    expect: Expect,
    counted: set[Path],
) -> Pending:
    """Return how far a row is, and add its runs to those that are counted."""
    found = Pending(name, "new")
    try:
        task = make_task(name, look, shape, out)
        found = replace(found, folder=task.folder, note=task.note)
        runs = {folder: _run(folder, recipe, shape) for folder, recipe in task.recipes.items()}
        found = replace(found, **_progress(list(runs.values())))
        left = [run for folder, run in runs.items() if not run.complete and folder not in counted]
        counted.update(runs)
        return replace(found, expected_seconds=None if found.state == "complete" else _left(left, expect))
    except ThumbnetError as error:
        return replace(found, problem=str(error))


@dataclass(frozen=True)
class _Run:
    """How far one run of a row is: optimiser steps done, and in all; epochs in all."""

    recipe: Recipe
    started: bool
    complete: bool
    step: int
    steps: int
    epochs: float


def _run(folder: Path, recipe: Recipe, shape: DataShape) -> _Run:
    plan = plan_for(recipe, shape)
    steps, epochs = plan.total_steps, sum(phase.steps / phase.steps_per_epoch for phase in plan.phases)
    if not folder.exists():
        return _Run(recipe, False, False, 0, steps, epochs)
    run = open_run_of(recipe, folder)
    return _Run(recipe, True, run.is_complete, steps if run.is_complete else int(run.status()["step"]), steps, epochs)


def _progress(runs: Sequence[_Run]) -> dict[str, Any]:
    """Return the state, steps and epochs of all `runs` together."""
    started, complete = any(run.started for run in runs), all(run.complete for run in runs)
    return {
        "state": "complete" if complete else "unfinished" if started else "new",
        "step": sum(run.step for run in runs),
        "steps": sum(run.steps for run in runs),
        "epochs": sum(run.epochs for run in runs),
    }


def expected_left(folder: Path, recipe: Recipe, shape: DataShape, expect: Expect) -> float | None:
    """Return the seconds that what is left of a run is expected to take; `None` where that is not known.

    Args:
        folder: of the run; nothing is there before it begins.
        recipe: of the run.
        shape: of the data that it trains on.
        expect: gives the seconds that a whole recipe is expected to take, or `None`.

    Raises:
        RunError: the folder holds another recipe's run, or none.
    """
    run = _run(folder, recipe, shape)
    return 0.0 if run.complete else _left([run], expect)


def _left(runs: Sequence[_Run], expect: Expect) -> float | None:
    """Return the seconds that what is left of `runs` is expected to take; `None` where that is not known of one."""
    seconds = 0.0
    for run in runs:
        whole = expect(run.recipe)
        if whole is None:
            return None
        seconds += whole * (1 - run.step / run.steps)
    return seconds
