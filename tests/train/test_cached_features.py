"""Phases on cached features: the same results as from images, and what they refuse."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.features.helpers import shrink
from tests.helpers import CROP, FLIP, QUIET, evaluations_of
from tests.train.cached import NETWORK, folders, head_then_all, linear
from tests.train.helpers import trainer_of
from thumbnet import train
from thumbnet.data import RowBatches, training_subsets
from thumbnet.errors import RecipeError
from thumbnet.evaluate import predict_logits
from thumbnet.features import extraction
from thumbnet.features.extraction import FrozenBody, extract
from thumbnet.models import build_model, head_of
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipe import (
    Ema,
    Evaluation,
    Head,
    Loss,
    Model,
    Optimizer,
    Phase,
    Recipe,
    epochs,
    operation,
)
from thumbnet.run import RunDirectory
from thumbnet.train.state import load_weights
from thumbnet.train.trainer import Trainer
from thumbnet.watch import silent

CPU = torch.device("cpu")
IMAGES, HOLDOUT = 64, 8


@pytest.fixture
def _exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep features as float32."""
    monkeypatch.setattr(extract, "__kwdefaults__", {"dtype": "float32"})
    monkeypatch.setattr(FrozenBody.describe, "__defaults__", ("float32",))


def logits_of(run: RunDirectory, split: str) -> Any:
    return Predictions.load(run.predictions_path(split)).logits


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "ema": {"ema": Ema(0.7)},
    "clip_norm": {"clip_norm": 0.05},
    "label smoothing": {"loss": Loss(0.2)},
    "hidden layer and dropout": {"model": replace(NETWORK, head=Head(hidden=8, dropout=0.5))},
    "bf16, channels last": {"precision": "bf16", "channels_last": True},
    "part of the data, another size": {
        "train_count": 40,
        "phases": (Phase(epochs(3), image_size=40, trainable="head", cached_features=1),),
    },
    "momentum": {"optimizer": Optimizer("nesterov", lr=0.05)},
}


@pytest.mark.usefixtures("_exact")
@pytest.mark.parametrize("variant", VARIANTS)
def test_cached_features_train_as_images_do(
    out: Path, shapes: PackedDataset, options: train.Options, variant: str
) -> None:
    chosen = linear(1, **VARIANTS[variant])
    (phase,) = chosen.phases
    uncached = replace(chosen, phases=(replace(phase, cached_features=0),))
    cached = train.start(chosen, shapes, out, options)
    expected = train.start(uncached, shapes, out.with_name("uncached"), options)
    tolerance = 0.05 if chosen.precision == "bf16" else 1e-4
    for split in ("holdout", "val", "test"):
        np.testing.assert_allclose(logits_of(cached, split), logits_of(expected, split), atol=tolerance, rtol=1e-3)
    for row, other in zip(evaluations_of(cached), evaluations_of(expected), strict=True):
        assert row.keys() == other.keys()
        assert row["running_train_loss"] == pytest.approx(other["running_train_loss"], rel=max(tolerance, 1e-3))
        assert row["eval_train_loss"] == pytest.approx(other["eval_train_loss"], rel=max(tolerance, 1e-3))
        assert row["step"] == other["step"]
    trained = torch.load(cached.weights_path("last"), weights_only=True)
    first = torch.load(cached.weights_path("first"), weights_only=True)
    changed = {name for name in first if not torch.equal(first[name], trained[name])}
    head, _ = head_of(build_model(chosen.model, 4, 32))
    assert {name for name in changed if "num_batches" not in name} == {
        name for name in first if name.startswith(f"{head}.")
    }


def prepared(chosen: Recipe, shapes: PackedDataset, options: train.Options) -> Trainer:
    trainer = trainer_of(chosen, shapes, options.cache)
    trainer.enter(0)
    trainer.make_features(silent)
    return trainer


