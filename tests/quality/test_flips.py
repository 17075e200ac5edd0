"""Flips on purpose, what is counted of them, and accuracies without images."""

import numpy as np
import pytest

from thumbnet.errors import PredictionError
from thumbnet.metrics import accuracy_interval
from thumbnet.quality.cleaned import accuracy_without
from thumbnet.quality.flips import flip_labels, found


def test_a_share_is_flipped_each_to_another_class_as_the_weights_say() -> None:
    labels = np.arange(4000) % 4
    weights = np.array([[9.0, 1, 3, 0], [1, 0, 0, 0], [1, 1, 0, 1], [0, 1, 0, 0]])
    flipped = flip_labels(labels, 0.5, np.random.default_rng(0), weights)
    assert (flipped != labels).sum() == 2000
    became = [np.bincount(flipped[(labels == label) & (flipped != labels)], minlength=4) for label in range(4)]
    assert became[0][3] == 0
    assert became[0][2] / became[0].sum() == pytest.approx(0.75, abs=0.06)
    assert became[1][0] == became[1].sum()
    assert became[2][[0, 1, 3]].min() > 0.25 * became[2].sum()
    assert weights[0, 0] == 9, "the weights that were given are left alone"
    again = flip_labels(labels, 0.5, np.random.default_rng(0), weights)
    np.testing.assert_array_equal(flipped, again)
    assert (flip_labels(labels, 0.0, np.random.default_rng(0), weights) == labels).all()


def test_impossible_flips_are_refused() -> None:
    labels = np.zeros(10, np.int64)
    with pytest.raises(PredictionError, match=r"share of 1\.5"):
        flip_labels(labels, 1.5, np.random.default_rng(0), np.ones((2, 2)))
    with pytest.raises(PredictionError, match="class 0 leave no other class"):
        flip_labels(labels, 0.5, np.random.default_rng(0), np.eye(2))


def test_nothing_found_and_nothing_wrong_are_zero() -> None:
    none, one = np.zeros(3, np.bool_), np.array([True, False, False])
    assert (found(none, one).precision, found(none, one).recall) == (0.0, 0.0)
    assert (found(one, none).precision, found(one, none).recall) == (0.0, 0.0)
    assert found(one, one).to_json() == {"suspects": 1, "wrong": 1, "hits": 1, "precision": 1.0, "recall": 1.0}


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
