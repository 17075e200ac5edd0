"""The promise of a run: stopped at any moment, by anything, it goes on and ends with the same bits."""

import random
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers import QUIET, assert_same_results, mtimes, short_recipe, stored_files, varied_recipe
from tests.stopping import EVERY_STEP, NO_TIME_CHECKPOINTS, go_on_in_a_process, interrupt_after
from thumbnet import train
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Checkpointing, Recipe
from thumbnet.run import RunDirectory
from thumbnet.run.metrics import MetricsFile
from thumbnet.train.hardware import describe_hardware
from thumbnet.train.trainer import Trainer, make_trainer

FIRST_FILE_OF_THE_RUN = 1
BEFORE_THE_FIRST_CHECKPOINT = 35


def recipe() -> Recipe:
    return replace(varied_recipe(), checkpointing=Checkpointing(keep=(1, 2), filters=(1, 2)))


@pytest.fixture(scope="module")
def reference(shapes: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """The run that nothing disturbed."""
    return train.start(recipe(), shapes, tmp_path_factory.mktemp("reference") / "run", EVERY_STEP)


def killed(out: Path, shapes: PackedDataset, moment: int) -> bool:
    """Go on with the run until its moment-th file event; return whether it came that far."""
    status = go_on_in_a_process(out, recipe(), shapes.path, EVERY_STEP, moment=moment)
    assert status in (0, -signal.SIGKILL)
    return status != 0


def test_a_run_killed_again_and_again_ends_the_same(out: Path, shapes: PackedDataset, reference: RunDirectory) -> None:
    chance = random.Random(20)
    moments = [FIRST_FILE_OF_THE_RUN, BEFORE_THE_FIRST_CHECKPOINT, *(chance.randint(30, 110) for _ in range(4))]
    kills = [killed(out, shapes, moment) for moment in moments]
    assert sum(kills) >= 5
    assert go_on_in_a_process(out, recipe(), shapes.path, EVERY_STEP) == 0
    assert_same_results(RunDirectory.open(out), reference)
    assert [name for name in stored_files(reference) if name.endswith((".tmp", "state.pt"))] == []


def test_a_run_killed_while_a_checkpoint_is_written_ends_the_same(
    out: Path, shapes: PackedDataset, reference: RunDirectory
) -> None:
    # A checkpoint opens its temporary file, sets its mode and renames it; a resumed run first removes a left one.
    # So these moments lie before the mode or the name of the first, second and second checkpoint of their process.
    for moment in (2, 6, 7):
        arguments = (out, recipe(), shapes.path, EVERY_STEP)
        assert go_on_in_a_process(*arguments, moment=moment, mark=".state.pt.") == -signal.SIGKILL
        assert len(list(out.glob("checkpoints/.state.pt.*.tmp"))) == 1
    assert go_on_in_a_process(out, recipe(), shapes.path, EVERY_STEP) == 0
    assert_same_results(RunDirectory.open(out), reference)


def test_metrics_are_on_the_disk_before_the_checkpoint_that_counts_on_them(
    out: Path, shapes: PackedDataset, disk: list[int | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    append = MetricsFile.append

    def append_then_tell(self: MetricsFile, *rows: Any) -> None:
        append(self, *rows)
        disk.append("rows")

    monkeypatch.setattr(MetricsFile, "append", append_then_tell)
    run = train.start(short_recipe(), shapes, out, EVERY_STEP)
    metrics, before = run.metrics.path.stat().st_ino, 0
    checkpoints = [place for place, made in enumerate(disk) if made == run.state_path.name]
    assert len(checkpoints) == 8
    for place in checkpoints:
        since = disk[before:place]
        assert "rows" in since
        assert metrics in since[len(since) - since[::-1].index("rows") :]
        before = place


def test_a_run_killed_at_moments_of_the_clock_ends_the_same(
    out: Path, shapes: PackedDataset, reference: RunDirectory
) -> None:
    chance = random.Random(7)
    longest, kills = 2.0, 0
    while kills < 2:
        if go_on_in_a_process(out, recipe(), shapes.path, EVERY_STEP, kill_after=chance.uniform(0, longest)) != 0:
            kills += 1
        else:  # the run was over before the kill: begin anew, and kill sooner on so fast a machine
            shutil.rmtree(out)
            longest, kills = longest / 2, 0
            assert longest > 0.01
    assert go_on_in_a_process(out, recipe(), shapes.path, EVERY_STEP) == 0
    assert_same_results(RunDirectory.open(out), reference)


# The first step, an evaluation, before, at and after the change of phase, within an epoch, and the last but one.
@pytest.mark.parametrize("steps", [1, 3, 5, 6, 7, 11, 12])
def test_a_run_stopped_after_steps_of_every_kind_ends_the_same(
    out: Path, shapes: PackedDataset, reference: RunDirectory, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_after(steps, monkeypatch)
    with pytest.raises(train.Interrupted, match=f"stopped after iteration {steps} of 13; go on with: thumbnet resume"):
        train.start(recipe(), shapes, out, NO_TIME_CHECKPOINTS)
    run = RunDirectory.open(out)
    assert run.status() == {"state": "interrupted", "step": steps, "total_steps": 13, "message": "stopped on request"}
    train.resume(run, shapes, NO_TIME_CHECKPOINTS)
    assert_same_results(run, reference)


def test_a_run_stopped_before_its_first_step_ends_the_same(
    out: Path, shapes: PackedDataset, reference: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = make_trainer

    def interrupt_then_make(*arguments: Any, **named: Any) -> Trainer:
        signal.raise_signal(signal.SIGINT)
        return make(*arguments, **named)

    monkeypatch.setattr("thumbnet.train.session.make_trainer", interrupt_then_make)
    with pytest.raises(train.Interrupted, match="stopped after iteration 0 of 13"):
        train.start(recipe(), shapes, out, QUIET)
    monkeypatch.undo()
    run = RunDirectory.open(out)
    train.resume(run, shapes, QUIET)
    assert_same_results(run, reference)


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bf16", "channels_last": True},
        {"precision": "fp16", "clip_norm": 0.5},
    ],
    ids=str,
)
def test_other_precisions_resume_exactly(out: Path, shapes: PackedDataset, changes: dict[str, object]) -> None:
    chosen = short_recipe(**changes)
    undisturbed = train.start(chosen, shapes, out.with_name("undisturbed"), QUIET)
    for moment in (70, 70):
        assert go_on_in_a_process(out, chosen, shapes.path, EVERY_STEP, moment=moment) == -signal.SIGKILL
    assert go_on_in_a_process(out, chosen, shapes.path, EVERY_STEP) == 0
    assert_same_results(RunDirectory.open(out), undisturbed)


def test_a_complete_run_is_returned_as_it_is(out: Path, shapes: PackedDataset) -> None:
    run = train.start(short_recipe(), shapes, out, QUIET)
    before = {name: (run.path / name).stat().st_mtime_ns for name in stored_files(run)}
    run.state_path.write_bytes(b"left by a kill after the last word")
    assert train.resume(run, shapes, QUIET) == run
    assert {name: (run.path / name).stat().st_mtime_ns for name in stored_files(run)} == before


def test_a_run_that_another_process_ends_meanwhile_is_left_as_it_is(
    out: Path, shapes: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_after(3, monkeypatch)
    with pytest.raises(train.Interrupted):
        train.start(short_recipe(), shapes, out, QUIET)
    run = RunDirectory.open(out)
    before: dict[Path, int] = {}

    def end_then_describe(device: torch.device) -> dict[str, Any]:
        if not run.is_complete:
            assert go_on_in_a_process(out, short_recipe(), shapes.path) == 0
            before.update(mtimes(out))
        return describe_hardware(device)

    monkeypatch.setattr("thumbnet.train.session.describe_hardware", end_then_describe)
    assert train.resume(run, shapes, QUIET) == run
    assert {path: time for path, time in mtimes(out).items() if path.name not in (out.name, ".lock")} == {
        path: time for path, time in before.items() if path.name not in (out.name, ".lock")
    }
    assert len(run.sessions()) == 2