def test_each_epoch_takes_the_next_copy_and_each_image_once_under_each_policy(
    shapes: PackedDataset, options: train.Options
) -> None:
    phase = Phase(epochs(5), policies=(CROP[1:], (), CROP), trainable="head", cached_features=2)
    trainer = prepared(linear(2, phases=(phase,)), shapes, options)
    assert isinstance(trainer.batches, RowBatches)
    # Brightness and crops have two copies each, what draws nothing one, which judges train too; then val and test.
    assert len(folders(options)) == 2 + 2 + 1 + 2
    train_set = trainer.subsets["train"]
    per_epoch = trainer.plan.phases[0].steps_per_epoch
    seen = []
    for epoch in range(4):
        batches = [trainer.batch(epoch * per_epoch + index) for index in range(per_epoch)]
        rows, labels = torch.cat([row for row, _ in batches]), torch.cat([label for _, label in batches])
        copy = trainer.batches.copies[epoch % 2]
        expected = torch.cat([of_policy[train_set.positions].float() for of_policy in copy])
        order = [int(torch.nonzero((expected == row).all(1))[0, 0]) for row in rows]
        assert sorted(order) == list(range(3 * (IMAGES - HOLDOUT)))
        assert labels.tolist() == [int(train_set.labels[index % (IMAGES - HOLDOUT)]) for index in order]
        seen.append(order)
    assert len({tuple(order) for order in seen}) == 4
    copies = trainer.batches.copies
    assert not torch.equal(copies[0][0], copies[1][0])
    assert torch.equal(copies[0][1], copies[1][1])


def test_a_short_phase_makes_no_more_copies_than_it_has_epochs(shapes: PackedDataset, options: train.Options) -> None:
    phase = Phase(epochs(1.5), policies=(FLIP,), trainable="head", cached_features=9)
    trainer = prepared(linear(9, phases=(phase,)), shapes, options)
    assert isinstance(trainer.batches, RowBatches)
    assert len(trainer.batches.copies) == 2


def test_images_are_judged_by_features_while_only_heads_have_trained(
    out: Path, shapes: PackedDataset, options: train.Options
) -> None:
    run = train.start(head_then_all(), shapes, out, options)
    # Two policies of two copies, and train and val as they are judged; test is judged only at the end, from images.
    assert len(folders(options)) == 4 + 2
    model = build_model(run.recipe().model, 4, 32)
    load_weights(model, run.weights_path("last"))
    chosen = run.recipe()
    subsets = training_subsets(shapes, CPU, chosen)
    preprocessing = prepared(chosen, shapes, options).preprocessing
    for split in ("holdout", "val", "test"):
        subset = subsets[split]
        logits = predict_logits(model, subset.images, subset.positions, preprocessing)
        np.testing.assert_allclose(logits_of(run, split), logits, atol=1e-5)


def test_a_head_trained_after_the_body_takes_the_features_of_that_body(
    out: Path, shapes: PackedDataset, options: train.Options
) -> None:
    phases = (Phase(epochs(1)), Phase(epochs(2), trainable="head", cached_features=1))
    run = train.start(linear(1, phases=phases), shapes, out, options)
    model = build_model(NETWORK, 4, 32)
    load_weights(model, run.weights_path("last"))
    found = prepared(linear(1), shapes, options)
    subset = found.subsets["val"]
    logits = predict_logits(model, subset.images, subset.positions, found.preprocessing)
    np.testing.assert_allclose(logits_of(run, "val"), logits, atol=0.02)
    averaged = train.start(linear(1, phases=phases, ema=Ema(0.9)), shapes, out.with_name("averaged"), options)
    load_weights(model, averaged.weights_path("last"))
    logits = predict_logits(model, subset.images, subset.positions, found.preprocessing)
    np.testing.assert_allclose(logits_of(averaged, "val"), logits, atol=1e-5)


