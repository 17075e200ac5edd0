"""Snapshots: one at each new best, at most so many, and the same ones after any kill."""

import random
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers import (
    NO_CHECKPOINTS,
    QUIET,
    assert_same_results,
    evaluations_of,
    short_recipe,
    stored_files,
    varied_recipe,
)
from tests.stopping import EVERY_STEP, go_on_in_a_process
from tests.train.helpers import trainer_of
from thumbnet import train
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipe import Checkpointing, Evaluation, Optimizer, Phase, Recipe, epochs, iterations
from thumbnet.run import RunDirectory, Snapshot, snapshot_tag
from thumbnet.train.state import load_tensors, restore_state, save_state
from thumbnet.workflows.judging import judge
from thumbnet.workflows.stored import How


def recipe(kept: int, **changes: Any) -> Recipe:
    """A run that improves often: it is judged every second step."""
    return short_recipe(
        optimizer=Optimizer("adamw", lr=0.01),
        phases=(Phase(epochs(6)),),
        evaluation=Evaluation(every=iterations(2), splits=("holdout", "val"), train_images=0),
        checkpointing=Checkpointing(snapshots=kept, filters=()),
        selected_on="val",
        **changes,
    )


def expected_snapshots(run: RunDirectory, kept: int) -> list[Snapshot]:
    """Return what the metrics say must be kept."""
    best, found = -1.0, []
    for row in evaluations_of(run):
        if row["val_top1"] > best:
            best = row["val_top1"]
            found.append(Snapshot(row["step"], row["epoch"], best))
    return found[-kept:]


def files_of(snapshots: list[Snapshot]) -> list[str]:
    tags = [one.tag for one in snapshots]
    return sorted(
        [f"checkpoints/{tag}.pt" for tag in tags]
        + [f"predictions/{tag}.{split}.npz" for tag in tags for split in ("holdout", "val")]
    )


