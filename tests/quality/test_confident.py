"""Confident learning: against a slow reading of the paper, on a case worked by hand, and against flips on purpose."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import precision_score, recall_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from thumbnet.errors import PredictionError
from thumbnet.quality import confident
from thumbnet.quality.confident import Method, suspects, suspects_of_parts
from thumbnet.quality.flips import flip_labels, found

Array = NDArray[np.float64]


def noisy(images: int, classes: int, seed: int) -> tuple[Array, NDArray[np.int64]]:
    """Probabilities of a fair network, and labels of which some are wrong; the last class has none."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes - 1, images)
    logits = random.normal(0, 1, (images, classes)) + 2.5 * np.eye(classes)[truth]
    labels = flip_labels(truth, 0.2, random, np.ones((classes, classes)))
    labels[labels == classes - 1] = 0
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), labels


def slow_joint(probabilities: Array, labels: NDArray[np.int64]) -> tuple[list[float], Counter[tuple[int, int]]]:
    """Thresholds and confident joint, image by image, as section 3.1 of the paper words them."""
    classes = probabilities.shape[1]
    thresholds = []
    for j in range(classes):
        own = [row[j] for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True) if label == j]
        thresholds.append(sum(own) / len(own) if own else float("inf"))
    joint: Counter[tuple[int, int]] = Counter()
    for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True):
        confident_in = [j for j in range(classes) if row[j] >= thresholds[j]]
        if confident_in:
            joint[label, max(confident_in, key=lambda j: row[j])] += 1
    return thresholds, joint


def slow_noise_rate(probabilities: Array, labels: NDArray[np.int64], joint: Counter[tuple[int, int]]) -> set[int]:
    """Prune by noise rate: of each pair of classes the images of the greatest margin."""
    chosen: set[int] = set()
    classes = probabilities.shape[1]
    for i in range(classes):
        rows = [n for n, label in enumerate(labels.tolist()) if label == i]
        total = sum(joint[i, j] for j in range(classes))
        for j in range(classes):
            if i != j and joint[i, j]:
                wrong = joint[i, j] * len(rows) // total
                chosen |= set(sorted(rows, key=lambda n: probabilities[n, i] - probabilities[n, j])[:wrong])
    return chosen


def slow_class(probabilities: Array, labels: NDArray[np.int64], joint: Counter[tuple[int, int]]) -> set[int]:
    """Prune by class: of each class the images of the least self-confidence."""
    chosen: set[int] = set()
    classes = probabilities.shape[1]
    for i in range(classes):
        rows = [n for n, label in enumerate(labels.tolist()) if label == i]
        total = sum(joint[i, j] for j in range(classes))
        wrong = sum(joint[i, j] * len(rows) // total for j in range(classes) if i != j) if total else 0
        chosen |= set(sorted(rows, key=lambda n: probabilities[n, i])[:wrong])
    return chosen


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_joint_and_pruning_are_those_of_a_slow_reading(seed: int) -> None:
    probabilities, labels = noisy(400, 7, seed)
    thresholds, joint = slow_joint(probabilities, labels)
    contradicted = {n for n in range(len(labels)) if probabilities[n].argmax() != labels[n]}
    expected: dict[Method, set[int]] = {
        "noise_rate": slow_noise_rate(probabilities, labels, joint),
        "class": slow_class(probabilities, labels, joint),
    }
    expected["both"] = expected["noise_rate"] & expected["class"]
    for method, rows in expected.items():
        result = suspects(probabilities, labels, method)
        assert set(result.rows.tolist()) == rows & contradicted
        assert len(result.rows) > 10
        np.testing.assert_allclose(result.thresholds, thresholds)
        assert result.thresholds[-1] == np.inf
        assert {(i, j): int(result.joint[i, j]) for i, j in zip(*np.nonzero(result.joint), strict=True)} == dict(joint)


def test_a_case_worked_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9], [0.95, 0.05]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    result = suspects(probabilities, labels, "joint")
    np.testing.assert_allclose(result.thresholds, [0.6, 1.55 / 3])
    assert result.joint.tolist() == [[2, 1], [1, 2]]
    # Image 5 gives its label 0.05, image 2 gives its own 0.2: the first is the surer suspect.
    assert result.rows.tolist() == [5, 2]
    assert result.suggested.tolist() == [0, 1]
    np.testing.assert_allclose(result.self_confidence, [0.05, 0.2])
    np.testing.assert_allclose(result.margin, [0.9, 0.6])
    assert np.flatnonzero(result.mask()).tolist() == [2, 5]


def test_suspects_come_in_order_of_what_is_asked() -> None:
    probabilities, labels = noisy(500, 5, 1)
    by_self = suspects(probabilities, labels)
    by_margin = suspects(probabilities, labels, ranking="margin")
    assert (np.diff(by_self.self_confidence) >= 0).all()
    assert (np.diff(by_margin.margin) <= 0).all()
    assert set(by_self.rows.tolist()) == set(by_margin.rows.tolist())
    assert by_self.rows.tolist() != by_margin.rows.tolist()
    np.testing.assert_array_equal(by_self.suggested, probabilities[by_self.rows].argmax(axis=1))


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
        suspected = suspects(probabilities, labels, method).mask()
        figures = found(suspected, wrong)
        assert figures.precision == pytest.approx(precision_score(wrong, suspected))
        assert figures.recall == pytest.approx(recall_score(wrong, suspected))
        assert figures.precision >= precision, (method, figures)
        assert figures.recall >= recall, (method, figures)


def test_right_labels_of_a_sure_network_are_not_suspected() -> None:
    labels = np.arange(60) % 3
    probabilities = np.full((60, 3), 0.05) + 0.85 * np.eye(3)[labels]
    assert len(suspects(probabilities, labels).rows) == 0
    assert len(suspects(probabilities, labels, "both").rows) == 0


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


def test_unknown_choices_are_refused_with_the_known_ones() -> None:
    probabilities, labels = noisy(20, 3, 0)
    with pytest.raises(PredictionError, match="unknown method 'noise-rate'; did you mean noise_rate"):
        suspects(probabilities, labels, "noise-rate")  # type: ignore[arg-type]  # what a program may pass
    with pytest.raises(PredictionError, match="unknown ranking 'size'"):
        suspects(probabilities, labels, ranking="size")  # type: ignore[arg-type]  # what a program may pass


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
