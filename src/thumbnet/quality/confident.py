"""Confident learning: which labels are probably wrong, from probabilities of a network that did not train on them.

Source: Northcutt, Jiang and Chuang, 'Confident learning: estimating uncertainty in dataset labels', Journal of
Artificial Intelligence Research 70 (2021).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.errors import PredictionError

Probabilities = NDArray[np.float64]
"""Class probabilities, N images by K classes; each row sums to 1."""


@dataclass(frozen=True, eq=False)
class Suspects:
    """Images whose labels are probably wrong, the surest first.

    Args:
        rows: i64[S], positions of the images, the most suspect first.
        suggested: i64[S], the class that is likeliest instead.
        self_confidence: f64[S], probability of the label that they have.
        margin: f64[S], probability of the suggested class less that of the label.
        thresholds: f64[K], mean probability of a class over the images that have its label; inf where it has none.
        joint: i64[K,K], images by label (row) and class that they confidently belong to (column).
        images: how many were judged.
    """

    rows: NDArray[np.int64]
    suggested: NDArray[np.int64]
    self_confidence: NDArray[np.float64]
    margin: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    joint: NDArray[np.int64]
    images: int

    def mask(self) -> NDArray[np.bool_]:
        """Return which images are suspects, bool[N]."""
        found = np.zeros(self.images, dtype=np.bool_)
        found[self.rows] = True
        return found


def suspects(probabilities: Probabilities, labels: NDArray[np.int64]) -> Suspects:
    """Return the images of which `probabilities` f64[N,K] say that their `labels` i64[N] are wrong.

    Of each class these are the images of least self-confidence, as many as the confident joint estimates to be wrong;
    but none whose label is its likeliest class. The network must not have trained on these images: one that has
    repeats their labels.

    Args:
        probabilities: of each image, out of sample.
        labels: class indices in 0 to K - 1.

    Raises:
        PredictionError: there are no images, shapes do not fit, a row is no probabilities, or a label is out of range.
    """
    _check_shape(probabilities.shape, labels)
    return suspects_of_parts(lambda: [probabilities], labels, probabilities.shape[1])


def suspects_of_parts(
    parts: Callable[[], Iterable[Probabilities]], labels: NDArray[np.int64], classes: int
) -> Suspects:
    """Return what `suspects` returns, from probabilities that are never all in memory.

    Args:
        parts: returns f64[n,K] of successive images; it is called twice.
        labels: i64[N], of all of them.
        classes: their number K.

    Raises:
        PredictionError: as `suspects`.
    """
    answers = _read(parts(), labels)
    thresholds = _thresholds(answers.own, labels, classes)
    members = np.concatenate([confident_classes(part, thresholds) for part in parts()])
    joint = confident_joint(members, labels, classes)
    chosen = _by_class(answers.own, labels, estimated_errors(joint, labels)) & (answers.likeliest != labels)
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(answers.own[rows], kind="stable")]
    return Suspects(
        rows=rows,
        suggested=answers.likeliest[rows],
        self_confidence=answers.own[rows],
        margin=answers.highest[rows] - answers.own[rows],
        thresholds=thresholds,
        joint=joint,
        images=len(labels),
    )


class _Answers(NamedTuple):
    """Of each image the likeliest class i64[N], and the probabilities f64[N] of its label and of that class."""

    likeliest: NDArray[np.int64]
    own: NDArray[np.float64]
    highest: NDArray[np.float64]


def _read(parts: Iterable[Probabilities], labels: NDArray[np.int64]) -> _Answers:
    likeliest = np.empty(len(labels), dtype=np.int64)
    own, highest = np.empty(len(labels)), np.empty(len(labels))
    done = 0
    for part in parts:
        rows, place = np.arange(len(part)), slice(done, done + len(part))
        _check_rows(part, done)
        _check_labels(labels[place], part.shape[1])
        likeliest[place] = part.argmax(axis=1)
        own[place], highest[place] = part[rows, labels[place]], part[rows, likeliest[place]]
        done += len(part)
    if done != len(labels) or not done:
        raise PredictionError(f"suspected labels: {done} rows for {len(labels)} images; give one row an image")
    return _Answers(likeliest, own, highest)


def _thresholds(own: NDArray[np.float64], labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, weights=own, minlength=classes)
    means = np.full(classes, np.inf)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def confident_classes(probabilities: Probabilities, thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the class that each image confidently belongs to, i64[N]; -1 where no class reaches its threshold.

    Of several classes that reach theirs, the likeliest counts.
    """
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    best = np.asarray(reached.argmax(axis=1), dtype=np.int64)
    return np.where(reached[np.arange(len(best)), best] >= 0, best, -1)


def confident_joint(members: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return how many images have each label (row) and confidently belong to each class (column), i64[K,K]."""
    sure = members >= 0
    return metrics.confusion(labels[sure], members[sure], classes)


def estimated_errors(joint: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many images of each label (row) are estimated to be of each class (column), i64[K,K], diagonal 0.

    Each row of the joint is scaled to the images that have its label (the paper's equation 3) and rounded down, so
    that a row never has more errors than images. A label without a confident image has no estimate, and no error.
    """
    counts = np.bincount(labels, minlength=len(joint))
    totals = joint.sum(axis=1)
    scale = np.divide(counts, totals, out=np.zeros(len(joint)), where=totals > 0)
    # A hair is added so that a whole number that floating point has put just below stays what it is.
    estimate = np.asarray(np.floor(joint * scale[:, None] + 1e-9), dtype=np.int64)
    np.fill_diagonal(estimate, 0)
    return estimate


def _by_class(own: NDArray[np.float64], labels: NDArray[np.int64], errors: NDArray[np.int64]) -> NDArray[np.bool_]:
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for label, wrong in enumerate(errors.sum(axis=1).tolist()):
        if wrong:
            rows = np.flatnonzero(labels == label)
            chosen[rows[np.argsort(own[rows], kind="stable")[:wrong]]] = True
    return chosen


def _check_shape(shape: tuple[int, ...], labels: NDArray[np.int64]) -> None:
    if len(shape) != 2 or 0 in shape:
        raise PredictionError(
            f"suspected labels: probabilities of the shape {shape}; give one row an image and one "
            "column a class, at least one of each"
        )
    if labels.shape != shape[:1] or labels.dtype.kind not in "iu":
        raise PredictionError(
            f"suspected labels: labels {labels.dtype} of the shape {labels.shape} for {shape[0]} images; give one "
            "class index an image"
        )


def _check_rows(probabilities: Probabilities, first: int) -> None:
    # What is not a number fails every comparison, so it fails here too.
    sums_to_one = np.abs(probabilities.sum(axis=1) - 1) <= 1e-3
    bad = np.flatnonzero(~(sums_to_one & (probabilities >= 0).all(axis=1)))
    if len(bad):
        raise PredictionError(
            f"suspected labels: row {first + bad[0]} is not a row of probabilities (0 or more, sum 1); give the "
            "softmax of finite logits"
        )


def _check_labels(labels: NDArray[np.int64], classes: int) -> None:
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise PredictionError(
            f"suspected labels: labels range from {labels.min()} to {labels.max()}, not in 0 to {classes - 1}; "
            "give a split whose labels are known"
        )
