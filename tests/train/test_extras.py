"""TensorBoard, compilation, what a person sees, and what a program does."""

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from torch._dynamo.exc import InternalTorchDynamoError

from tests.helpers import (
    NO_CHECKPOINTS,
    QUIET,
    assert_same_results,
    copy_of,
    evaluations_of,
    iterations_of,
    mtimes,
    short_recipe,
)
from tests.stopping import EVERY_STEP, killed_run
from thumbnet import train
from thumbnet.errors import TrainingError
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Evaluation, Phase, iterations
from thumbnet.run import RunDirectory
from thumbnet.train.progress import Live, Silent, reporting

MIRRORED = replace(EVERY_STEP, tensorboard=True)


def scalars(run: RunDirectory) -> dict[str, list[tuple[int, float]]]:
    """Return what TensorBoard itself reads from the run's event files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TensorBoard's own imports
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    accumulator = EventAccumulator(str(run.path / "tensorboard"))
    accumulator.Reload()
    return {
        tag: [(event.step, event.value) for event in accumulator.Scalars(tag)] for tag in accumulator.Tags()["scalars"]
    }


def test_tensorboard_holds_the_same_numbers(out: Path, shapes: PackedDataset) -> None:
    run = train.start(short_recipe(), shapes, out, MIRRORED)
    found = scalars(run)
    for row in run.metrics.read():
        for key, value in row.items():
            if isinstance(value, float) and key != "epoch":
                assert dict(found[f"{row['kind']}/{key}"])[row["step"]] == pytest.approx(value, rel=1e-6)
    assert len(found["iteration/loss"]) == 8
    assert {"evaluation/val_top1", "evaluation/running_train_top1", "evaluation/eval_train_top1"} <= set(found)


@pytest.fixture(scope="module")
def killed(shapes: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run with TensorBoard that was killed after a few of its steps; shared, so it must not be changed."""
    return killed_run(tmp_path_factory.mktemp("killed"), short_recipe(), shapes.path, MIRRORED)


def test_tensorboard_goes_on_with_a_resumed_run(killed: RunDirectory, out: Path, shapes: PackedDataset) -> None:
    run = train.resume(copy_of(killed, out), shapes, QUIET)
    losses = {row["step"]: row["loss"] for row in iterations_of(run)}
    assert dict(scalars(run)["iteration/loss"]) == pytest.approx(losses, rel=1e-6)


