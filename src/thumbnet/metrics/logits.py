"""Probabilities and right answers: functions of logits and labels."""

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import PredictionError

Logits = NDArray[np.float32] | NDArray[np.float64]
"""Unnormalised log-probabilities, N images by K classes."""

Labels = NDArray[np.int64]
"""Class indices, one an image, each in 0 to K - 1."""


def softmax(logits: Logits) -> NDArray[np.float64]:
    """Return the probabilities f64[N,K] of `logits` f32[N,K]; each row sums to 1.

    Raises:
        PredictionError: no images, a wrong shape, or a logit that is not finite.
    """
    return np.exp(log_softmax(logits))


def log_softmax(logits: Logits) -> NDArray[np.float64]:
    """Return the logarithms f64[N,K] of the probabilities of `logits` f32[N,K].

    The maximum of each row is taken off first, so that `exp` cannot overflow.

    Raises:
        PredictionError: no images, a wrong shape, or a logit that is not finite.
    """
    check_logits(logits)
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def top_k_correct(logits: Logits, labels: Labels, k: int) -> NDArray[np.bool_]:
    """Return whether each label is among the `k` highest logits, bool[N].

    Of equal logits the one with the lower class index ranks higher, as in `argmax`; so a network that gives every
    class the same logit scores 1/K, not 1. A `k` above K means K.

    Raises:
        PredictionError: `k` below 1, or bad logits or labels (as in `score`).
    """
    if k < 1:
        raise PredictionError(f"top-k accuracy: k is {k}; give 1 or more")
    check(logits, labels)
    if k == 1:  # ten times as fast as counting higher ones
        return np.asarray(logits.argmax(axis=1) == labels)
    own = logits[np.arange(len(labels)), labels][:, None]
    lower_index = np.arange(logits.shape[1])[None, :] < labels[:, None]
    rank = np.count_nonzero((logits > own) | ((logits == own) & lower_index), axis=1)
    return np.asarray(rank < k, dtype=np.bool_)


def negative_log_likelihood(logits: Logits, labels: Labels) -> float:
    """Return the mean negative log-likelihood of `labels` i64[N] under `logits` f32[N,K], in nats.

    Raises:
        PredictionError: bad logits or labels (as in `score`).
    """
    check(logits, labels)
    return float(-log_softmax(logits)[np.arange(len(labels)), labels].mean())


def per_class_accuracy(logits: Logits, labels: Labels) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the top-1 accuracy of each class, f64[K] with nan where it has no image, and its images, i64[K].

    Raises:
        PredictionError: bad logits or labels (as in `score`).
    """
    correct = top_k_correct(logits, labels, 1)
    classes = logits.shape[1]
    counts = np.bincount(labels, minlength=classes).astype(np.int64)
    hits = np.bincount(labels, weights=correct, minlength=classes)
    accuracy = np.full(classes, np.nan)
    np.divide(hits, counts, out=accuracy, where=counts > 0)
    return accuracy, counts


def confusion(labels: Labels, predicted: Labels, classes: int) -> NDArray[np.int64]:
    """Return how many images of each class (row) were taken for each class (column), i64[K,K].

    Args:
        labels: i64[N].
        predicted: i64[N].
        classes: their number K.
    """
    cells = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return np.asarray(cells.reshape(classes, classes), dtype=np.int64)


def check_logits(logits: Logits) -> None:
    """Check that `logits` are finite numbers of one row an image and one column a class.

    Raises:
        PredictionError: they are not, or there are no images.
    """
    if logits.ndim != 2 or logits.shape[1] == 0:
        raise PredictionError(f"logits: shape {logits.shape}; give one row an image and one column a class")
    if logits.dtype.kind != "f":
        raise PredictionError(f"logits: type {logits.dtype} is not a floating-point number; give the network's output")
    if len(logits) == 0:
        raise PredictionError("logits: there are no images; an accuracy needs at least one")
    if not np.isfinite(logits).all():
        row = int(np.flatnonzero(~np.isfinite(logits).all(axis=1))[0])
        raise PredictionError(f"logits: a value of image {row} is not finite; the network diverged, train it again")


def check(logits: Logits, labels: Labels) -> None:
    """Check that `logits` are good (as `check_logits` says) and that each image has a known label.

    Raises:
        PredictionError: they are not, or one has not.
    """
    check_logits(logits)
    images, classes = logits.shape
    if labels.shape != (images,):
        raise PredictionError(f"labels: shape {labels.shape} for {images} images; give one label an image")
    if labels.dtype.kind not in "iu":
        raise PredictionError(f"labels: type {labels.dtype} is not a whole number; give class indices")
    bad = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(bad):
        label = int(labels[bad[0]])
        reason = "unknown (-1)" if label == -1 else f"{label}, not in 0 to {classes - 1}"
        raise PredictionError(
            f"labels: the label of image {bad[0]} is {reason} ({len(bad)} such); judge a split whose labels are known"
        )
