"""Saved predictions: the pivot from which accuracies, ensembles, reports and submissions are computed."""

from thumbnet.predictions.alignment import align
from thumbnet.predictions.provenance import (
    SPLITS,
    UNTESTED,
    choice_note,
    chosen_on,
    is_scored,
    is_split,
    judged_split,
    trained_on,
)
from thumbnet.predictions.saved import Predictions

__all__ = [
    "SPLITS",
    "Predictions",
    "align",
    "choice_note",
    "chosen_on",
    "is_scored",
    "is_split",
    "judged_split",
    "UNTESTED",
    "trained_on",
]
