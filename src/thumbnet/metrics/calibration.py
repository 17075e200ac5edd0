"""How well confidence agrees with accuracy."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import PredictionError
from thumbnet.metrics.logits import Labels, Logits, check, negative_log_likelihood, softmax, top_k_correct


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
    known = np.where(counts > 0, counts, np.nan)
    return Reliability(
        counts=counts,
        accuracy=np.bincount(place, weights=correct, minlength=bins) / known,
        confidence=np.bincount(place, weights=confidence, minlength=bins) / known,
        ece=binned_gap(place, correct, confidence, bins),
    )


def binned_gap(
    place: NDArray[np.int64], correct: NDArray[np.bool_], confidence: NDArray[np.float64], bins: int
) -> float:
    """Return the calibration error of answers, in [0, 1]: the mean over images of the gap of their bin.

    Args:
        place: i64[N], the bin of each image, as `confidence_bins` gives it.
        correct: bool[N], whether each is right.
        confidence: f64[N], how sure the answer is.
        bins: how many there are.
    """
    gaps = np.bincount(place, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(place))


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

    check(logits, labels)
    wide = logits.astype(np.float64)

    def loss(exponent: float) -> float:
        return negative_log_likelihood(wide / math.exp(exponent), labels)

    end = math.log(100)
    return math.exp(minimize_scalar(loss, bounds=(-end, end), method="bounded", options={"xatol": 1e-6}).x)
