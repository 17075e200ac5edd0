"""What a classifier reaches on one split."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from thumbnet.metrics.calibration import expected_calibration_error
from thumbnet.metrics.intervals import accuracy_interval, check_counts
from thumbnet.metrics.logits import Labels, Logits, negative_log_likelihood, top_k_correct


@dataclass(frozen=True)
class Accuracy:
    """Top-1 on some images.

    Args:
        correct: images that are classified rightly.
        images: all of them.

    Raises:
        PredictionError: there are no images, or not as many as are right.
    """

    correct: int
    images: int

    def __post_init__(self) -> None:
        check_counts(self.correct, self.images)

    @property
    def top1(self) -> float:
        """The fraction of right images, in [0, 1]."""
        return self.correct / self.images

    @property
    def top1_interval(self) -> tuple[float, float]:
        """The 95% Wilson interval of `top1`."""
        return accuracy_interval(self.correct, self.images)

    @classmethod
    def of(cls, right: NDArray[np.bool_]) -> Self:
        """Return the accuracy where `right`, bool[N], says which images are classified rightly.

        Raises:
            PredictionError: there are no images.
        """
        return cls(int(right.sum()), len(right))


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
