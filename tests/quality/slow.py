"""Confident learning read slowly from the paper, image by image, and made-up labels of which some are wrong."""

from collections import Counter

import numpy as np
from benchmarks.flips import flip_labels
from numpy.typing import NDArray

Array = NDArray[np.float64]


def noisy(images: int, classes: int, seed: int) -> tuple[Array, NDArray[np.int64]]:
    """Probabilities of a fair network, and labels of which some are wrong; the last class has none."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes - 1, images)
    logits = random.normal(0, 1, (images, classes)) + 2.5 * np.eye(classes)[truth]
    labels = flip_labels(truth, 0.2, random, np.ones((classes, classes)))
    labels[labels == classes - 1] = 0
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), labels


def contradicted(probabilities: Array, labels: NDArray[np.int64]) -> set[int]:
    """Images whose label is not their likeliest class."""
    return {n for n in range(len(labels)) if probabilities[n].argmax() != labels[n]}


def slow_joint(probabilities: Array, labels: NDArray[np.int64]) -> tuple[list[float], Counter[tuple[int, int]]]:
    """Thresholds and confident joint, image by image, as section 3.1 of the paper words them."""
    classes = probabilities.shape[1]
    thresholds = []
    for j in range(classes):
        own = [row[j] for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True) if label == j]
        thresholds.append(sum(own) / len(own) if own else float("inf"))
    joint: Counter[tuple[int, int]] = Counter()
    for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True):
        confident_in = [j for j in range(classes) if row[j] >= thresholds[j]]
        if confident_in:
            joint[label, max(confident_in, key=lambda j: row[j])] += 1
    return thresholds, joint


def slow_noise_rate(probabilities: Array, labels: NDArray[np.int64], joint: Counter[tuple[int, int]]) -> set[int]:
    """Prune by noise rate: of each pair of classes the images of the greatest margin."""
    chosen: set[int] = set()
    classes = probabilities.shape[1]
    for i in range(classes):
        rows = [n for n, label in enumerate(labels.tolist()) if label == i]
        total = sum(joint[i, j] for j in range(classes))
        for j in range(classes):
            if i != j and joint[i, j]:
                wrong = joint[i, j] * len(rows) // total
                chosen |= set(sorted(rows, key=lambda n: probabilities[n, i] - probabilities[n, j])[:wrong])
    return chosen


def slow_class(probabilities: Array, labels: NDArray[np.int64], joint: Counter[tuple[int, int]]) -> set[int]:
    """Prune by class: of each class the images of the least self-confidence."""
    chosen: set[int] = set()
    classes = probabilities.shape[1]
    for i in range(classes):
        rows = [n for n, label in enumerate(labels.tolist()) if label == i]
        total = sum(joint[i, j] for j in range(classes))
        wrong = sum(joint[i, j] * len(rows) // total for j in range(classes) if i != j) if total else 0
        chosen |= set(sorted(rows, key=lambda n: probabilities[n, i])[:wrong])
    return chosen
