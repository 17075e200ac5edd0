"""Section 7: whether the network is right as often as it says, before and after a temperature."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.metrics import Reliability
from thumbnet.predictions import Predictions
from thumbnet.report.facts.judged import Judged
from thumbnet.report.facts.table import Cell, Missing, Table, finite_list

BINS = 15


@dataclass(frozen=True, eq=False)
class Scaled:
    """The same split with all logits divided by a temperature.

    Args:
        temperature: fitted on the holdout, which training did not see.
        fitted_on: how many images of the holdout.
        reliability: of the scaled probabilities.
        nll: mean negative log-likelihood, in nats.
        confidence: f64[N], the scaled probability of the predicted class.
    """

    temperature: float
    fitted_on: int
    reliability: Reliability
    nll: float
    confidence: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibration on a split.

    Args:
        images: N ids.
        split: its name.
        reliability: of the probabilities as they are.
        nll: mean negative log-likelihood, in nats.
        confidence: f64[N], the probability of the predicted class.
        mean_confidence: mean of it.
        accuracy: share of images that are right.
        scaled: with a temperature, or why there is none.
    """

    images: tuple[str, ...]
    split: str
    reliability: Reliability
    nll: float
    confidence: NDArray[np.float64]
    mean_confidence: float
    accuracy: float
    scaled: Scaled | Missing

    def to_json(self) -> dict[str, Any]:
        """Return both as JSON data; shares are fractions, with null for an empty bin."""
        found: dict[str, Any] = {
            "split": self.split,
            "accuracy": self.accuracy,
            "mean_confidence": self.mean_confidence,
            "nll": self.nll,
            **_bins(self.reliability),
        }
        if isinstance(self.scaled, Missing):
            return found | {"scaled": self.scaled.to_json()}
        scaled = {"temperature": self.scaled.temperature, "fitted_on": self.scaled.fitted_on, "nll": self.scaled.nll}
        return found | {"scaled": scaled | _bins(self.scaled.reliability)}

    def tables(self) -> Sequence[Table]:
        """Return one row a bin, before and after the temperature, and where there is one a row an image."""
        sets = [("as it is", self.reliability)]
        if isinstance(self.scaled, Scaled):
            sets.append(("with the temperature", self.scaled.reliability))
        rows: list[tuple[Cell, ...]] = [
            (
                *(name, place / BINS, (place + 1) / BINS, int(one.counts[place])),
                *(float(one.confidence[place]), float(one.accuracy[place])),
            )
            for name, one in sets
            for place in range(BINS)
        ]
        bins = Table("calibration", ("probabilities", "above", "up_to", "images", "confidence", "accuracy"), rows)
        if isinstance(self.scaled, Missing):
            return (bins,)
        pairs = list(zip(self.images, self.confidence.tolist(), self.scaled.confidence.tolist(), strict=True))
        return bins, Table("calibrated-images", ("image", "probability", "scaled_probability"), pairs)


def make_calibration(judged: Judged, holdout: Predictions | Missing) -> Calibration:
    """Return the calibration of a split, with a temperature that is fitted on the `holdout` where it may be."""
    logits, labels = judged.predictions.logits, judged.labels
    confidence = judged.probabilities.max(axis=1)
    return Calibration(
        images=judged.predictions.image_ids,
        split=judged.predictions.split,
        reliability=metrics.reliability(logits, labels, BINS),
        nll=float(judged.loss.mean()),
        confidence=confidence,
        mean_confidence=float(confidence.mean()),
        accuracy=float(1 - judged.wrong.mean()),
        scaled=_scaled(judged, holdout),
    )


def _scaled(judged: Judged, holdout: Predictions | Missing) -> Scaled | Missing:
    if isinstance(holdout, Missing):
        return holdout
    if judged.predictions.split == holdout.split:
        return Missing(
            "the holdout itself is judged here, and a temperature that is fitted on it would flatter it",
            "train with data that has a val split",
        )
    if holdout.classes != judged.predictions.classes:
        return Missing("the stored predictions of the holdout have other classes", "train the run again")
    temperature = metrics.fit_temperature(holdout.logits, holdout.labels)
    logits, labels = judged.predictions.logits.astype(np.float64) / temperature, judged.labels
    return Scaled(
        temperature=temperature,
        fitted_on=len(holdout.labels),
        reliability=metrics.reliability(logits, labels, BINS),
        nll=metrics.negative_log_likelihood(logits, labels),
        confidence=metrics.softmax(logits).max(axis=1),
    )


def _bins(one: Reliability) -> dict[str, Any]:
    return {
        "ece": one.ece,
        "counts": one.counts.tolist(),
        "confidence": finite_list(one.confidence),
        "bin_accuracy": finite_list(one.accuracy),
    }
