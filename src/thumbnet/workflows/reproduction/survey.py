"""What running rows would mean: how far each one is, and how long what is left is expected to take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from thumbnet.errors import ThumbnetError
from thumbnet.recipe import Recipe
from thumbnet.workflows.estimate import DataShape, plan_for
from thumbnet.workflows.reproduction.runs import Look, make_task
from thumbnet.workflows.running import open_run_of


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


def survey(
    names: Sequence[str], look: Look, shape: DataShape, out: Path, expect: Callable[[Recipe], float | None]
) -> list[Pending]:
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
    expect: Callable[[Recipe], float | None],
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


def _left(runs: Sequence[_Run], expect: Callable[[Recipe], float | None]) -> float | None:
    """Return the seconds that what is left of `runs` is expected to take; `None` where that is not known of one."""
    seconds = 0.0
    for run in runs:
        whole = expect(run.recipe)
        if whole is None:
            return None
        seconds += whole * (1 - run.step / run.steps)
    return seconds
