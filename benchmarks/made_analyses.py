"""Analyses with made-up content: of nothing in particular, or as `thumbnet analyze` would leave them in a made run."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thumbnet import analyses
from thumbnet.analyses import Analysis, Embedding, Layers, Maps, Neighbours, Origin, Robustness
from thumbnet.packed import PackedDataset
from thumbnet.run import RunDirectory

COARSE = "the last feature map has 2x2 places"

SEVERITIES = {"noise": (0.04, 0.08, 0.12, 0.15, 0.18), "jpeg": (65.0, 58.0, 50.0, 40.0, 25.0)}
"""The parameters of two corruptions, mildest first."""

ORIGIN = Origin("last", "a" * 64, "f" * 64)


@dataclass(frozen=True)
class Content:
    """What the analyses are of: labels i64[N] of train and of what is judged, and the latter's first few images."""

    train: NDArray[np.int64]
    judged: NDArray[np.int64]
    images: NDArray[np.uint8]
    classes: int


SMALL = Content(np.arange(6) % 4, np.arange(10) * 3 % 4, np.full((2, 8, 8, 3), 9, np.uint8), 4)


def content_of(dataset: PackedDataset) -> Content:
    """Return the content of a data set: its train split, judged on val."""
    judged = dataset.split("val")
    return Content(
        dataset.split("train").labels, np.asarray(judged.labels), np.asarray(judged.images[:2]), len(dataset.classes)
    )


def every_kind(origin: Origin = ORIGIN, content: Content = SMALL, side: int = 2) -> list[Analysis]:
    """Return all analyses but the cross-fitted predictions; maps have `side` by `side` places."""
    return [
        embedding(origin, content),
        neighbours(origin, content),
        maps(origin, content, side),
        layers(origin, content),
        robustness(origin, content),
    ]


def analyze(run: RunDirectory, dataset: PackedDataset, *, side: int = 2) -> None:
    """Store every part but the cross-fitted predictions in `run`, and filters of three stages.

    Args:
        run: the run directory.
        dataset: its data.
        side: of the maps.
    """
    for one in every_kind(analyses.current_origin(run), content_of(dataset), side):
        analyses.save_analysis(run, one)
    random = np.random.default_rng(5)
    for tag in ("initial", "epoch-0002", "last"):
        np.save(run.filters_path(tag), random.normal(size=(6, 3, 3, 3)).astype(np.float32))


def embedding(origin: Origin = ORIGIN, content: Content = SMALL) -> Embedding:
    """Return an embedding of random points, of train and of what is judged."""
    random, judged, train = np.random.default_rng(1), content.judged, content.train
    points = len(train) + len(judged)
    return Embedding(
        origin,
        judged=np.arange(points) >= len(train),
        positions=np.concatenate([np.arange(len(train)), np.arange(len(judged))]),
        labels=np.concatenate([train, judged]),
        pca=random.normal(size=(points, 2)).astype(np.float32),
        tsne=random.normal(size=(points, 2)).astype(np.float32),
        split="val",
        subset="val",
        classes=tuple(range(min(7, content.classes))),
        choice="all",
        explained=(0.4, 0.2),
        perplexity=30.0,
        seed=1,
        width=16,
    )


def neighbours(origin: Origin = ORIGIN, content: Content = SMALL, nearest: int = 3) -> Neighbours:
    """Return the `nearest` train images of each judged one, drawn at random."""
    random, judged, train = np.random.default_rng(2), content.judged, content.train
    found = random.integers(0, len(train), (len(judged), nearest))
    return Neighbours(
        origin,
        positions=np.arange(len(judged)),
        labels=judged,
        found=found,
        found_labels=train[found],
        similarity=np.sort(random.random(found.shape, np.float32))[:, ::-1].copy(),
        split="val",
        subset="val",
    )


def maps(origin: Origin = ORIGIN, content: Content = SMALL, side: int = 2) -> Maps:
    """Return random maps of `side` by `side` places; the first image's map for its prediction is empty."""
    random, judged = np.random.default_rng(3), content.judged
    heat = random.random((2, len(judged), side, side), np.float32)
    heat[0, 0] = 0
    return Maps(
        origin,
        positions=np.arange(len(judged)),
        labels=judged,
        predicted=random.integers(0, content.classes, len(judged)),
        for_predicted=heat[0],
        for_label=heat[1],
        split="val",
        subset="val",
        layer="layer4",
        channels=16,
        box=(0.0, 0.0, 1.0, 1.0),
        note=COARSE if side <= 3 else None,
    )


def robustness(
    origin: Origin = ORIGIN, content: Content = SMALL, severities: Mapping[str, tuple[float, ...]] = SEVERITIES
) -> Robustness:
    """Return random predictions under corruptions of these `severities`, five of each."""
    random, judged, size = np.random.default_rng(4), content.judged, content.images.shape[1]
    kinds = len(severities)
    return Robustness(
        origin,
        positions=np.arange(len(judged)),
        labels=judged,
        clean=random.integers(0, content.classes, len(judged)),
        predicted=random.integers(0, content.classes, (kinds, 5, len(judged))),
        examples=random.integers(0, 256, (kinds, 5, size, size, 3), np.uint8),
        example=0,
        split="val",
        subset="val",
        corruptions=tuple(severities),
        parameters=tuple(severities.values()),
        seed=0,
        definition=1,
    )


def layers(
    origin: Origin = ORIGIN, content: Content = SMALL, channels: tuple[int, int] = (6, 8), side: int = 4
) -> Layers:
    """Return random activations of two layers with so many `channels`; the second's have `side` by `side` places."""
    random, images, size = np.random.default_rng(6), content.images, content.images.shape[1]
    return Layers(
        origin,
        positions=np.arange(len(images)),
        labels=content.judged[: len(images)],
        inputs=images,
        first=random.normal(size=(len(images), channels[0], size, size)).astype(np.float16),
        second=random.normal(size=(len(images), channels[1], side, side)).astype(np.float16),
        weights=random.normal(size=(*channels[::-1], 3, 3)).astype(np.float32),
        split="val",
        subset="val",
        names=("act", "layer1.act"),
        channels=channels,
        convolution="layer1.conv",
    )
