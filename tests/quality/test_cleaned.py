"""Accuracies without some of the images."""

import numpy as np
import pytest

from thumbnet.errors import PredictionError
from thumbnet.metrics import accuracy_interval
from thumbnet.quality.cleaned import accuracy_without


def test_accuracy_without_some_images() -> None:
    correct = np.array([True, True, False, False, True])
    removed = np.array([False, False, True, False, True])
    result = accuracy_without(correct, removed)
    assert (result.images, result.removed, result.top1, result.removed_top1) == (3, 2, 2 / 3, 0.5)
    assert result.to_json()["top1_interval"] == list(accuracy_interval(2, 3))
    assert accuracy_without(correct, np.zeros(5, np.bool_)).removed_top1 is None
    nothing = accuracy_without(correct, np.ones(5, np.bool_))
    assert (nothing.images, nothing.top1, nothing.top1_interval) == (0, None, None)
    assert nothing.to_json()["top1_interval"] is None
    with pytest.raises(PredictionError, match="give the same"):
        accuracy_without(correct, removed[:3])
