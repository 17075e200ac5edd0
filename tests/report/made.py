"""Runs as training would leave them, with made-up images and predictions, so that a test chooses what they hold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.helpers import short_recipe
from tests.packing import write_packed
from thumbnet.packed import ClassInfo, PackedDataset, holdout_mask
from thumbnet.predictions import Predictions
from thumbnet.recipe import Evaluation, Phase, Recipe, epochs
from thumbnet.run import RunDirectory

HOSTILE = (
    "<script>alert('name')</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><b>bold</b>",
    "{{ 7 * 7 }}, second name",
    "naïve 日本語, ünicode",
    "=SUM(A1:A9)",
)
"""Names that must be shown as they are."""

ENVIRONMENT = {
    "commit": "0" * 40,
    "platform": {"system": "Linux", "machine": "x86_64"},
    "versions": {"thumbnet": "0.1.0", "python": "3.11.7", "torch": "2.15.0"},
    "device": {"type": "cpu", "name": "AMD EPYC", "cpus": 2},
    "threads": 1,
}


@dataclass(frozen=True)
class Made:
    """What a test chooses of a data set and of the runs on it.

    Args:
        names: of the classes.
        val: val images of each class.
        train: train images of each class.
        size: side of the images, in pixels.
    """

    names: Sequence[str]
    val: Sequence[int]
    train: int = 10
    size: int = 8

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        """The class list."""
        return tuple(ClassInfo(f"n{number:08d}", name) for number, name in enumerate(self.names))

    @property
    def labels(self) -> NDArray[np.int64]:
        """The labels of val, i64[N]."""
        return np.random.default_rng(0).permutation(np.repeat(np.arange(len(self.names)), self.val)).astype(np.int64)


def simple(classes: int = 5, val: int = 12, **more: Any) -> Made:
    """Return data of plain names with as many images in each class."""
    return Made([f"class {number}, also called {number}" for number in range(classes)], [val] * classes, **more)


def make_data(made: Made, folder: Path) -> PackedDataset:
    """Pack made-up images."""
    random = np.random.default_rng(1)
    labels = {"train": np.repeat(np.arange(len(made.names)), made.train).astype(np.int64), "val": made.labels}
    splits = {
        split: (random.integers(0, 256, (len(found), made.size, made.size, 3), dtype=np.uint8), found, None)
        for split, found in labels.items()
        if len(found)
    }
    return write_packed(folder, made.classes, splits)


def make_run(
    made: Made,
    folder: Path,
    dataset: PackedDataset,
    *,
    seed: int = 0,
    skill: float = 1.5,
    recipe: Recipe | None = None,
    splits: Sequence[str] = ("val", "holdout"),
    complete: bool = True,
    selected_on: Sequence[str] = (),
) -> RunDirectory:
    """Return a run whose network is the better the higher its `skill` is, with predictions for `splits`.

    The splits that it is `selected_on` chose its weights.
    """
    recipe = recipe or two_phases()
    run = RunDirectory.create(folder, recipe, dataset.described(), ENVIRONMENT, "thumbnet train short --out 'a run'")
    run.metrics.append(metric_rows())
    if not complete:
        run.write_status("interrupted", 10, 20)
        return run
    scores = {}
    for split in splits:
        one = predictions(made, dataset, recipe, split=split, seed=seed, skill=skill)
        if selected_on:
            one = replace(one, provenance={**one.provenance, "selected_on": list(selected_on)})
        one.save(run.predictions_path(split))
        scores[split] = one.scores().to_json()
    run.write_result(
        {
            "recipe": recipe.name,
            "scores": scores,
            "best": {"split": "val", "top1": 0.5, "top1_interval": [0.4, 0.6], "images": 60, "step": 10, "epoch": 2.0},
            "views": {"name": "flip", "scores": scores},
            "epochs": 4.0,
            "parameters": 1234,
            "multiply_adds": 5_600_000,
            "train_seconds": 75.0,
            "total_seconds": 80.0,
            "images_per_second": 100.5,
            "peak_memory_bytes": 1_000_000_000,
        }
    )
    run.write_status("complete", 20, 20)
    return run


def two_phases(**changes: Any) -> Recipe:
    """Return a recipe of two phases, the second with larger images."""
    return short_recipe(phases=(Phase(epochs(2)), Phase(epochs(2), image_size=12, trainable=("fc.*",))), **changes)


def on_everything() -> Recipe:
    """Return the recipe of a run that trains on the holdout too."""
    return two_phases(train_on="all", evaluation=Evaluation(splits=("val",)))


def metric_rows() -> list[dict[str, Any]]:
    """Return the metrics of 20 steps, five an epoch, with an evaluation after each epoch."""
    rows: list[dict[str, Any]] = []
    for step in range(1, 21):
        rows.append({"kind": "iteration", "step": step, "epoch": step / 5, "loss": 3 / step, "lr": 0.1 / step})
        if step % 5 == 0:
            found = {f"{split}_loss": 2 / step for split in ("running_train", "eval_train", "holdout", "val")}
            found |= {f"{split}_top1": step / 25 for split in ("running_train", "eval_train", "holdout", "val")}
            rows.append(
                {"kind": "evaluation", "step": step, "epoch": step / 5, "lr": 0.1, "images_per_second": 99.0, **found}
            )
    return rows


def predictions(
    made: Made, dataset: PackedDataset, recipe: Recipe, *, split: str, seed: int, skill: float
) -> Predictions:
    """Return random logits in which the true class is raised by `skill`, sharper than the network is sure of."""
    packed = dataset.split("train" if split == "holdout" else split)
    rows = np.flatnonzero(holdout_mask(packed)) if split == "holdout" else np.arange(len(packed))
    labels = packed.labels[rows]
    random = np.random.default_rng([seed, len(rows)])
    logits = random.normal(size=(len(rows), len(made.names)))
    logits[np.arange(len(rows)), labels] += skill
    return Predictions(
        split=split,
        image_ids=tuple(packed.image_ids[row] for row in rows),
        logits=(2 * logits).astype(np.float32),
        labels=labels,
        classes=tuple(one.id for one in dataset.classes),
        provenance={"data": dataset.fingerprint, "train_on": recipe.train_on, "views": "none", "weights": "last"},
    )
