"""Confident learning: against a slow reading of the paper, and on a case worked by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.quality.slow import Array, contradicted, noisy, slow_class, slow_joint
from thumbnet.errors import PredictionError
from thumbnet.quality import confident
from thumbnet.quality.confident import suspects, suspects_of_parts


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_joint_and_pruning_are_those_of_a_slow_reading(seed: int) -> None:
    probabilities, labels = noisy(400, 7, seed)
    thresholds, joint = slow_joint(probabilities, labels)
    result = suspects(probabilities, labels)
    assert set(result.rows.tolist()) == slow_class(probabilities, labels, joint) & contradicted(probabilities, labels)
    assert len(result.rows) > 10
    np.testing.assert_allclose(result.thresholds, thresholds)
    assert result.thresholds[-1] == np.inf
    assert {(i, j): int(result.joint[i, j]) for i, j in zip(*np.nonzero(result.joint), strict=True)} == dict(joint)


def test_a_case_worked_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9], [0.95, 0.05]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    result = suspects(probabilities, labels)
    np.testing.assert_allclose(result.thresholds, [0.6, 1.55 / 3])
    assert result.joint.tolist() == [[2, 1], [1, 2]]
    # Image 5 gives its label 0.05, image 2 gives its own 0.2: the first is the surer suspect.
    assert result.rows.tolist() == [5, 2]
    assert result.suggested.tolist() == [0, 1]
    np.testing.assert_allclose(result.self_confidence, [0.05, 0.2])
    np.testing.assert_allclose(result.margin, [0.9, 0.6])
    assert np.flatnonzero(result.mask()).tolist() == [2, 5]


def test_the_least_sure_of_their_label_come_first() -> None:
    probabilities, labels = noisy(500, 5, 1)
    result = suspects(probabilities, labels)
    assert (np.diff(result.self_confidence) >= 0).all()
    np.testing.assert_array_equal(result.self_confidence, probabilities[result.rows, labels[result.rows]])
    np.testing.assert_array_equal(result.suggested, probabilities[result.rows].argmax(axis=1))


def test_right_labels_of_a_sure_network_are_not_suspected() -> None:
    labels = np.arange(60) % 3
    probabilities = np.full((60, 3), 0.05) + 0.85 * np.eye(3)[labels]
    assert len(suspects(probabilities, labels).rows) == 0


def test_two_classes_and_many_classes() -> None:
    probabilities, labels = noisy(200, 3, 0)
    assert suspects(probabilities, labels).images == 200
    probabilities, labels = noisy(3000, 1000, 0)
    result = suspects(probabilities, labels)
    assert result.joint.shape == (1000, 1000)
    assert result.joint.sum() <= 3000


def test_estimates_never_exceed_the_images_of_a_class() -> None:
    joint = np.array([[0, 1, 2], [0, 0, 0], [0, 5, 5]])
    labels = np.array([0, 0, 1, 1, 2])
    assert confident.estimated_errors(joint, labels).tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (np.zeros((0, 2)), np.zeros(0, np.int64), "shape"),
        (np.ones(3), np.zeros(3, np.int64), "shape"),
        (np.array([[0.5, 0.5], [np.nan, 1]]), np.array([0, 1]), "row 1 is not a row of probabilities"),
        (np.array([[0.5, 0.5], [2, -1]]), np.array([0, 1]), "row 1 is not"),
        (np.array([[0.5, 0.6]]), np.array([0]), "row 0 is not"),
        (np.full((2, 2), 0.5), np.array([0, -1]), "range from -1 to 0"),
        (np.full((2, 2), 0.5), np.array([0, 2]), "range from 0 to 2"),
        (np.full((2, 2), 0.5), np.array([0]), "for 2 images"),
        (np.full((2, 2), 0.5), np.array([0.0, 1.0]), "float64"),
    ],
)
def test_what_is_no_probability_or_label_is_refused(
    probabilities: Array, labels: NDArray[np.int64], message: str
) -> None:
    with pytest.raises(PredictionError, match=message) as raised:
        suspects(probabilities, labels)
    assert "\n" not in str(raised.value)


def test_parts_of_the_probabilities_give_the_same_as_all_of_them() -> None:
    probabilities, labels = noisy(700, 6, 3)
    calls = []

    def parts() -> list[Array]:
        calls.append(1)
        return [probabilities[start : start + 90] for start in range(0, 700, 90)]

    whole, found = suspects(probabilities, labels), suspects_of_parts(parts, labels, 6)
    assert len(whole.rows) > 20
    assert len(calls) == 2
    for name in ("rows", "suggested", "self_confidence", "margin", "thresholds", "joint"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    with pytest.raises(PredictionError, match="row 95 is not a row of probabilities"):
        suspects_of_parts(lambda: [probabilities[:90], probabilities[90:] * (np.arange(610) != 5)[:, None]], labels, 6)
    with pytest.raises(PredictionError, match="610 rows for 700 images"):
        suspects_of_parts(lambda: [probabilities[:610]], labels, 6)
