"""The one definition of accuracy, likelihood and calibration: functions of logits and labels."""

from thumbnet.metrics.calibration import (
    Reliability,
    binned_gap,
    confidence_bins,
    expected_calibration_error,
    fit_temperature,
    reliability,
)
from thumbnet.metrics.intervals import accuracy_interval, deviations, mean_interval, paired_difference
from thumbnet.metrics.logits import (
    Labels,
    Logits,
    check_logits,
    confusion,
    log_softmax,
    negative_log_likelihood,
    per_class_accuracy,
    softmax,
    top_k_correct,
)
from thumbnet.metrics.scores import Accuracy, Scores, score

__all__ = [
    "Accuracy",
    "Labels",
    "Logits",
    "Reliability",
    "Scores",
    "accuracy_interval",
    "binned_gap",
    "check_logits",
    "confidence_bins",
    "confusion",
    "deviations",
    "expected_calibration_error",
    "fit_temperature",
    "log_softmax",
    "mean_interval",
    "negative_log_likelihood",
    "paired_difference",
    "per_class_accuracy",
    "reliability",
    "score",
    "softmax",
    "top_k_correct",
]
