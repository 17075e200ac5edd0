"""Saved predictions: the pivot from which accuracies, ensembles, reports and submissions are computed."""

from thumbnet.predictions.alignment import align
from thumbnet.predictions.provenance import trained_on
from thumbnet.predictions.saved import Predictions

__all__ = ["Predictions", "align", "trained_on"]
