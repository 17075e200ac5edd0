"""Intervals of accuracies and of means."""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import PredictionError


def deviations(level: float = 0.95) -> float:
    """Return within how many standard deviations of its mean a normal value lies with the probability `level`."""
    return NormalDist().inv_cdf((1 + level) / 2)


def check_counts(correct: int, total: int) -> None:
    """Check that `correct` of `total` images can be classified rightly.

    Raises:
        PredictionError: `total` below 1, or `correct` not in 0 to `total`.
    """
    if total < 1:
        raise PredictionError("accuracy: there are no images; an accuracy needs at least one")
    if not 0 <= correct <= total:
        raise PredictionError(f"accuracy: {correct} correct of {total} images is impossible; check the counts")


def accuracy_interval(correct: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of the fraction `correct` of `total`, as two fractions in [0, 1].

    Source: E. B. Wilson, 'Probable inference, the law of succession, and statistical inference', JASA 22 (1927).

    Raises:
        PredictionError: `total` below 1, `correct` not in 0 to `total`, or `level` not in (0, 1).
    """
    check_counts(correct, total)
    if not 0 < level < 1:
        raise PredictionError(f"accuracy: a confidence level of {level} is not in (0, 1); 0.95 is usual")
    z = deviations(level)
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
    spread = deviations(level) * math.sqrt((up + down - (up - down) ** 2) / (images + 2))
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