def test_missing_tensorboard_is_told_before_anything_is_written(
    killed: RunDirectory, out: Path, shapes: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copy_of(killed, out)
    before = mtimes(out)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    advice = r"^TensorBoard is not installed; pip install 'thumbnet\[tensorboard\]'$"
    with pytest.raises(TrainingError, match=advice):
        train.start(short_recipe(), shapes, out.with_name("new"), MIRRORED)
    assert not out.with_name("new").exists()
    with pytest.raises(TrainingError, match=advice):
        train.resume(run, shapes, QUIET)
    assert mtimes(out) == before
    assert train.start(short_recipe(), shapes, out.with_name("new"), QUIET).is_complete


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # of torch's own compiler
def test_a_compiled_run_is_near_to_an_eager_one(out: Path, shapes: PackedDataset) -> None:
    recipe = short_recipe(
        phases=(Phase(iterations(3)),), evaluation=Evaluation(every=iterations(3), splits=("val",), train_images=0)
    )
    eager = train.start(recipe, shapes, out.with_name("eager"), QUIET)
    compiled = train.start(replace(recipe, compile=True), shapes, out, QUIET)
    losses = [[row["loss"] for row in iterations_of(run)] for run in (eager, compiled)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert compiled.weights_tags() == eager.weights_tags()


def without_compiler(*_: object) -> NoReturn:
    raise RuntimeError("No working C++ compiler found\nin the path")


def cannot_trace(*_: object, **__: object) -> NoReturn:
    raise InternalTorchDynamoError("No way to trace\nthis network")


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # of torch's own compiler
@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (partial(torch.compile, backend=without_compiler), r".*No working C\+\+ comp.*"),
        (lambda _: cannot_trace, "No way to trace this network"),
    ],
)
def test_a_network_that_cannot_be_compiled_is_one_line(
    out: Path, shapes: PackedDataset, broken: object, reason: str, *, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", broken)
    advice = rf"^the network cannot be compiled here \({reason}\); train anew with --set compile=false$"
    with pytest.raises(TrainingError, match=advice) as caught:
        train.start(short_recipe(compile=True), shapes, out, QUIET)
    status = RunDirectory.open(out).status()
    assert (status["state"], status["step"], status["message"]) == ("failed", 0, str(caught.value))
    assert train.start(short_recipe(), shapes, out.with_name("eager"), QUIET).is_complete


def test_plain_lines_where_there_is_no_terminal(
    out: Path, shapes: PackedDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    train.start(short_recipe(), shapes, out, replace(QUIET, quiet=False))
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch 1", "epoch 2"]
    for part in ("loss ", "train (running) ", "train (eval) ", "holdout ", "val ", "images/s"):
        assert part in lines[0]
    assert captured.out == ""


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_moves_within_an_epoch(out: Path, shapes: PackedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, float | None]] = []

    class Watching(Silent):
        def step(self, step: int, epoch: float, loss: float | None, images_per_second: float) -> None:
            assert images_per_second > 0
            assert 0 < epoch <= 2
            seen.append((step, loss))

    @contextlib.contextmanager
    def watching(_total: int, done: int) -> Iterator[Watching]:
        assert done == 0
        yield Watching()

    monkeypatch.setattr("thumbnet.train.session.reporting", watching)
    options = train.Options(device="cpu", threads=1)
    run = train.start(short_recipe(evaluation=Evaluation(splits=("val",), train_images=0)), shapes, out, options)
    steps = run.status()["total_steps"]
    # Every step moves the line; the loss is read where an evaluation waits for the device anyway.
    assert {step for step, _ in seen} == set(range(1, steps + 1))
    losses = {row["step"]: row["loss"] for row in run.metrics.read() if row["kind"] == "iteration"}
    known = {step: loss for step, loss in seen if loss is not None}
    assert steps in known
    assert all(losses[step] == loss for step, loss in known.items())


def test_a_live_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with reporting(100, 0, stream) as reporter:
        assert isinstance(reporter, Live)
        reporter.step(40, 1.25, 0.5, 1234.0)
        reporter.message("a note")
        reporter.features("features of val", 7, 20)
        reporter.features("features of val", 20, 20)
    text = stream.getvalue()
    assert "a note" in text
    assert "epoch 1.25" in text
    assert "loss 0.500" in text
    assert "1234 images/s" in text
    assert "features of val: 20 of 20 images" in text
    assert "7 of 20 images" not in text.rsplit("20 of 20", 1)[1]


def test_evaluations_are_handed_on_as_they_are_written(shapes: PackedDataset, out: Path) -> None:
    rows: list[Mapping[str, Any]] = []
    run = train.start(short_recipe(), shapes, out, replace(QUIET, on_evaluation=rows.append))
    assert [{"kind": "evaluation", **row} for row in rows] == evaluations_of(run)
    assert len(rows) == 2


def test_what_a_listener_raises_ends_the_run(shapes: PackedDataset, out: Path) -> None:
    def stop(row: Mapping[str, Any]) -> None:
        raise LookupError(row["step"])

    with pytest.raises(LookupError):
        train.start(short_recipe(), shapes, out, replace(QUIET, on_evaluation=stop))
    run = RunDirectory.open(out)
    assert len(evaluations_of(run)) == 1
    assert not run.is_complete


def test_without_checkpoints_a_stopped_run_begins_anew(shapes: PackedDataset, out: Path) -> None:
    def stop(row: Mapping[str, Any]) -> None:
        if row["step"] > 4:
            raise LookupError

    with pytest.raises(LookupError):
        train.start(short_recipe(), shapes, out, replace(NO_CHECKPOINTS, on_evaluation=stop))
    run = RunDirectory.open(out)
    assert not run.state_path.exists()
    whole = train.start(short_recipe(), shapes, out.parent / "whole", QUIET)
    assert_same_results(train.resume(run, shapes, NO_CHECKPOINTS), whole)