@pytest.fixture(scope="module")
def many(shapes: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run that keeps every snapshot."""
    return train.start(recipe(99), shapes, tmp_path_factory.mktemp("many") / "run", QUIET)


def test_a_snapshot_is_kept_at_each_new_best(many: RunDirectory) -> None:
    expected = expected_snapshots(many, 99)
    assert len(expected) >= 4
    assert many.snapshots() == expected
    assert [name for name in stored_files(many) if "snapshot" in name] == files_of(expected)
    assert many.weights_tags() == ["first", *(one.tag for one in expected), "best", "last"]
    assert expected[-1].top1 == many.result()["best"]["top1"]


@pytest.mark.parametrize("kept", [1, 3])
def test_the_newest_replaces_the_oldest(kept: int, out: Path, shapes: PackedDataset, many: RunDirectory) -> None:
    run = train.start(recipe(kept), shapes, out, QUIET)
    assert run.snapshots() == many.snapshots()[-kept:] == expected_snapshots(run, kept)
    assert [name for name in stored_files(run) if "snapshot" in name] == files_of(run.snapshots())


def test_as_many_are_kept_without_checkpoints(out: Path, shapes: PackedDataset, many: RunDirectory) -> None:
    run = train.start(recipe(2), shapes, out, NO_CHECKPOINTS)
    assert run.snapshots() == many.snapshots()[-2:]
    assert [name for name in stored_files(run) if "snapshot" in name] == files_of(run.snapshots())


def test_a_snapshot_holds_the_network_and_what_it_says(many: RunDirectory, shapes: PackedDataset) -> None:
    rows = {row["step"]: row for row in evaluations_of(many)}
    for snapshot in many.snapshots():
        for split in ("holdout", "val"):
            stored = Predictions.load(many.predictions_path(split, snapshot))
            assert (stored.split, stored.classes) == (split, tuple(info.id for info in shapes.classes))
            assert stored.scores().top1 == rows[snapshot.step][f"{split}_top1"]
            assert stored.scores().nll == pytest.approx(rows[snapshot.step][f"{split}_loss"])
            judged = judge(many, split, How(weights=snapshot.tag))
            np.testing.assert_allclose(stored.logits, judged.logits, rtol=1e-4, atol=1e-5)
            assert stored.image_ids == judged.image_ids
            assert stored.provenance == {
                **judged.provenance,
                "step": snapshot.step,
                "epoch": snapshot.epoch,
                "top1": snapshot.top1,
            }
    best = torch.load(many.weights_path("best"), weights_only=True)
    newest = torch.load(many.weights_path(many.snapshots()[-1].tag), weights_only=True)
    assert all(torch.equal(newest[name], best[name]) for name in best)


def test_none_are_kept_unless_asked_for(short_run: RunDirectory) -> None:
    assert short_run.snapshots() == []


@pytest.fixture(scope="module")
def averaged() -> Recipe:
    """A recipe with an averaged network, which is the one that is kept."""
    return replace(
        varied_recipe(),
        selected_on="val",
        evaluation=Evaluation(every=iterations(1), splits=("val",), train_images=0),
        checkpointing=Checkpointing(snapshots=2, filters=()),
    )


@pytest.fixture(scope="module")
def reference(averaged: Recipe, shapes: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    run = train.start(averaged, shapes, tmp_path_factory.mktemp("reference") / "run", EVERY_STEP)
    assert len(run.snapshots()) == 2
    assert len(expected_snapshots(run, 99)) > 2
    return run


def test_a_run_killed_while_snapshots_are_written_keeps_the_same(
    out: Path, shapes: PackedDataset, averaged: Recipe, reference: RunDirectory
) -> None:
    # Before and within the first snapshot's files, and at the removal of one that was replaced.
    arguments = (out, averaged, shapes.path, EVERY_STEP)
    for moment in (1, 4, 6, 11, 14):
        assert go_on_in_a_process(*arguments, moment=moment, mark="snapshot-") == -signal.SIGKILL
    assert go_on_in_a_process(*arguments) == 0
    assert_same_results(RunDirectory.open(out), reference)
    assert RunDirectory.open(out).snapshots() == reference.snapshots()


def test_a_run_killed_at_random_keeps_the_same(
    out: Path, shapes: PackedDataset, averaged: Recipe, reference: RunDirectory
) -> None:
    chance = random.Random(3)
    arguments = (out, averaged, shapes.path, EVERY_STEP)
    kills = [go_on_in_a_process(*arguments, moment=chance.randint(30, 120)) != 0 for _ in range(4)]
    assert any(kills)
    assert go_on_in_a_process(*arguments) == 0
    assert_same_results(RunDirectory.open(out), reference)


def test_a_snapshot_that_no_checkpoint_knows_is_removed(out: Path, shapes: PackedDataset, averaged: Recipe) -> None:
    # Killed at the rename of the second snapshot's predictions, before the checkpoint that would know of it.
    arguments = (out, averaged, shapes.path, EVERY_STEP)
    known = load_snapshots_when_killed(arguments, out)
    run = RunDirectory.open(out)
    assert {snapshot_tag(step) for step in known} < set(run.weights_tags())
    run.keep_snapshots(known)
    assert [snapshot.step for snapshot in run.snapshots()] == list(known)
    assert [name for name in stored_files(run) if "/snapshot" in name] == [
        *(f"checkpoints/{snapshot_tag(step)}.pt" for step in known),
        *(f"predictions/{snapshot_tag(step)}.val.npz" for step in known),
    ]


def load_snapshots_when_killed(arguments: tuple[Any, ...], out: Path) -> tuple[int, ...]:
    assert go_on_in_a_process(*arguments, moment=9, mark="snapshot-") == -signal.SIGKILL
    known = tuple(load_tensors(RunDirectory.open(out).state_path)["snapshots"])
    assert len(known) == 1
    return known


def test_checkpoints_from_before_snapshots_still_restore(out: Path, shapes: PackedDataset) -> None:
    trainer = trainer_of(short_recipe(), shapes)
    trainer.enter(0)
    save_state(trainer.state, out)
    old = load_tensors(out)
    assert old.pop("snapshots") == []
    restore_state(trainer.state, old, out)
    assert trainer.state.snapshots == ()
