"""What analyses say of themselves, against plain counting."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks import made_analyses as made
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score


def test_accuracies_are_those_of_scikit_learn() -> None:
    found = made.robustness()
    for row in range(2):
        for column in range(5):
            expected = accuracy_score(found.labels, found.predicted[row, column])
            assert found.accuracy()[row, column] == pytest.approx(expected)
            interval = binomtest(round(expected * 10), 10).proportion_ci(method="wilson")
            assert found.cell(row, column).top1 == pytest.approx(expected)
            assert found.cell(row, column).top1_interval == pytest.approx((interval.low, interval.high))
    assert found.clean_accuracy().top1 == pytest.approx(accuracy_score(found.labels, found.clean))
    assert found.mean_accuracy() == pytest.approx(np.mean(found.predicted == found.labels))


def test_what_is_not_computed_has_no_accuracy() -> None:
    whole = made.robustness()
    predicted = whole.predicted.copy()
    predicted[1, 3:] = -1
    found = replace(whole, predicted=predicted)
    assert not found.is_complete
    assert whole.is_complete
    assert found.is_computed().sum() == 8
    assert np.isnan(found.accuracy()[1, 3:]).all()
    np.testing.assert_array_equal(found.accuracy()[0], whole.accuracy()[0])
    assert np.isnan(found.mean_accuracy())


def test_nearest_neighbours_that_agree() -> None:
    whole, expected = made.neighbours(), [True, False] * 5
    labels = whole.found_labels.copy()
    labels[:, 0] = np.where(expected, whole.labels, (whole.labels + 1) % 4)
    # Those further away agree where the nearest does not.
    labels[:, 1:] = np.where(expected, (whole.labels + 1) % 4, whole.labels)[:, None]
    assert replace(whole, found_labels=labels).nearest_correct().tolist() == expected
