"""The one definition of accuracy, likelihood and calibration: functions of logits and labels."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import PredictionError

Logits = NDArray[np.float32] | NDArray[np.float64]
"""Unnormalised log-probabilities, N images by K classes."""

Labels = NDArray[np.int64]
"""Class indices, one an image, each in 0 to K - 1."""


@dataclass(frozen=True)
class Scores:
    """What a classifier reaches on one split.

    Args:
        top1: fraction of images whose label has the highest logit, in [0, 1].
        top5: fraction of images whose label is among the five highest logits (all of them with fewer classes).
        top1_interval: 95% Wilson interval of `top1`.
        top5_interval: 95% Wilson interval of `top5`.
        nll: mean negative log-likelihood of the labels, in nats.
        ece: expected calibration error over 15 equal-width bins, in [0, 1].
        images: how many images were judged.
    """

    top1: float
    top5: float
    top1_interval: tuple[float, float]
    top5_interval: tuple[float, float]
    nll: float
    ece: float
    images: int

    def to_json(self) -> dict[str, Any]:
        """Return the scores as JSON data; accuracies are fractions, intervals lists of two."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(self).items()
        }


def score(logits: Logits, labels: Labels) -> Scores:
    """Return all scores of `logits` f32[N,K] against `labels` i64[N].

    Raises:
        PredictionError: no images, shapes that do not fit, a logit that is not finite or a label out of range.
    """
    images = len(labels)
    top1 = int(top_k_correct(logits, labels, 1).sum())
    top5 = int(top_k_correct(logits, labels, 5).sum())
    return Scores(
        top1=top1 / images,
        top5=top5 / images,
        top1_interval=accuracy_interval(top1, images),
        top5_interval=accuracy_interval(top5, images),
        nll=negative_log_likelihood(logits, labels),
        ece=expected_calibration_error(logits, labels),
        images=images,
    )


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
    _check(logits, labels)
    if k == 1:  # ten times as fast as counting higher ones
        return np.asarray(logits.argmax(axis=1) == labels)
    own = logits[np.arange(len(labels)), labels][:, None]
    lower_index = np.arange(logits.shape[1])[None, :] < labels[:, None]
    rank = np.count_nonzero((logits > own) | ((logits == own) & lower_index), axis=1)
    return np.asarray(rank < k, dtype=np.bool_)


