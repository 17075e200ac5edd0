"""Short recipes, and runs to copy and compare."""

import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.program import untimed

from thumbnet import train
from thumbnet.predictions import Predictions
from thumbnet.recipe import (
    Ema,
    Evaluation,
    Model,
    Optimizer,
    Phase,
    Recipe,
    Schedule,
    epochs,
    iterations,
    operation,
)
from thumbnet.run import RunDirectory

QUIET = train.Options(device="cpu", threads=1, quiet=True)
NO_CHECKPOINTS = replace(QUIET, checkpoint_seconds=None)

FLIP = (operation("horizontal_flip"),)
CROP = (operation("translate_crop", padding=3), operation("brightness", amount=0.3))


def short_recipe(**changes: Any) -> Recipe:
    """Return a recipe of two epochs of a network of a few hundred parameters, with `changes`."""
    recipe = Recipe(
        name="short",
        model=Model("small", {"width": 4}),
        optimizer=Optimizer("nesterov", lr=0.05),
        phases=(Phase(epochs(2)),),
        batch_size=16,
        evaluation=Evaluation(splits=("holdout", "val"), train_images=16),
    )
    return replace(recipe, **changes)


def varied_recipe() -> Recipe:
    """Return a short recipe with all that a resumed run could get wrong.

    Two phases of different size, trainable parts and optimiser, two policies, dropout, batch norm, an average, and a
    schedule over both phases.
    """
    return short_recipe(
        name="varied",
        model=Model("timm/test_resnet", {"drop_rate": 0.3}),
        optimizer=Optimizer("adamw", lr=0.003, weight_decay=0.01, no_decay="norm_and_bias"),
        phases=(
            Phase(iterations(6), policies=(FLIP, CROP), image_size=24, trainable=("layer4.*", "fc.*", "bn1.*")),
            Phase(iterations(7), policies=(CROP, ((operation("mixup", alpha=0.4)),))),
        ),
        schedule=Schedule("one_cycle"),
        evaluation=Evaluation(every=iterations(3), splits=("holdout", "val"), train_images=16),
        ema=Ema(decay=0.8),
        selected_on="holdout",
    )


def copy_of(run: RunDirectory, folder: Path) -> RunDirectory:
    """Return a copy of a run in `folder`, to be changed."""
    return RunDirectory(shutil.copytree(run.path, folder))


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let `os.stat` refuse all in `folder`, as it does in another user's; the system itself refuses root nothing."""
    real = os.stat

    def refuse(path: Any, *options: Any, **more: Any) -> os.stat_result:
        if not isinstance(path, int) and folder in Path(os.fsdecode(path)).parents:
            raise PermissionError(errno.EACCES, "Permission denied", os.fsdecode(path))
        return real(path, *options, **more)

    monkeypatch.setattr(os, "stat", refuse)


def mtimes(folder: Path) -> dict[Path, int]:
    """Return when each file and folder below `folder` was last changed, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def assert_same_results(run: RunDirectory, reference: RunDirectory) -> None:
    """Check that two complete runs hold the same bits, but for the figures that are timings."""
    assert run.is_complete
    assert reference.is_complete
    assert stored_files(run) == stored_files(reference)
    for tag in reference.weights_tags():
        expected = torch.load(reference.weights_path(tag), weights_only=True)
        found = torch.load(run.weights_path(tag), weights_only=True)
        assert list(found) == list(expected)
        assert [name for name in expected if not torch.equal(found[name], expected[name])] == [], tag
    for file in sorted((reference.path / "filters").iterdir()):
        np.testing.assert_array_equal(np.load(run.path / "filters" / file.name), np.load(file))
    for file in sorted((reference.path / "predictions").iterdir()):
        found_predictions = Predictions.load(run.path / "predictions" / file.name)
        expected_predictions = Predictions.load(file)
        np.testing.assert_array_equal(found_predictions.logits, expected_predictions.logits)
        assert found_predictions.image_ids == expected_predictions.image_ids
    found_rows, expected_rows = (
        [*map(untimed, one.metrics.read()), untimed(one.result())] for one in (run, reference)
    )
    assert list(map(json.dumps, found_rows)) == list(map(json.dumps, expected_rows))


def stored_files(run: RunDirectory) -> list[str]:
    """Return the paths of all files of a run, sorted."""
    return sorted(str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file())


def iterations_of(run: RunDirectory) -> list[dict[str, Any]]:
    """Return the rows of single steps."""
    return [row for row in run.metrics.read() if row["kind"] == "iteration"]


def evaluations_of(run: RunDirectory) -> list[dict[str, Any]]:
    """Return the rows of evaluations."""
    return [row for row in run.metrics.read() if row["kind"] == "evaluation"]