def test_a_second_run_finds_the_features(out: Path, shapes: PackedDataset, options: train.Options) -> None:
    train.start(linear(1), shapes, out, options)
    before = {place: (place / "features.npy").stat().st_mtime_ns for place in folders(options)}
    other = linear(1, seed=4, batch_size=8, optimizer=Optimizer("adam", lr=0.1), name="other")
    train.start(replace(other, seed=0), shapes, out.with_name("same body"), options)
    assert {place: (place / "features.npy").stat().st_mtime_ns for place in folders(options)} == before
    train.start(other, shapes, out.with_name("other body"), options)
    assert len(folders(options)) == 2 * len(before)


@pytest.mark.parametrize(
    "mixing", [operation("mixup", alpha=0.2), operation("cutmix", alpha=1.0)], ids=lambda one: one.name
)
def test_mixing_is_refused_before_anything_is_written(
    tmp_path: Path, out: Path, shapes: PackedDataset, mixing: Any
) -> None:
    phase = Phase(epochs(1), policies=((), (*FLIP, mixing)), trainable="head", cached_features=1)
    with pytest.raises(RecipeError, match=f"phases.0: {mixing.name} mixes the images of a batch.*cached_features=0"):
        train.start(linear(1, phases=(phase,)), shapes, out, replace(QUIET, cache=tmp_path / "cache"))
    assert list(tmp_path.iterdir()) == []


def test_progress_is_shown_and_nothing_when_features_are_found(
    out: Path, shapes: PackedDataset, options: train.Options, capsys: pytest.CaptureFixture[str]
) -> None:
    loud = replace(options, quiet=False)
    train.start(linear(1), shapes, out, loud)
    shown = capsys.readouterr().err.splitlines()
    for text in ("features of train: 64 of 64 images", "features of val: 20 of 20", "features of test: 8 of 8"):
        assert any(line.startswith(text) for line in shown), shown
    train.start(linear(1), shapes, out.with_name("again"), loud)
    assert "features" not in capsys.readouterr().err


def test_time_for_features_is_not_counted_as_training(
    out: Path, shapes: PackedDataset, options: train.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounded, clock, batches = extraction._rounded, time.perf_counter, 0

    def take_an_hour(*arguments: Any) -> Any:
        nonlocal batches
        batches += 1
        return rounded(*arguments)

    monkeypatch.setattr("thumbnet.features.extraction._rounded", take_an_hour)
    monkeypatch.setattr("thumbnet.train.loop.time.perf_counter", lambda: clock() + 3600 * batches)
    result = train.start(linear(1), shapes, out, options).result()
    assert result["train_seconds"] < 3600
    assert 3 * 3600 <= 3600 * batches < result["total_seconds"]
    assert result["images_seen"] == 3 * (IMAGES - HOLDOUT)


def test_real_weights_give_the_same_from_features_and_from_images(
    out: Path, shapes: PackedDataset, options: train.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, batch=8, chunk=16)
    lite = Model("timm/tf_efficientnet_lite0", weights="package")
    chosen = linear(
        1,
        model=lite,
        preprocessing="network",
        phases=(Phase(epochs(4), image_size=64, trainable="head", cached_features=1),),
        evaluation=Evaluation(splits=("val",), train_images=0, image_size=64),
    )
    cached = train.start(chosen, shapes, out, options)
    uncached = replace(chosen, phases=(replace(chosen.phases[0], cached_features=0),))
    expected = train.start(uncached, shapes, out.with_name("uncached"), options)
    found, other = logits_of(cached, "val"), logits_of(expected, "val")
    assert np.abs(found - other).max() < 0.02 * other.std()
    np.testing.assert_array_equal(found.argmax(-1), other.argmax(-1))
    assert cached.result()["scores"]["val"]["top1"] > 0.5


def test_dropout_inside_the_body_is_the_difference(out: Path, shapes: PackedDataset, options: train.Options) -> None:
    dropping = replace(NETWORK, options={"drop_rate": 0.5})
    found = [
        evaluations_of(train.start(linear(copies, model=dropping), shapes, out.with_name(str(copies)), options))
        for copies in (0, 1)
    ]
    differences = [abs(a["running_train_loss"] - b["running_train_loss"]) for a, b in zip(*found, strict=True)]
    assert max(differences) > 1e-3
