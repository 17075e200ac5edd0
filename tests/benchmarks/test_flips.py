"""Flips on purpose, what is counted of them, and the ways in which they are searched."""

import numpy as np
import pytest
from benchmarks.flips import Method, by_margin, flip_labels, found, suspected
from sklearn.datasets import load_digits
from sklearn.metrics import precision_score, recall_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from tests.quality.slow import contradicted, noisy, slow_class, slow_joint, slow_noise_rate
from thumbnet.errors import PredictionError
from thumbnet.quality.confident import suspects


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


@pytest.mark.parametrize("seed", range(5))
def test_ways_of_choosing_are_those_of_a_slow_reading(seed: int) -> None:
    probabilities, labels = noisy(400, 7, seed)
    _, joint = slow_joint(probabilities, labels)
    expected: dict[Method, set[int]] = {
        "noise_rate": slow_noise_rate(probabilities, labels, joint),
        "class": slow_class(probabilities, labels, joint),
    }
    expected["both"] = expected["noise_rate"] & expected["class"]
    for method, rows in expected.items():
        result = suspected(probabilities, labels, method)
        assert set(result.tolist()) == rows & contradicted(probabilities, labels)
        assert len(result) > 10
        assert (np.diff(probabilities[result, labels[result]]) >= 0).all()
    assert suspected(probabilities, labels, "class").tolist() == suspects(probabilities, labels).rows.tolist()


def test_the_joint_of_a_case_worked_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9], [0.95, 0.05]])
    assert suspected(probabilities, np.array([0, 0, 0, 1, 1, 1]), "joint").tolist() == [5, 2]


def test_margins_give_another_order() -> None:
    probabilities, labels = noisy(500, 5, 1)
    rows = suspected(probabilities, labels, "class")
    ordered = by_margin(rows, probabilities, labels)
    assert (np.diff(probabilities[ordered].max(axis=1) - probabilities[ordered, labels[ordered]]) <= 0).all()
    assert set(ordered.tolist()) == set(rows.tolist())
    assert ordered.tolist() != rows.tolist()


def test_flips_on_purpose_are_found_in_the_digits() -> None:
    """A tenth of 1,797 labels flipped; probabilities cross-fitted on the flipped labels by another library."""
    images, truth = load_digits(return_X_y=True)
    truth = truth.astype(np.int64)
    labels = flip_labels(truth, 0.1, np.random.default_rng(0), np.ones((10, 10)))
    wrong = labels != truth
    assert wrong.sum() == 180
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    probabilities = cross_val_predict(KNeighborsClassifier(15), images, labels, cv=folds, method="predict_proba")
    wanted: dict[Method, tuple[float, float]] = {
        "joint": (0.95, 0.8),
        "class": (0.95, 0.8),
        "noise_rate": (0.93, 0.8),
        "both": (0.95, 0.7),
    }
    for method, (precision, recall) in wanted.items():
        mask = np.isin(np.arange(len(labels)), suspected(probabilities, labels, method))
        figures = found(mask, wrong)
        assert figures.precision == pytest.approx(precision_score(wrong, mask))
        assert figures.recall == pytest.approx(recall_score(wrong, mask))
        assert figures.precision >= precision, (method, figures)
        assert figures.recall >= recall, (method, figures)
