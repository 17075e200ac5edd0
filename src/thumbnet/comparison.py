"""Whether one set of predictions is better than another on the same images, or differs by chance alone."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.errors import PredictionError
from thumbnet.predictions import Predictions, align
from thumbnet.text import chance

LEVEL = 0.05
"""A difference whose p-value is below this is called real."""


@dataclass(frozen=True)
class Comparison:
    """Two accuracies on the same images, and how sure their difference is.

    Args:
        first_top1: accuracy of the first, in [0, 1].
        second_top1: accuracy of the second, in [0, 1].
        difference: the second's accuracy less the first's.
        interval: 95% interval of the difference, paired by image (`metrics.paired_difference`).
        p_value: of McNemar's exact test: how often two equally good networks would differ by as many images or more.
        fixed: images that the second alone classifies rightly.
        broken: images that the first alone classifies rightly.
        images: how many were judged.
    """

    first_top1: float
    second_top1: float
    difference: float
    interval: tuple[float, float]
    p_value: float
    fixed: int
    broken: int
    images: int

    @property
    def is_real(self) -> bool:
        """Whether chance alone would seldom (less than once in 20) give such a difference."""
        return self.p_value < LEVEL

    def sentence(self, first: str = "the first", second: str = "the second") -> str:
        """Return in one sentence whether the difference is real."""
        points = f"{100 * abs(self.difference):.2f} points"
        digits = 3 if 0.9 * LEVEL <= self.p_value < 1.1 * LEVEL else 2
        told = chance(self.p_value, digits)
        if not self.is_real:
            return (
                f"No difference is shown: {second} and {first} are {points} apart; two equally good networks would "
                f"be as far apart or further {100 * self.p_value:.1f} times in 100 ({told})."
            )
        better = "better" if self.difference > 0 else "worse"
        return f"The difference is real: {second} is {points} {better} than {first} ({told})."

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON data; accuracies are fractions."""
        return {**dataclasses.asdict(self), "interval": list(self.interval), "is_real": self.is_real}


def compare(first: Predictions, second: Predictions) -> Comparison:
    """Return how `second` stands to `first`; their images may be in different orders.

    Raises:
        PredictionError: they do not judge the same images of the same data, or a label is unknown.
    """
    logits = align([first, second], "comparison: the two")
    return compare_right(*(metrics.top_k_correct(one, first.labels, 1) for one in logits))


def compare_right(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Comparison:
    """Return how `second` stands to `first`, both bool[N]: whether each image is classified rightly.

    Raises:
        PredictionError: there are no images, or not as many in both.
    """
    difference, interval = metrics.paired_difference(first, second)
    fixed, broken = int(np.count_nonzero(second & ~first)), int(np.count_nonzero(first & ~second))
    return Comparison(
        first_top1=float(first.mean()),
        second_top1=float(second.mean()),
        difference=float(difference),
        interval=interval,
        p_value=mcnemar(fixed, broken),
        fixed=fixed,
        broken=broken,
        images=len(first),
    )


def mcnemar(fixed: int, broken: int) -> float:
    """Return the p-value, in [0, 1], of McNemar's exact test on the images that one network alone classifies rightly.

    Were both networks equally good, each such image would be either's by the toss of a coin; both sides count.
    Source: McNemar, 'Note on the sampling error of the difference between correlated proportions or percentages',
    Psychometrika 12 (1947), with the binomial distribution instead of its approximation.

    Raises:
        PredictionError: a count is negative.
    """
    from scipy.special import bdtr

    if fixed < 0 or broken < 0:
        raise PredictionError(f"McNemar's test: {min(fixed, broken)} images; give counts of 0 or more")
    if fixed == broken:
        return 1.0
    return min(1.0, 2 * float(bdtr(min(fixed, broken), fixed + broken, 0.5)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return each p-value adjusted for all of them, in [0, 1], so that a level bounds the family-wise error.

    Source: Holm, 'A simple sequentially rejective multiple test procedure', Scandinavian Journal of Statistics 6
    (1979).
    """
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
