"""A run of the size of a real one, made up: data that compresses worst, predictions, and all analyses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import made_analyses as made
from benchmarks.program import made_up_predictions
from thumbnet import analyses, environment
from thumbnet.analyses import Analysis, Embedding, Maps, Origin
from thumbnet.packed import ClassInfo, PackedDataset, create, load, subset_indices
from thumbnet.recipes import find_recipe
from thumbnet.run import RunDirectory

SIDE = 64
TWINS = 60
"""So many images of val are images of train, and so many of train are others of train."""

_CHUNK = 1000
_SEVERITIES = made.SEVERITIES | {
    "blur": (0.5, 0.75, 1.0, 1.25, 1.5),
    "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
    "pixelation": (0.9, 0.8, 0.7, 0.6, 0.5),
}


@dataclass(frozen=True)
class Size:
    """How large the data and the runs on it are.

    Args:
        val: images of val.
        train: images of train.
        classes: classes.
        steps: iterations of a run.
    """

    val: int
    train: int
    classes: int
    steps: int


def make_data(path: Path, size: Size) -> PackedDataset:
    """Pack noise, 64 pixels wide, with a few images that are there twice."""
    random = np.random.default_rng(0)
    names = [ClassInfo(f"n{number:08d}", f"class {number}") for number in range(size.classes)]
    twins = min(TWINS, size.val, size.train // 2)
    again = random.integers(0, 256, (twins, SIDE, SIDE, 3), dtype=np.uint8)
    with create(path, name="noise", image_size=SIDE, classes=names) as writer:
        for split, images in (("train", size.train), ("val", size.val)):
            ids = [f"{split}_{number:06d}.JPEG" for number in range(images)]
            labels = np.arange(images, dtype=np.int64) % size.classes
            labels = np.sort(labels) if split == "train" else labels
            twice = 2 if split == "train" else 1
            with writer.split(split, ids, labels, None) as opened:
                for chunk in _noise(images - twice * len(again), random):
                    opened.append(chunk)
                for _ in range(twice):
                    opened.append(again)
    return load(path)


def _noise(images: int, random: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, images, _CHUNK):
        yield random.integers(0, 256, (min(_CHUNK, images - start), SIDE, SIDE, 3), dtype=np.uint8)


def make_run(folder: Path, dataset: PackedDataset, size: Size, seed: int) -> RunDirectory:
    """Return a complete run, right about half of the images, with all of its analyses."""
    random = np.random.default_rng(seed)
    recipe, device = find_recipe("resnet18-64"), environment.describe("cpu", 1)
    run = RunDirectory.create(folder, recipe, dataset.described(), device, "thumbnet train resnet18-64")
    run.metrics.append(
        [
            {
                "kind": "iteration",
                "step": step,
                "epoch": 17 * step / size.steps,
                "loss": 5 - step / size.steps,
                "lr": 0.1,
            }
            for step in range(1, size.steps + 1)
        ]
    )
    train = dataset.split("train", verify=False).labels
    held = train[subset_indices(dataset.split("train", verify=False), "holdout")]
    names, val = [one.id for one in dataset.classes], dataset.split("val", verify=False).labels
    stated = {"train_on": "fit", "data": dataset.fingerprint}
    for split, labels in (("val", val), ("holdout", held)):
        made_up_predictions(split, labels, names, random, **stated).save(run.predictions_path(split))
    run.weights_path("last").write_bytes(random.bytes(45_000_000))
    origin = analyses.current_origin(run)
    analyses.save_cross_fitted(run, made_up_predictions("train", train, names, random, **stated), origin)
    for one in every_kind(origin, np.asarray(train), np.asarray(val), random):
        analyses.save_analysis(run, one)
    for tag in ("initial", *(f"epoch-{epoch:04d}" for epoch in (1, 4, 9)), "last"):
        np.save(run.filters_path(tag), random.normal(size=(64, 3, 3, 3)).astype(np.float32))
    run.write_result({"recipe": "resnet18-64", "scores": {}, "best": None, "epochs": 17.0})
    run.write_status("complete", size.steps, size.steps)
    return run


def every_kind(
    origin: Origin, train: NDArray[np.int64], val: NDArray[np.int64], random: np.random.Generator
) -> list[Analysis]:
    """Return all analyses but the cross-fitted predictions, of the sizes that `thumbnet analyze` gives them."""
    content = made.Content(train, val, random.integers(0, 256, (4, SIDE, SIDE, 3), np.uint8), int(train.max()) + 1)
    return [
        _embedding(origin, train, val, random),
        made.neighbours(origin, content, nearest=8),
        _maps(origin, val, random),
        made.layers(origin, content, channels=(64, 64), side=SIDE),
        made.robustness(origin, content, _SEVERITIES),
    ]


def _embedding(
    origin: Origin, train: NDArray[np.int64], val: NDArray[np.int64], random: np.random.Generator
) -> Embedding:
    chosen = tuple(range(min(7, int(train.max()) + 1)))
    of_train = np.flatnonzero(np.isin(train, chosen))[: 500 * len(chosen)]
    of_val = np.flatnonzero(np.isin(val, chosen))
    labels = np.concatenate([train[of_train], val[of_val]])
    # Each class is a cloud of its own.
    points = (random.normal(size=(2, len(labels), 2)) + 5 * random.normal(size=(2, 7, 2))[:, labels]).astype(
        np.float32
    )
    return Embedding(
        origin,
        judged=np.arange(len(labels)) >= len(of_train),
        positions=np.concatenate([of_train, of_val]),
        labels=labels,
        pca=points[0],
        tsne=points[1],
        split="val",
        subset="val",
        classes=chosen,
        choice="confused",
        explained=(0.4, 0.2),
        perplexity=30.0,
        seed=0,
        width=512,
    )


def _maps(origin: Origin, val: NDArray[np.int64], random: np.random.Generator) -> Maps:
    errors, right = min(200, len(val) // 2), min(40, len(val) // 4)
    rows = random.permutation(len(val))[: errors + right]
    heat = random.random((2, len(rows), 8, 8), np.float32)
    wrong = np.arange(len(rows)) < errors
    classes = int(val.max()) + 1
    return Maps(
        origin,
        positions=rows,
        labels=val[rows],
        predicted=np.where(wrong, (val[rows] + 1) % classes, val[rows]),
        for_predicted=heat[0],
        for_label=heat[1],
        split="val",
        subset="val",
        layer="layer4",
        channels=512,
        box=(0.0, 0.0, 1.0, 1.0),
        note=None,
    )
