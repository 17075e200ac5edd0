"""How far rows are and what is left of them, without running anything."""

import json
from pathlib import Path

import pytest

from thumbnet.recipe import Recipe
from thumbnet.run import RunDirectory
from thumbnet.workflows.estimate import TINY_IMAGENET, DataShape
from thumbnet.workflows.reproduction.runs import Look, make_task
from thumbnet.workflows.reproduction.survey import Pending, survey

ROW = "mkrtchyan-m1"
STEPS = 15_640


def minutes(recipe: Recipe) -> float:
    """A run takes an hour, or the part of it that is trained."""
    return 3600 * recipe.fraction


def begun(out: Path, look: Look, state: str, step: int) -> None:
    """Write the folder of a run of `ROW` that is so far."""
    task = make_task(ROW, look, TINY_IMAGENET, out)
    (recipe,) = task.recipes.values()
    run = RunDirectory.create(task.folder, recipe, {}, {}, "a test")
    if state == "complete":
        run.write_status("complete", step, step)
    else:
        run.write_status("interrupted", step, STEPS)


def found(out: Path, *names: str, look: Look | None = None) -> list[Pending]:
    return survey(names, look or Look(), TINY_IMAGENET, out, minutes)


def test_a_new_row_is_all_to_do(tmp_path: Path) -> None:
    (pending,) = found(tmp_path / "runs", ROW)
    assert pending == Pending(ROW, "new", tmp_path / "runs" / ROW, "", 0, STEPS, 20.0, 3600.0, "")
    assert list(tmp_path.iterdir()) == []
    assert json.loads(json.dumps(pending.to_json())) == {
        "row": ROW,
        "state": "new",
        "folder": str(tmp_path / "runs" / ROW),
        "note": "",
        "step": 0,
        "steps": STEPS,
        "epochs": 20.0,
        "expected_seconds": 3600.0,
        "problem": "",
    }


def test_of_an_unfinished_row_the_rest_is_to_do(tmp_path: Path) -> None:
    begun(tmp_path, Look(), "interrupted", STEPS // 4)
    (pending,) = found(tmp_path, ROW)
    assert (pending.state, pending.step, pending.expected_seconds) == ("unfinished", STEPS // 4, 2700.0)
    # A quick look is another run, in a folder of its own.
    (quick,) = found(tmp_path, ROW, look=Look(fraction=0.1))
    assert (quick.state, quick.steps) == ("new", STEPS // 10)
    assert quick.expected_seconds == pytest.approx(360.0)
    assert quick.folder == tmp_path / f"{ROW}@0.1"
    assert quick.note == "a quick look, 0.1 of the full length"


def test_of_a_complete_row_nothing_is_to_do(tmp_path: Path) -> None:
    begun(tmp_path, Look(epochs=5), "complete", STEPS // 4)
    (pending,) = found(tmp_path, ROW, look=Look(fraction=0.25))
    assert (pending.state, pending.step, pending.steps) == ("complete", STEPS // 4, STEPS // 4)
    assert pending.expected_seconds is None


def test_runs_that_rows_share_are_counted_once(tmp_path: Path) -> None:
    ensemble, member = "hansen-ensemble", "hansen-prelu-development"
    assert [one.expected_seconds for one in found(tmp_path, member, ensemble)] == [3600.0, 3 * 3600.0]
    assert [one.expected_seconds for one in found(tmp_path, ensemble, member)] == [4 * 3600.0, 0.0]
    assert [one.expected_seconds for one in found(tmp_path, ensemble)] == [4 * 3600.0]


def test_unknown_times_stay_unknown(tmp_path: Path) -> None:
    (pending,) = survey([ROW], Look(), TINY_IMAGENET, tmp_path, lambda _: None)
    assert (pending.steps, pending.expected_seconds) == (STEPS, None)


def test_what_keeps_a_row_from_running_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    few = DataShape(train=50, holdout=5, val=10, test=10, image_size=64, classes=5)
    heart, fine = survey(["ma-overfit-scratch", ROW], Look(), few, tmp_path, minutes)
    assert heart.problem == "train_count: 100 images where there are 50 to train on; lower it"
    assert heart.expected_seconds is None
    assert (fine.problem, fine.steps) == ("", 20)
    (tmp_path / ROW).mkdir()
    (taken,) = found(tmp_path, ROW)
    assert "not a run directory" in taken.problem
