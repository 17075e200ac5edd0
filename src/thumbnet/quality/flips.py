"""Labels flipped on purpose, and how well a search for wrong labels finds them again."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import PredictionError


@dataclass(frozen=True)
class Found:
    """How well suspects agree with the labels that are known to be wrong.

    Args:
        suspects: images that were suspected.
        wrong: images whose labels are wrong.
        hits: images that are both.
        precision: share of the suspects whose labels are wrong; 0 without suspects.
        recall: share of the wrong labels that are suspected; 0 without wrong labels.
    """

    suspects: int
    wrong: int
    hits: int
    precision: float
    recall: float

    def to_json(self) -> dict[str, float]:
        """Return the same as JSON data."""
        return asdict(self)


def flip_labels(
    labels: NDArray[np.int64],
    share: float,
    generator: np.random.Generator,
    weights: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Return `labels` i64[N] with a share of them, drawn at random, replaced by other classes.

    Args:
        labels: class indices in 0 to K - 1.
        share: part of the images whose labels are flipped, in [0, 1]; rounded to whole images.
        generator: draws the images and their new labels.
        weights: f64[K,K]; a label becomes another class with a probability in proportion to its row here. The
            diagonal does not count. All ones give any other class alike.

    Raises:
        PredictionError: the share is not in [0, 1], or a label's row leaves no other class.
    """
    if not 0 <= share <= 1:
        raise PredictionError(f"flipped labels: a share of {share} is not in [0, 1]; 0.1 flips a tenth")
    others = weights.astype(np.float64)
    np.fill_diagonal(others, 0.0)
    rows = generator.choice(len(labels), round(share * len(labels)), replace=False)
    flipped = labels.copy()
    for label in np.unique(labels[rows]).tolist():
        total = others[label].sum()
        if not (others[label] >= 0).all() or not total > 0:
            raise PredictionError(
                f"flipped labels: the weights of class {label} leave no other class; give 0 or more, one above 0"
            )
        own = rows[labels[rows] == label]
        flipped[own] = generator.choice(len(others), len(own), p=others[label] / total)
    return flipped


def found(suspected: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> Found:
    """Return precision and recall of `suspected` bool[N] against `wrong` bool[N]."""
    suspects, errors = int(suspected.sum()), int(wrong.sum())
    hits = int((suspected & wrong).sum())
    return Found(suspects, errors, hits, hits / suspects if suspects else 0.0, hits / errors if errors else 0.0)
