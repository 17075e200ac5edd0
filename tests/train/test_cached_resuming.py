"""Runs on cached features that are stopped or killed at any moment end with the same bits."""

import contextlib
import random
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import QUIET, assert_same_results
from tests.stopping import go_on_in_a_process, interrupt_after
from tests.train.cached import folders, head_then_all, linear
from thumbnet import train
from thumbnet.errors import DataError
from thumbnet.features import extraction
from thumbnet.packed import PackedDataset
from thumbnet.run import RunDirectory


@pytest.fixture(scope="module")
def reference(shapes: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """The run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("reference")
    return train.start(head_then_all(), shapes, folder / "run", replace(QUIET, cache=folder / "cache"))


@pytest.fixture
def options(options: train.Options) -> train.Options:
    """Options with a cache of their own and a checkpoint after every step."""
    return replace(options, checkpoint_seconds=0)


def test_a_run_killed_again_and_again_ends_the_same(
    out: Path, shapes: PackedDataset, options: train.Options, reference: RunDirectory
) -> None:
    chance = random.Random(3)
    arguments = (out, head_then_all(), shapes.path, options)
    # The first kills fall into the extraction: a folder of features is made in about 20 file events.
    moments = [(chance.randint(1, 15), "cache") for _ in range(4)] + [(chance.randint(30, 120), "") for _ in range(4)]
    kills = [go_on_in_a_process(*arguments, moment=moment, mark=mark) for moment, mark in moments]
    assert kills.count(-signal.SIGKILL) >= 6
    assert set(kills) <= {0, -signal.SIGKILL}
    assert go_on_in_a_process(*arguments) == 0
    assert_same_results(RunDirectory.open(out), reference)


def test_a_run_stopped_while_features_are_computed_ends_the_same(
    out: Path, shapes: PackedDataset, options: train.Options, reference: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounded, batches = extraction._rounded, 0

    def interrupt_at_the_fifth(*arguments: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches == 5:
            signal.raise_signal(signal.SIGINT)
        return rounded(*arguments)

    monkeypatch.setattr("thumbnet.features.extraction._rounded", interrupt_at_the_fifth)
    with pytest.raises(train.Interrupted, match=r"stopped after iteration 0 of 14; go on with: thumbnet resume"):
        train.start(head_then_all(), shapes, out, options)
    monkeypatch.undo()
    run = RunDirectory.open(out)
    assert run.status()["state"] == "interrupted"
    train.resume(run, shapes, options)
    assert_same_results(run, reference)


@pytest.mark.parametrize("steps", [1, 9, 10, 11, 14])
def test_a_run_stopped_after_any_step_ends_the_same(
    out: Path,
    shapes: PackedDataset,
    options: train.Options,
    reference: RunDirectory,
    monkeypatch: pytest.MonkeyPatch,
    *,
    steps: int,
) -> None:
    interrupt_after(steps, monkeypatch)
    with pytest.raises(train.Interrupted) if steps < 14 else contextlib.nullcontext():
        train.start(head_then_all(), shapes, out, options)
    run = RunDirectory.open(out)
    train.resume(run, shapes, options)
    assert_same_results(run, reference)


def test_a_run_killed_before_its_last_word_ends_the_same(
    out: Path, shapes: PackedDataset, options: train.Options
) -> None:
    undisturbed = train.start(linear(1), shapes, out.with_name("undisturbed"), options)
    arguments = (out, linear(1), shapes.path, options)
    assert go_on_in_a_process(*arguments, moment=1, mark="predictions/.val") == -signal.SIGKILL
    assert not RunDirectory.open(out).is_complete
    assert go_on_in_a_process(*arguments) == 0
    assert_same_results(RunDirectory.open(out), undisturbed)


def test_damaged_features_stop_a_run_which_goes_on_without_them(
    out: Path, shapes: PackedDataset, options: train.Options
) -> None:
    undisturbed = train.start(linear(1), shapes, out.with_name("undisturbed"), options)
    place = folders(options)[0]
    with (place / "features.npy").open("r+b") as handle:
        handle.seek(1000)
        handle.write(b"damage")
    with pytest.raises(DataError, match=f"{place}: cached features that cannot be used .*; delete this folder"):
        train.start(linear(1), shapes, out, options)
    shutil.rmtree(place)
    assert_same_results(train.resume(RunDirectory.open(out), shapes, options), undisturbed)
