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
        rank: i64[N], how many classes rank above the label; 0 where it is predicted.
        confusion: i64[K,K], images of each class (row) by predicted class (column).
    """

    predictions: Predictions
    names: tuple[str, ...]
    probabilities: NDArray[np.float64]
    predicted: NDArray[np.int64]
    loss: NDArray[np.float64]
    rank: NDArray[np.int64]
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
            (self.rank < 5).tolist(),
        )
        header = ("image", "true", "predicted", "true_probability", "probability", "loss", "right", "in_top5")
        return (Table("images", header, list(zip(*columns, strict=True))),)


def judge_images(predictions: Predictions, names: tuple[str, ...]) -> Judged:
    """Return what the sections take from labelled `predictions`.

    Raises:
        PredictionError: there are no images, a label is unknown, or a logit is not finite.
    """
    labels, count = predictions.labels, len(predictions.classes)
    logarithms = metrics.log_softmax(predictions.logits)
    rows = np.arange(len(labels))
    predicted = predictions.predicted()
    return Judged(
        predictions=predictions,
        names=names,
        probabilities=np.exp(logarithms),
        predicted=predicted,
        loss=-logarithms[rows, labels],
        rank=_ranks(predictions),
        confusion=np.bincount(labels * count + predicted, minlength=count * count).reshape(count, count),
    )


def _ranks(predictions: Predictions) -> NDArray[np.int64]:
    """Return the rank of each label, i64[N], from 0; of equal logits the lower class ranks higher."""
    order = np.argsort(-predictions.logits, axis=1, kind="stable")
    return np.asarray(np.argmax(order == predictions.labels[:, None], axis=1), dtype=np.int64)
