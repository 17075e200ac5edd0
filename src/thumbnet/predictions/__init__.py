"""Saved predictions: the pivot from which accuracies, ensembles, reports and submissions are computed."""

from thumbnet.predictions.alignment import align
from thumbnet.predictions.provenance import judged_split, trained_on
from thumbnet.predictions.saved import Predictions

__all__ = ["Predictions", "align", "judged_split", "trained_on"]
