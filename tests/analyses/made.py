"""An analysis of every kind, with small random content."""

from typing import Any

import numpy as np

from thumbnet.analyses import Analysis, Embedding, Layers, Maps, Neighbours, Origin, Robustness

ORIGIN = Origin("last", "a" * 64, "f" * 64)


def every_kind(origin: Origin = ORIGIN) -> list[Analysis]:
    return [embedding(origin), neighbours(origin), maps(origin), layers(origin), robustness(origin)]


def _random() -> np.random.Generator:
    return np.random.default_rng(4)


def _whole(count: int, high: int = 4) -> Any:
    return _random().integers(0, high, count)


def _real(*shape: int) -> Any:
    return _random().random(shape, np.float32)


def embedding(origin: Origin = ORIGIN) -> Embedding:
    return Embedding(
        origin,
        judged=np.arange(9) > 5,
        positions=_whole(9),
        labels=_whole(9),
        pca=_real(9, 2),
        tsne=_real(9, 2),
        split="val",
        subset="val",
        classes=(0, 2, 3),
        choice="confused",
        explained=(0.5, 0.25),
        perplexity=2.5,
        seed=7,
        width=16,
    )


def neighbours(origin: Origin = ORIGIN) -> Neighbours:
    return Neighbours(
        origin,
        positions=_whole(5),
        labels=np.array([0, 1, 2, 3, 0]),
        found=_random().integers(0, 50, (5, 3)),
        found_labels=np.array([[0, 1, 1], [2, 1, 1], [2, 2, 2], [0, 3, 3], [0, 0, 0]]),
        similarity=_real(5, 3),
        split="val",
        subset="val",
    )


def maps(origin: Origin = ORIGIN) -> Maps:
    return Maps(
        origin,
        positions=_whole(3),
        labels=_whole(3),
        predicted=_whole(3),
        for_predicted=_real(3, 4, 4),
        for_label=_real(3, 4, 4),
        split="val",
        subset="val",
        layer="layer4",
        channels=8,
        box=(0.0, 0.0, 1.0, 1.0),
        note=None,
    )


def layers(origin: Origin = ORIGIN) -> Layers:
    return Layers(
        origin,
        positions=_whole(2),
        labels=_whole(2),
        inputs=_random().integers(0, 256, (2, 8, 8, 3), np.uint8),
        first=_real(2, 4, 8, 8).astype(np.float16),
        second=_real(2, 6, 4, 4).astype(np.float16),
        weights=_real(6, 4, 3, 3),
        split="val",
        subset="val",
        names=("act", "layer1.0.act1"),
        channels=(4, 6),
        convolution="layer1.0.conv1",
    )


def robustness(origin: Origin = ORIGIN) -> Robustness:
    return Robustness(
        origin,
        positions=np.arange(10),
        labels=_whole(10),
        clean=_whole(10),
        predicted=_random().integers(0, 4, (2, 5, 10)),
        examples=_random().integers(0, 256, (2, 5, 8, 8, 3), np.uint8),
        example=3,
        split="val",
        subset="val",
        corruptions=("noise", "blur"),
        parameters=((0.1, 0.2, 0.3, 0.4, 0.5), (1.0, 2.0, 3.0, 4.0, 5.0)),
        seed=0,
        definition=1,
    )
