"""Predictions made of arrays, for tests of ensembles and comparisons."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.ensemble import Over
from thumbnet.predictions import Predictions

BOTH: list[Over] = ["probabilities", "logits"]


def predictions(logits: NDArray[Any], labels: NDArray[np.int64] | None = None, name: str = "a") -> Predictions:
    images, classes = logits.shape
    return Predictions(
        split="val",
        image_ids=tuple(f"val_{i}" for i in range(images)),
        logits=logits.astype(np.float32),
        labels=np.arange(images) % classes if labels is None else labels,
        classes=tuple(f"n{i}" for i in range(classes)),
        provenance={"recipe": name},
    )


def some(count: int, images: int = 40, classes: int = 5, seed: int = 0) -> list[Predictions]:
    """Networks of different accuracy."""
    random = np.random.default_rng(seed)
    right = np.eye(classes)[np.arange(images) % classes]
    return [
        predictions(random.normal(size=(images, classes)) * 2 + (i % 3) * right, name=str(i)) for i in range(count)
    ]


def direct(members: list[Predictions], over: Over) -> NDArray[np.float64]:
    """The mean of probabilities, as Milani's equation 2 has it, or of logits."""
    parts = [member.logits.astype(np.float64) for member in members]
    if over == "probabilities":
        parts = [np.exp(part) / np.exp(part).sum(1, keepdims=True) for part in parts]
    mean: NDArray[np.float64] = np.mean(parts, axis=0)
    return np.log(mean) if over == "probabilities" else mean
