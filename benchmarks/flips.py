"""Labels flipped on purpose, other ways of choosing suspects, and how well a search finds wrong labels again."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import PredictionError
from thumbnet.quality.confident import Probabilities, Suspects, confident_classes, estimated_errors, suspects

Method = Literal["joint", "class", "noise_rate", "both"]
"""How suspects are chosen: off the diagonal of the joint, by class as thumbnet does, by noise rate, or by both."""


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


def suspected(probabilities: Probabilities, labels: NDArray[np.int64], method: Method) -> NDArray[np.int64]:
    """Return the images i64[S] that a method suspects, those of least probability of their label first.

    Args:
        probabilities: f64[N,K], out of sample.
        labels: i64[N], class indices.
        method: `class` is what `suspects` does. `joint` takes what the confident joint counts off its diagonal;
            `noise_rate` of each pair of label and other class those of greatest margin between the two, as many as
            the joint estimates; `both` what `class` and `noise_rate` agree on. No image is a suspect whose label is
            its likeliest class.

    Raises:
        PredictionError: as `suspects`.
    """
    found = suspects(probabilities, labels)
    chosen = _chosen(probabilities, labels, found, method) & (probabilities.argmax(axis=1) != labels)
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(probabilities[rows, labels[rows]], kind="stable")]


def by_margin(rows: NDArray[np.int64], probabilities: Probabilities, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return suspects `rows` i64[S] with those first whose likeliest class is furthest above their label."""
    ordered = np.sort(rows)
    margin = probabilities[ordered].max(axis=1) - probabilities[ordered, labels[ordered]]
    return ordered[np.argsort(-margin, kind="stable")]


def _chosen(
    probabilities: Probabilities, labels: NDArray[np.int64], found: Suspects, method: Method
) -> NDArray[np.bool_]:
    if method == "class":
        return found.mask()
    if method == "joint":
        members = confident_classes(probabilities, found.thresholds)
        return np.asarray((members >= 0) & (members != labels))
    chosen = _by_noise_rate(probabilities, labels, estimated_errors(found.joint, labels))
    return chosen & found.mask() if method == "both" else chosen


def _by_noise_rate(
    probabilities: Probabilities, labels: NDArray[np.int64], errors: NDArray[np.int64]
) -> NDArray[np.bool_]:
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for label in np.flatnonzero(errors.any(axis=1)).tolist():
        rows = np.flatnonzero(labels == label)
        for other in np.flatnonzero(errors[label]).tolist():
            margin = probabilities[rows, other] - probabilities[rows, label]
            chosen[rows[np.argsort(-margin, kind="stable")[: errors[label, other]]]] = True
    return chosen
