"""Ensembles: each figure against a direct computation, and what must hold for any members."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ensemble.made import BOTH, direct, predictions, some
from thumbnet import ensemble
from thumbnet.ensemble import Over
from thumbnet.errors import PredictionError
from thumbnet.metrics import Accuracy


@pytest.mark.parametrize("over", BOTH)
def test_average_is_the_mean(over: Over) -> None:
    members = some(4)
    found = ensemble.average(members, over)
    np.testing.assert_allclose(found.logits, direct(members, over), rtol=1e-5, atol=1e-6)
    assert found.logits.dtype == np.float32
    assert (found.split, found.image_ids, found.classes) == ("val", members[0].image_ids, members[0].classes)
    assert found.provenance == {"ensemble": over, "members": [{"recipe": str(i)} for i in range(4)]}
    if over == "probabilities":
        np.testing.assert_allclose(np.exp(found.logits).sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("over", BOTH)
def test_the_curve_adds_the_best_members_first(over: Over) -> None:
    members = some(7)
    members[5] = replace(members[2], provenance={})  # a tie, which keeps its order
    ranked = sorted(members, key=lambda member: -member.scores().top1)
    assert [id(one) for one in ranked] != [id(one) for one in members]
    assert [id(members[place]) for place in ensemble.ranking(members)] == [id(one) for one in ranked]
    found = [Accuracy.of(right) for right in ensemble.growth(ranked, over)]
    assert len(found) == 7
    for count, accuracy in enumerate(found, start=1):
        chosen = direct(ranked[:count], over)
        assert accuracy.top1 == np.mean(chosen.argmax(1) == members[0].labels)
        scores = ensemble.average(ranked[:count], over).scores()
        assert (accuracy.top1, accuracy.top1_interval) == (scores.top1, scores.top1_interval)
        assert accuracy.images == scores.images
    assert found[0].top1 == max(member.scores().top1 for member in members)


def test_probabilities_too_small_for_a_float_keep_their_rank() -> None:
    far = predictions(np.array([[0.0, -400.0, -300.0], [-2000.0, 0.0, -1000.0]]))
    found = ensemble.average([far, far])
    assert np.isfinite(found.logits).all()
    assert np.argsort(found.logits, axis=1).tolist() == np.argsort(far.logits, axis=1).tolist()


@pytest.mark.parametrize("over", BOTH)
def test_members_in_another_order_are_reordered(over: Over) -> None:
    one, two = some(2)
    rows = np.random.default_rng(1).permutation(len(one.labels))
    shuffled = replace(
        two, image_ids=tuple(two.image_ids[i] for i in rows), logits=two.logits[rows], labels=two.labels[rows]
    )
    expected = ensemble.average([one, two], over)
    found = ensemble.average([one, shuffled], over)
    np.testing.assert_array_equal(found.logits, expected.logits)
    np.testing.assert_array_equal(ensemble.growth([one, shuffled], over), ensemble.growth([one, two], over))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "holdout"}, "are of different splits: number 1 of 'val', number 2 of 'holdout'; give"),
        (
            {"classes": ("n0", "n1", "x", "n3", "n4")},
            "different classes: class 3 is 'n2' in number 1, 'x' in number 2; give",
        ),
        (
            {"image_ids": tuple(f"test_{i}" for i in range(40))},
            "different images: number 1 has 'val_0', number 2 has not; give",
        ),
        ({"labels": np.full(40, -1)}, "different labels: 'val_0' is 'n.' in number 1, None in number 2; give"),
        ({"logits": np.full((40, 5), np.nan, np.float32)}, "not finite"),
    ],
)
def test_members_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    one, two = some(2)
    for call in (ensemble.average, ensemble.growth):
        with pytest.raises(PredictionError, match=message):
            call([one, replace(two, **change)])


def test_no_members_and_unknown_means_are_refused() -> None:
    with pytest.raises(PredictionError, match="no members"):
        ensemble.average([])
    with pytest.raises(PredictionError, match="no members"):
        ensemble.growth([])
    with pytest.raises(PredictionError, match="over 'logit' is unknown; did you mean logits"):
        ensemble.average(some(1), cast(Any, "logit"))


LOGITS = st.integers(2, 5).flatmap(
    lambda classes: st.lists(
        st.lists(
            st.lists(st.integers(-160, 160).map(lambda n: n / 8), min_size=classes, max_size=classes),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=5,
    )
)
"""Up to five members' logits for three images and two to five classes, a multiple of 1/8 each."""


@settings(max_examples=80, deadline=None)
@given(values=LOGITS, over=st.sampled_from(BOTH), random=st.randoms(use_true_random=False))
def test_the_order_of_members_does_not_matter(values: list[Any], over: Over, random: Any) -> None:
    members = [predictions(np.array(one)) for one in values]
    shuffled = random.sample(members, len(members))
    expected = ensemble.average(members, over).logits
    np.testing.assert_allclose(ensemble.average(shuffled, over).logits, expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=80, deadline=None)
@given(values=LOGITS, over=st.sampled_from(BOTH), copies=st.integers(1, 6))
def test_copies_of_one_member_say_what_it_says(values: list[Any], over: Over, copies: int) -> None:
    one = predictions(np.array(values[0]))
    found = ensemble.average([one] * copies, over)
    np.testing.assert_array_equal(found.predicted(), one.predicted())
    np.testing.assert_allclose(found.probabilities(), one.probabilities(), rtol=1e-4, atol=1e-7)
    assert {Accuracy.of(right).top1 for right in ensemble.growth([one] * copies, over)} == {one.scores().top1}
