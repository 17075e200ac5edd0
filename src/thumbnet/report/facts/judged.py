"""What a network says of every image of the judged split, one row an image; the other figures follow from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.predictions import Predictions
from thumbnet.report.facts.table import Table


@dataclass(frozen=True, eq=False)
class Judged:
    """Labelled predictions, with what each section takes from them, computed once.

    Args:
        predictions: labelled.
        names: K names of classes, in the order of the columns.
        probabilities: f64[N,K].
        predicted: i64[N], class indices.
        loss: f64[N], negative log-likelihood of each label, in nats.
        in_top5: bool[N], whether the label is among the five likeliest classes (all, with fewer).
        confusion: i64[K,K], images of each class (row) by predicted class (column).
    """

    predictions: Predictions
    names: tuple[str, ...]
    probabilities: NDArray[np.float64]
    predicted: NDArray[np.int64]
    loss: NDArray[np.float64]
    in_top5: NDArray[np.bool_]
    confusion: NDArray[np.int64]

    @property
    def labels(self) -> NDArray[np.int64]:
        """The label of each image, i64[N]."""
        return self.predictions.labels

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Whether each image is classified wrongly, bool[N]."""
        return np.asarray(self.predicted != self.labels)

    def to_json(self) -> dict[str, Any]:
        """Return the scores of the split."""
        return {"split": self.predictions.split, **self.predictions.scores().to_json()}

    def tables(self) -> Sequence[Table]:
        """Return one row an image, with the five likeliest classes counting as `in_top5` (all, with fewer)."""
        rows = np.arange(len(self.labels))
        ids = self.predictions.classes
        columns = (
            self.predictions.image_ids,
            [ids[label] for label in self.labels],
            [ids[label] for label in self.predicted],
            self.probabilities[rows, self.labels].tolist(),
            self.probabilities[rows, self.predicted].tolist(),
            self.loss.tolist(),
            (~self.wrong).tolist(),
            self.in_top5.tolist(),
        )
        header = ("image", "true", "predicted", "true_probability", "probability", "loss", "right", "in_top5")
        return (Table("images", header, list(zip(*columns, strict=True))),)


def judge_images(predictions: Predictions, names: tuple[str, ...]) -> Judged:
    """Return what the sections take from labelled `predictions`.

    Raises:
        PredictionError: there are no images, a label is unknown, or a logit is not finite.
    """
    labels = predictions.labels
    logarithms = metrics.log_softmax(predictions.logits)
    rows = np.arange(len(labels))
    predicted = predictions.predicted()
    return Judged(
        predictions=predictions,
        names=names,
        probabilities=np.exp(logarithms),
        predicted=predicted,
        loss=-logarithms[rows, labels],
        in_top5=metrics.top_k_correct(predictions.logits, labels, 5),
        confusion=metrics.confusion(labels, predicted, len(predictions.classes)),
    )
