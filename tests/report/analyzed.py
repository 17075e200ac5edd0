"""Analyses as `thumbnet analyze` would leave them, with made-up content that fits a made run."""

import numpy as np
from numpy.typing import NDArray

from thumbnet import analyses
from thumbnet.analyses import Embedding, Layers, Maps, Neighbours, Robustness
from thumbnet.packed import PackedDataset
from thumbnet.run import RunDirectory

COARSE = "the last feature map has 2x2 places"


def analyze(run: RunDirectory, dataset: PackedDataset, *, side: int = 2) -> None:
    """Store every part but the cross-fitted predictions in `run`, and filters of three stages.

    Args:
        run: the run directory.
        dataset: its data.
        side: of the maps.
    """
    origin, judged = analyses.current_origin(run), dataset.split("val")
    for one in (
        _embedding(origin, dataset),
        _neighbours(origin, dataset),
        _maps(origin, dataset, side),
        _layers(origin, judged.images[:2], judged.labels[:2], dataset.image_size),
        _robustness(origin, dataset),
    ):
        analyses.save_analysis(run, one)
    random = np.random.default_rng(5)
    for tag in ("initial", "epoch-0002", "last"):
        np.save(run.filters_path(tag), random.normal(size=(6, 3, 3, 3)).astype(np.float32))


def _embedding(origin: analyses.Origin, dataset: PackedDataset) -> Embedding:
    random, judged, train = np.random.default_rng(1), dataset.split("val"), dataset.split("train")
    points = len(train) + len(judged)
    return Embedding(
        origin,
        judged=np.arange(points) >= len(train),
        positions=np.concatenate([np.arange(len(train)), np.arange(len(judged))]),
        labels=np.concatenate([train.labels, judged.labels]),
        pca=random.normal(size=(points, 2)).astype(np.float32),
        tsne=random.normal(size=(points, 2)).astype(np.float32),
        split="val",
        subset="val",
        classes=tuple(range(min(7, len(dataset.classes)))),
        choice="all",
        explained=(0.4, 0.2),
        perplexity=30.0,
        seed=1,
        width=16,
    )


def _neighbours(origin: analyses.Origin, dataset: PackedDataset) -> Neighbours:
    random, judged, train = np.random.default_rng(2), dataset.split("val"), dataset.split("train")
    found = random.integers(0, len(train), (len(judged), 3))
    return Neighbours(
        origin,
        positions=np.arange(len(judged)),
        labels=np.asarray(judged.labels),
        found=found,
        found_labels=train.labels[found],
        similarity=np.sort(random.random(found.shape, np.float32))[:, ::-1].copy(),
        split="val",
        subset="val",
    )


def _maps(origin: analyses.Origin, dataset: PackedDataset, side: int) -> Maps:
    random, judged = np.random.default_rng(3), dataset.split("val")
    heat = random.random((2, len(judged), side, side), np.float32)
    heat[0, 0] = 0
    return Maps(
        origin,
        positions=np.arange(len(judged)),
        labels=np.asarray(judged.labels),
        predicted=random.integers(0, len(dataset.classes), len(judged)),
        for_predicted=heat[0],
        for_label=heat[1],
        split="val",
        subset="val",
        layer="layer4",
        channels=16,
        box=(0.0, 0.0, 1.0, 1.0),
        note=COARSE if side <= 3 else None,
    )


def _robustness(origin: analyses.Origin, dataset: PackedDataset) -> Robustness:
    random, judged, size = np.random.default_rng(4), dataset.split("val"), dataset.image_size
    return Robustness(
        origin,
        positions=np.arange(len(judged)),
        labels=np.asarray(judged.labels),
        clean=random.integers(0, len(dataset.classes), len(judged)),
        predicted=random.integers(0, len(dataset.classes), (2, 5, len(judged))),
        examples=random.integers(0, 256, (2, 5, size, size, 3), np.uint8),
        example=0,
        split="val",
        subset="val",
        corruptions=("noise", "jpeg"),
        parameters=((0.04, 0.08, 0.12, 0.15, 0.18), (65.0, 58.0, 50.0, 40.0, 25.0)),
        seed=0,
        definition=1,
    )


def _layers(origin: analyses.Origin, images: NDArray[np.uint8], labels: NDArray[np.int64], size: int) -> Layers:
    random = np.random.default_rng(6)
    return Layers(
        origin,
        positions=np.arange(len(images)),
        labels=np.asarray(labels, np.int64),
        inputs=np.asarray(images),
        first=random.normal(size=(len(images), 6, size, size)).astype(np.float16),
        second=random.normal(size=(len(images), 8, 4, 4)).astype(np.float16),
        weights=random.normal(size=(8, 6, 3, 3)).astype(np.float32),
        split="val",
        subset="val",
        names=("act", "layer1.act"),
        channels=(6, 8),
        convolution="layer1.conv",
    )