def accuracy_interval(correct: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of the fraction `correct` of `total`, as two fractions in [0, 1].

    Source: E. B. Wilson, 'Probable inference, the law of succession, and statistical inference', JASA 22 (1927).

    Raises:
        PredictionError: `total` below 1, `correct` not in 0 to `total`, or `level` not in (0, 1).
    """
    if total < 1:
        raise PredictionError("accuracy: there are no images; an accuracy needs at least one")
    if not 0 <= correct <= total:
        raise PredictionError(f"accuracy: {correct} correct of {total} images is impossible; check the counts")
    if not 0 < level < 1:
        raise PredictionError(f"accuracy: a confidence level of {level} is not in (0, 1); 0.95 is usual")
    z = NormalDist().inv_cdf((1 + level) / 2)
    fraction = correct / total
    centre = fraction + z * z / (2 * total)
    spread = z * math.sqrt(fraction * (1 - fraction) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    # At none and all correct the bound is exactly 0 and 1; rounding would leave it a little beside.
    low = 0.0 if correct == 0 else (centre - spread) / scale
    high = 1.0 if correct == total else (centre + spread) / scale
    return low, high


def paired_difference(
    first: NDArray[np.bool_], second: NDArray[np.bool_], level: float = 0.95
) -> tuple[float, tuple[float, float]]:
    """Return how much more often `second` is right than `first`, and the interval of that difference of accuracies.

    Both bool[N] judge the same images, so only those count that one of them alone gets right. One more such image each
    way keeps the interval from vanishing when there are few.
    Source: Bonett and Price, 'Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data', Journal of Educational and Behavioral Statistics 37 (2012).

    Raises:
        PredictionError: there are no images, or not as many in both.
    """
    if first.shape != second.shape or first.ndim != 1 or len(first) == 0:
        raise PredictionError(f"difference: {first.shape} and {second.shape} images; give the same ones, at least one")
    images = len(first)
    gained, lost = np.count_nonzero(second & ~first), np.count_nonzero(first & ~second)
    up, down = (gained + 1) / (images + 2), (lost + 1) / (images + 2)
    spread = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt((up + down - (up - down) ** 2) / (images + 2))
    return (gained - lost) / images, (max(-1.0, up - down - spread), min(1.0, up - down + spread))


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Return Student's interval of the mean of `values`, of which there are two or more.

    Raises:
        PredictionError: there are fewer than two values.
    """
    from scipy.stats import t

    if len(values) < 2:
        raise PredictionError(f"interval of a mean: {len(values)} values; give two or more")
    half = float(t.ppf((1 + level) / 2, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


def negative_log_likelihood(logits: Logits, labels: Labels) -> float:
    """Return the mean negative log-likelihood of `labels` i64[N] under `logits` f32[N,K], in nats.

    Raises:
        PredictionError: bad logits or labels (as in `score`).
    """
    _check(logits, labels)
    return float(-log_softmax(logits)[np.arange(len(labels)), labels].mean())


def expected_calibration_error(logits: Logits, labels: Labels, bins: int = 15) -> float:
    """Return the mean gap between confidence and accuracy over `bins` equal-width bins of the top probability.

    Bin i holds the top probabilities in (i/bins, (i+1)/bins] and counts by its share of the images.
    Source: Guo et al., 'On calibration of modern neural networks', ICML 2017, equation 3.

    Raises:
        PredictionError: `bins` below 1, or bad logits or labels (as in `score`).
    """
    return reliability(logits, labels, bins).ece


@dataclass(frozen=True, eq=False)
class Reliability:
    """How confidence and accuracy agree, bin by bin of the top probability; bin i holds (i/bins, (i+1)/bins].

    Args:
        counts: i64[bins], images of each bin.
        accuracy: f64[bins], share of them that are right; nan where there is none.
        confidence: f64[bins], their mean top probability; nan where there is none.
        ece: the expected calibration error, in [0, 1].
    """

    counts: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    confidence: NDArray[np.float64]
    ece: float


def reliability(logits: Logits, labels: Labels, bins: int = 15) -> Reliability:
    """Return accuracy and confidence of `bins` equal-width bins of the top probability.

    Source: Guo et al., 'On calibration of modern neural networks', ICML 2017, section 2.

    Raises:
        PredictionError: `bins` below 1, or bad logits or labels (as in `score`).
    """
    if bins < 1:
        raise PredictionError(f"calibration error: {bins} bins; give 1 or more")
    correct = top_k_correct(logits, labels, 1)
    # A probability can round to a little above 1.
    confidence = np.minimum(softmax(logits).max(axis=1), 1.0)
    place = confidence_bins(confidence, bins)
    counts = np.bincount(place, minlength=bins).astype(np.int64)
    gaps = np.bincount(place, weights=correct - confidence, minlength=bins)
    known = np.where(counts > 0, counts, np.nan)
    return Reliability(
        counts=counts,
        accuracy=np.bincount(place, weights=correct, minlength=bins) / known,
        confidence=np.bincount(place, weights=confidence, minlength=bins) / known,
        ece=float(np.abs(gaps).sum() / len(labels)),
    )


def confidence_bins(confidence: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Return the bin of each `confidence` f64[N], i64[N]: of `bins` of equal width, each with its upper end."""
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """Return the positive number that, dividing the `logits`, makes the `labels` most likely; in 0.01 to 100.

    Source: Guo et al., 'On calibration of modern neural networks', ICML 2017, section 4.2.

    Raises:
        PredictionError: bad logits or labels (as in `score`).
    """
    from scipy.optimize import minimize_scalar

    _check(logits, labels)
    wide = logits.astype(np.float64)

    def loss(exponent: float) -> float:
        return negative_log_likelihood(wide / math.exp(exponent), labels)

    end = math.log(100)
    return math.exp(minimize_scalar(loss, bounds=(-end, end), method="bounded", options={"xatol": 1e-6}).x)


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


def _check(logits: Logits, labels: Labels) -> None:
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
