"""Whether the network is right as often as it says, before and after a temperature."""

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
_DRAWS = 200


@dataclass(frozen=True, eq=False)
class Scaled:
    """The same split with all logits divided by a temperature.

    Args:
        temperature: fitted on the holdout, which training did not see.
        fitted_on: how many images of the holdout.
        reliability: of the scaled probabilities.
        nll: mean negative log-likelihood, in nats.
        confidence: f64[N], the scaled probability of the predicted class.
        chance_ece: as that of `Calibration`, for these.
    """

    temperature: float
    fitted_on: int
    reliability: Reliability
    nll: float
    confidence: NDArray[np.float64]
    chance_ece: tuple[float, float]


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
        gap_interval: 95% interval of the mean confidence less the accuracy, by Student over images.
        chance_ece: mean and 95th percentile of the calibration error of networks that are right exactly as often as
            these confidences say, on as many images: what is seen of perfect calibration.
        scaled: with a temperature, or why there is none.
    """

    images: tuple[str, ...]
    split: str
    reliability: Reliability
    nll: float
    confidence: NDArray[np.float64]
    mean_confidence: float
    accuracy: float
    gap_interval: tuple[float, float]
    chance_ece: tuple[float, float]
    scaled: Scaled | Missing

    @property
    def gap(self) -> float:
        """The mean confidence less the accuracy: above 0 where the network is too sure."""
        return self.mean_confidence - self.accuracy

    @property
    def is_told(self) -> bool:
        """Whether the gap can be told from none: its interval does not hold 0."""
        return not self.gap_interval[0] <= 0 <= self.gap_interval[1]

    def to_json(self) -> dict[str, Any]:
        """Return both as JSON data; shares are fractions, with null for an empty bin."""
        found: dict[str, Any] = {
            "split": self.split,
            "accuracy": self.accuracy,
            "mean_confidence": self.mean_confidence,
            "gap": self.gap,
            "gap_interval": list(self.gap_interval),
            "chance_ece": {"mean": self.chance_ece[0], "high": self.chance_ece[1]},
            "nll": self.nll,
            **_bins(self.reliability),
        }
        if isinstance(self.scaled, Missing):
            return found | {"scaled": self.scaled.to_json()}
        scaled: dict[str, Any] = {
            "temperature": self.scaled.temperature,
            "fitted_on": self.scaled.fitted_on,
            "nll": self.scaled.nll,
        }
        scaled["chance_ece"] = {"mean": self.scaled.chance_ece[0], "high": self.scaled.chance_ece[1]}
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
        gap_interval=gap_interval(confidence, ~judged.wrong),
        chance_ece=chance_ece(confidence),
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
    confidence = metrics.softmax(logits).max(axis=1)
    return Scaled(
        temperature=temperature,
        fitted_on=len(holdout.labels),
        reliability=metrics.reliability(logits, labels, BINS),
        nll=metrics.negative_log_likelihood(logits, labels),
        confidence=confidence,
        chance_ece=chance_ece(confidence),
    )


def gap_interval(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Return Student's 95% interval of the mean of `confidence` f64[N] less `right` bool[N].

    One image tells nothing of the spread; its interval reaches 1 to both sides.
    """
    gaps = (confidence - right).tolist()
    return metrics.mean_interval(gaps) if len(gaps) > 1 else (gaps[0] - 1, gaps[0] + 1)


def chance_ece(confidence: NDArray[np.float64], draws: int = _DRAWS) -> tuple[float, float]:
    """Return mean and 95th percentile of the calibration error where each answer is right with its confidence f64[N].

    Whether an answer is right is drawn anew each time, from a fixed seed. Source: Bröcker and Smith, 'Increasing the
    reliability of reliability diagrams', Weather and Forecasting 22 (2007), for diagrams.
    """
    random = np.random.default_rng(0)
    place = metrics.confidence_bins(confidence, BINS)
    errors = []
    for _ in range(draws):
        right = random.random(len(confidence)) < confidence
        errors.append(metrics.binned_gap(place, right, confidence, BINS))
    return float(np.mean(errors)), float(np.percentile(errors, 95))


def _bins(one: Reliability) -> dict[str, Any]:
    return {
        "ece": one.ece,
        "counts": one.counts.tolist(),
        "confidence": finite_list(one.confidence),
        "bin_accuracy": finite_list(one.accuracy),
    }
