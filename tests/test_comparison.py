"""Comparisons: the exact test against scipy's and by counting, and what the sentence says."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest

from tests.ensemble.made import predictions
from thumbnet.comparison import compare, compare_right, holm, mcnemar
from thumbnet.errors import PredictionError
from thumbnet.metrics import paired_difference


@pytest.mark.parametrize(
    ("fixed", "broken"), [(0, 0), (1, 0), (0, 5), (7, 3), (3, 7), (60, 60), (531, 400), (9000, 40)]
)
def test_mcnemar_is_the_binomial_test_of_scipy(fixed: int, broken: int) -> None:
    expected = binomtest(fixed, fixed + broken, 0.5).pvalue if fixed + broken else 1.0
    assert mcnemar(fixed, broken) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_mcnemar_counts_the_tosses_that_are_as_uneven() -> None:
    for fixed, broken in [(0, 6), (2, 5), (4, 3)]:
        tosses = [sum(toss) for toss in product((0, 1), repeat=fixed + broken)]
        uneven = [abs(2 * heads - fixed - broken) >= abs(fixed - broken) for heads in tosses]
        assert mcnemar(fixed, broken) == pytest.approx(np.mean(uneven))


def test_counts_below_none_are_refused() -> None:
    with pytest.raises(PredictionError, match="-1 images"):
        mcnemar(3, -1)


def right(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    one = np.repeat([True, True, False, False], [both, first, second, neither])
    other = np.repeat([True, False, True, False], [both, first, second, neither])
    return one, other


def test_a_comparison_counts_what_changed() -> None:
    one, other = right(50, 4, 20, 26)
    found = compare_right(one, other)
    assert (found.fixed, found.broken, found.images) == (20, 4, 100)
    assert (found.first_top1, found.second_top1) == (0.54, 0.7)
    assert (found.difference, found.interval) == paired_difference(one, other)
    assert found.p_value == pytest.approx(binomtest(4, 24).pvalue)
    assert found.is_real
    assert found.sentence() == "The difference is real: the second is 16.00 points better than the first (p = 0.0015)."
    back = compare_right(other, one)
    assert back.sentence("a", "b") == "The difference is real: b is 16.00 points worse than a (p = 0.0015)."
    assert (back.difference, back.p_value) == (-found.difference, found.p_value)
    json = found.to_json()
    assert (json["is_real"], json["interval"], json["fixed"]) == (True, list(found.interval), 20)


def test_chance_is_called_chance_and_certainty_has_no_long_number() -> None:
    assert (
        compare_right(*right(50, 4, 5, 41)).sentence("a", "b").startswith("No difference is shown: b and a are 1.00 ")
    )
    assert "(p below 0.0001)" in compare_right(*right(0, 0, 80, 20)).sentence()
    with pytest.raises(PredictionError, match="give the same ones"):
        compare_right(np.ones(2, np.bool_), np.ones(3, np.bool_))


def test_predictions_are_compared_image_by_image() -> None:
    labels = np.arange(12) % 3
    one, other = np.zeros((12, 3)), np.zeros((12, 3))
    one[np.arange(12), labels], other[np.arange(12), labels] = 1, 1
    one[2:6, 0] = 2
    other[0, 2] = 2
    first, second = predictions(one, labels), predictions(other, labels)
    expected = compare(first, second)
    assert (expected.fixed, expected.broken, expected.images) == (3, 1, 12)
    rows = np.random.default_rng(0).permutation(12)
    shuffled = replace(
        second,
        image_ids=tuple(second.image_ids[i] for i in rows),
        logits=second.logits[rows],
        labels=second.labels[rows],
    )
    assert compare(first, shuffled) == expected


def test_predictions_that_do_not_fit_are_refused() -> None:
    one = predictions(np.eye(3))
    with pytest.raises(PredictionError, match="comparison: the two are of different splits"):
        compare(one, replace(one, split="holdout"))
    with pytest.raises(PredictionError, match="comparison: the two judge different data"):
        compare(replace(one, provenance={"data": "a" * 64}), replace(one, provenance={"data": "b" * 64}))
    with pytest.raises(PredictionError, match="label"):
        compare(replace(one, labels=np.full(3, -1)), replace(one, labels=np.full(3, -1)))


def test_near_the_level_the_p_value_is_not_rounded_onto_it() -> None:
    above, below = compare_right(*right(50, 10, 22, 18)), compare_right(*right(50, 25, 42, 0))
    assert 0.05 < above.p_value < 0.0502
    assert above.sentence().endswith("be as far apart or further 5.0 times in 100 (p = 0.0501).")
    assert below.is_real
    assert below.sentence().endswith("(p = 0.0498).")


def test_holm_steps_down_until_one_is_kept() -> None:
    values = [0.01, 0.04, 0.03, 0.005, 1.0]
    # By hand: 5 x 0.005, 4 x 0.01, 3 x 0.03, then none below the one before, none above 1.
    assert holm(values) == pytest.approx([0.04, 0.09, 0.09, 0.025, 1.0])
    assert holm([]) == []
    assert holm([0.7, 0.7]) == [1.0, 1.0]
    # Its definition: with the least p-values in order, those are rejected that come before the first failure.
    random = np.random.default_rng(0)
    for _ in range(50):
        some = random.random(8) ** 4
        kept = 0
        for place in np.argsort(some):
            if some[place] >= 0.05 / (8 - kept):
                break
            kept += 1
        assert sum(value < 0.05 for value in holm(some.tolist())) == kept
