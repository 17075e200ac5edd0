"""Metrics against scikit-learn, scipy and figures worked out by hand."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import softmax as scipy_softmax
from scipy.stats import binomtest, norm
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, top_k_accuracy_score

from thumbnet import metrics
from thumbnet.errors import PredictionError


def sample(images: int = 500, classes: int = 20, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, images)
    logits = generator.normal(size=(images, classes)).astype(np.float32) * 2
    logits[np.arange(images), labels] += generator.normal(1.5, 1.0, images).astype(np.float32)
    return logits, labels


def reference_ece(probabilities: NDArray[np.float64], labels: NDArray[np.int64], bins: int) -> float:
    total = 0.0
    for low in np.linspace(0, 1, bins + 1)[:-1]:
        inside = [i for i, row in enumerate(probabilities) if low < row.max() <= low + 1 / bins]
        if inside:
            accuracy = np.mean([probabilities[i].argmax() == labels[i] for i in inside])
            confidence = np.mean([probabilities[i].max() for i in inside])
            total += len(inside) / len(labels) * abs(accuracy - confidence)
    return float(total)


@pytest.mark.parametrize("k", [1, 2, 5, 19])
def test_top_k_agrees_with_scikit_learn(k: int) -> None:
    logits, labels = sample()
    ours = metrics.top_k_correct(logits, labels, k)
    assert ours.dtype == np.bool_
    assert ours.mean() == pytest.approx(top_k_accuracy_score(labels, logits, k=k, labels=np.arange(20)), abs=0)
    if k == 1:
        assert ours.mean() == accuracy_score(labels, logits.argmax(axis=1))


def test_k_above_the_number_of_classes_means_all_of_them() -> None:
    logits, labels = sample(classes=3)
    assert metrics.top_k_correct(logits, labels, 5).all()
    assert metrics.score(logits, labels).top5 == 1.0


def test_ties_rank_by_the_lower_class_index() -> None:
    logits = np.zeros((4, 4), dtype=np.float32)
    labels = np.arange(4)
    assert metrics.top_k_correct(logits, labels, 1).tolist() == [True, False, False, False]
    assert metrics.top_k_correct(logits, labels, 3).tolist() == [True, True, True, False]


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_interval_is_wilsons(counts: tuple[int, int], level: float) -> None:
    correct, total = counts
    expected = binomtest(correct, total).proportion_ci(confidence_level=level, method="wilson")
    low, high = metrics.accuracy_interval(correct, total, level)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= low <= correct / total <= high <= 1


def test_likelihood_agrees_with_scikit_learn_and_does_not_overflow() -> None:
    logits, labels = sample()
    expected = log_loss(labels, scipy_softmax(logits.astype(np.float64), axis=1), labels=np.arange(20))
    assert metrics.negative_log_likelihood(logits, labels) == pytest.approx(expected, rel=1e-12)
    extreme = np.array([[3e38, -3e38], [1e4, 0]], dtype=np.float32)
    assert metrics.negative_log_likelihood(extreme[1:], np.array([1])) == pytest.approx(1e4)
    assert metrics.negative_log_likelihood(extreme, np.array([0, 0])) == 0.0


def test_softmax_agrees_with_scipy() -> None:
    logits, _ = sample()
    np.testing.assert_allclose(metrics.softmax(logits), scipy_softmax(logits.astype(np.float64), axis=1), rtol=1e-12)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_agrees_with_a_plain_loop(bins: int) -> None:
    logits, labels = sample(seed=3)
    expected = reference_ece(metrics.softmax(logits), labels, bins)
    assert metrics.expected_calibration_error(logits, labels, bins) == pytest.approx(expected, abs=1e-12)


def test_calibration_error_of_sure_answers() -> None:
    sure = np.array([[100.0, 0.0]] * 4, dtype=np.float32)
    assert metrics.expected_calibration_error(sure, np.zeros(4, dtype=np.int64)) == pytest.approx(0)
    assert metrics.expected_calibration_error(sure, np.array([0, 1, 1, 1])) == pytest.approx(0.75)


def test_accuracy_of_each_class() -> None:
    logits = np.eye(4, dtype=np.float32)[[0, 0, 1, 3]]
    accuracy, counts = metrics.per_class_accuracy(logits, np.array([0, 1, 1, 3]))
    np.testing.assert_array_equal(accuracy, [1.0, 0.5, math.nan, 1.0])
    np.testing.assert_array_equal(counts, [1, 2, 0, 1])
    assert (accuracy.dtype.name, counts.dtype.name) == ("float64", "int64")


def test_scores_gather_all_of_them() -> None:
    logits, labels = sample()
    scores = metrics.score(logits, labels)
    assert scores.top1 == np.mean(logits.argmax(axis=1) == labels)
    assert scores.top1_interval == metrics.accuracy_interval(round(scores.top1 * 500), 500)
    assert scores.top5_interval == metrics.accuracy_interval(round(scores.top5 * 500), 500)
    assert scores.images == 500
    accuracy = metrics.Accuracy.of(logits.argmax(axis=1) == labels)
    assert (accuracy.top1, accuracy.top1_interval, accuracy.images) == (scores.top1, scores.top1_interval, 500)
    data = scores.to_json()
    assert json.loads(json.dumps(data)) == data
    assert list(data) == ["top1", "top5", "top1_interval", "top5_interval", "nll", "ece", "images"]


GOOD = np.zeros((2, 3), dtype=np.float32)
LABELS = np.zeros(2, dtype=np.int64)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (GOOD[:0], LABELS[:0], "no images"),
        (GOOD, np.array([0, -1]), "label of image 1 is unknown"),
        (GOOD, np.array([3, 0]), "label of image 0 is 3, not in 0 to 2"),
        (GOOD, LABELS[:1], "labels: shape"),
        (GOOD, np.zeros(2), "labels: type float64"),
        (GOOD[0], LABELS, "logits: shape"),
        (GOOD[:, :0], LABELS, "logits: shape"),
        (GOOD.astype(np.int64), LABELS, "logits: type int64"),
        (np.array([[0, 0], [0, np.nan]], dtype=np.float32), LABELS, "image 1 is not finite"),
        (np.array([[0, np.inf], [0, 0]], dtype=np.float32), LABELS, "image 0 is not finite"),
    ],
)
def test_bad_input_is_one_clear_line(logits: NDArray[np.float32], labels: NDArray[np.int64], message: str) -> None:
    for function in (
        metrics.score,
        metrics.negative_log_likelihood,
        metrics.expected_calibration_error,
        metrics.per_class_accuracy,
    ):
        with pytest.raises(PredictionError, match=message) as caught:
            function(logits, labels)
        assert "\n" not in str(caught.value)


def test_bad_parameters_are_refused() -> None:
    with pytest.raises(PredictionError, match="there are no images"):
        metrics.Accuracy.of(np.zeros(0, np.bool_))
    with pytest.raises(PredictionError, match="k is 0"):
        metrics.top_k_correct(GOOD, LABELS, 0)
    with pytest.raises(PredictionError, match="0 bins"):
        metrics.expected_calibration_error(GOOD, LABELS, 0)
    for counts, level in (((0, 0), 0.95), ((2, 1), 0.95), ((-1, 1), 0.95), ((1, 2), 1.0)):
        with pytest.raises(PredictionError, match="accuracy: "):
            metrics.accuracy_interval(*counts, level)


@settings(max_examples=100, deadline=None)
@given(pairs=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_paired_difference_counts_the_images_that_one_alone_gets_right(pairs: list[tuple[bool, bool]]) -> None:
    first, second = np.array([one for one, _ in pairs]), np.array([two for _, two in pairs])
    value, (low, high) = metrics.paired_difference(first, second)
    assert value == pytest.approx(second.mean() - first.mean())
    assert -1 <= low <= value <= high <= 1
    assert low < high
    back, interval = metrics.paired_difference(second, first)
    assert (back, *interval) == pytest.approx((-value, -high, -low))


def test_paired_difference_of_many_images_is_the_normal_interval() -> None:
    first = np.repeat([True, True, False, False], [3000, 500, 700, 5800])
    second = np.repeat([True, False, True, False], [3000, 500, 700, 5800])
    value, (low, high) = metrics.paired_difference(first, second)
    spread = 1.96 * np.std(second.astype(float) - first) / 100
    assert value == pytest.approx(0.02)
    assert (low, high) == pytest.approx((0.02 - spread, 0.02 + spread), abs=2e-5)
    with pytest.raises(PredictionError, match="give the same ones, at least one"):
        metrics.paired_difference(first, second[1:])


def test_interval_of_a_mean_is_students() -> None:
    # Of 3, 5 and 10: mean 6, standard deviation sqrt(13); Student's quantile for two degrees of freedom is 4.30265.
    half = 4.30265 * (13 / 3) ** 0.5
    assert metrics.mean_interval([3, 5, 10]) == pytest.approx((6 - half, 6 + half), rel=1e-5)
    with pytest.raises(PredictionError, match="1 values; give two or more"):
        metrics.mean_interval([1.0])


def test_a_temperature_undoes_what_sharpened_the_logits() -> None:
    random = np.random.default_rng(0)
    honest = random.normal(0, 1.5, (20_000, 6))
    powers = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
    labels = (powers.cumsum(1) > random.random((20_000, 1))).argmax(1)
    for sharper in (0.3, 1.0, 4.0):
        logits = (sharper * honest).astype(np.float32)
        found = metrics.fit_temperature(logits, labels)
        assert found == pytest.approx(sharper, rel=0.03)
        best = metrics.negative_log_likelihood(logits / found, labels)
        for other in (0.98 * found, 1.02 * found):
            assert best < metrics.negative_log_likelihood(logits / other, labels)
    with pytest.raises(PredictionError, match="no images"):
        metrics.fit_temperature(np.zeros((0, 3), np.float32), np.zeros(0, np.int64))


def test_reliability_bins_hold_every_image_once() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(0, 3, (500, 4)).astype(np.float32)
    labels = random.integers(0, 4, 500)
    found = metrics.reliability(logits, labels, 10)
    assert found.counts.sum() == 500
    assert np.isnan(found.accuracy[found.counts == 0]).all()
    held = found.counts > 0
    gaps = np.abs(found.accuracy - found.confidence)[held]
    assert found.ece == pytest.approx((gaps * found.counts[held]).sum() / 500)
    assert (found.accuracy[held] * found.counts[held]).sum() == pytest.approx(metrics.score(logits, labels).top1 * 500)


def test_confusion_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 5, (2, 300))
    expected = confusion_matrix(labels, predicted, labels=range(7))
    np.testing.assert_array_equal(metrics.confusion(labels, predicted, 7), expected)


def test_deviations_are_those_of_scipy() -> None:
    assert metrics.deviations() == pytest.approx(norm.ppf(0.975))
    assert metrics.deviations(0.5) == pytest.approx(norm.ppf(0.75))
