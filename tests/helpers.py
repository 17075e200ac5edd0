"""Short recipes, runs to compare, and a run that ends itself at a chosen moment."""

import json
import multiprocessing
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from thumbnet import packed, train
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

TIMINGS = {"images_per_second", "seconds", "train_seconds", "total_seconds", "peak_memory_bytes"}

QUIET = train.Options(device="cpu", threads=1, quiet=True)

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


def go_on(
    out: Path,
    recipe: Recipe,
    data: Path,
    options: train.Options = QUIET,
    *,
    moment: int | None = None,
    number: int = signal.SIGKILL,
    mark: str = "",
) -> RunDirectory:
    """Start the run `out`, or resume it when it is there.

    Args:
        out: the run directory.
        recipe: of the run.
        data: packed data.
        options: of this session.
        moment: with a number, this process sends itself signal `number` at the moment-th time that it opens, renames
            or changes a file of the run, which is also while a file is being written.
        number: the signal.
        mark: counts only files with this text in their path.
    """
    if moment is not None:
        _send_at(out, moment, number, mark)
    dataset = packed.load(data)
    if out.exists():
        return train.resume(RunDirectory.open(out), dataset, options)
    return train.start(recipe, dataset, out, options)


def _send_at(out: Path, moment: int, number: int, mark: str) -> None:
    events = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal events
        if event not in ("open", "os.chmod", "os.rename", "os.remove", "os.mkdir", "os.truncate"):
            return
        if str(out.parent) in str(arguments[0]) and mark in str(arguments[0]):
            events += 1
            if events == moment:
                os.kill(os.getpid(), number)

    sys.addaudithook(count)


def go_on_in_a_process(*arguments: Any, kill_after: float | None = None, **named: Any) -> int:
    """Call `go_on` in a process of its own and return its exit status: minus the signal that ended it, where one did.

    With `kill_after` it is killed with SIGKILL when it has not ended after so many seconds.
    """
    # Forked from a server that has torch loaded already: a start takes milliseconds.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["thumbnet.train", "timm", "tests.helpers"])
    process = context.Process(target=go_on, args=arguments, kwargs=named)
    process.start()
    process.join(kill_after)
    if process.exitcode is None:
        process.kill()
        process.join()
    assert process.exitcode is not None
    return process.exitcode


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
    assert untimed(run.metrics.read()) == untimed(reference.metrics.read())
    assert untimed([run.result()]) == untimed([reference.result()])


def untimed(rows: list[dict[str, Any]]) -> list[str]:
    """Return rows as JSON text without the figures that are timings."""
    return [json.dumps({key: value for key, value in row.items() if key not in TIMINGS}) for row in rows]


def stored_files(run: RunDirectory) -> list[str]:
    """Return the paths of all files of a run, sorted."""
    return sorted(str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file())


def iterations_of(run: RunDirectory) -> list[dict[str, Any]]:
    """Return the rows of single steps."""
    return [row for row in run.metrics.read() if row["kind"] == "iteration"]


def evaluations_of(run: RunDirectory) -> list[dict[str, Any]]:
    """Return the rows of evaluations."""
    return [row for row in run.metrics.read() if row["kind"] == "evaluation"]
