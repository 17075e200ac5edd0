"""Greedy selection: against an exhaustive search of each step, and what it must refuse."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.ensemble.made import BOTH, direct, predictions, some
from thumbnet.ensemble import Over, average, greedy, growth, ranking
from thumbnet.errors import PredictionError
from thumbnet.predictions import Predictions


def accuracy(members: list[Predictions], over: Over) -> float:
    return float(np.mean(direct(members, over).argmax(1) == members[0].labels))


def by_hand(members: list[Predictions], over: Over, size: int, replacement: bool) -> tuple[list[int], list[float]]:
    """Caruana's forward selection, each candidate averaged anew."""
    picks: list[int] = []
    reached: list[float] = []
    while len(picks) < size:
        found = [
            (accuracy([members[one] for one in [*picks, place]], over), -place)
            for place in range(len(members))
            if replacement or place not in picks
        ]
        if not found or (reached and max(found)[0] <= reached[-1]):
            break
        best, place = max(found)
        picks.append(-place)
        reached.append(best)
    return picks, reached


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("over", BOTH)
@pytest.mark.parametrize("seed", range(6))
def test_each_pick_is_the_one_that_gains_most(seed: int, over: Over, replacement: bool) -> None:
    members = some(6, images=60, seed=seed)
    found = greedy(members, over, replacement=replacement)
    picks, reached = by_hand(members, over, len(members), replacement)
    grown = growth([members[place] for place in found], over).mean(axis=1).tolist()
    assert (list(found), grown) == (picks, reached)
    assert found[0] == ranking(members)[0]
    counts = Counter(found)
    chosen = average([members[place] for place in counts], over, list(counts.values()))
    assert chosen.scores().top1 == grown[-1]
    assert grown == sorted(set(grown))


def test_a_size_ends_it_early() -> None:
    members = some(6, images=60, seed=1)
    whole = greedy(members)
    assert len(whole) > 2
    assert greedy(members, size=2) == whole[:2]
    with pytest.raises(PredictionError, match="a size of 0 has no members"):
        greedy(members, size=0)


def test_a_member_can_count_more_than_once() -> None:
    found = [greedy(some(4, images=60, seed=seed), replacement=True, size=12) for seed in range(20)]
    assert any(max(Counter(one).values()) > 1 for one in found)


def test_growth_is_the_accuracy_of_each_size() -> None:
    for over in BOTH:
        members = some(5, images=50, seed=3)
        found = growth(members, over)
        assert found.shape == (5, 50)
        for size in range(1, 6):
            expected = direct(members[:size], over).argmax(1) == members[0].labels
            np.testing.assert_array_equal(found[size - 1], expected)


def test_counts_weigh_members() -> None:
    one, two = some(2)
    for over in BOTH:
        found = average([one, two], over, [3, 1])
        np.testing.assert_allclose(found.logits, direct([one, one, one, two], over), rtol=1e-5, atol=1e-6)
        assert found.provenance["counts"] == [3, 1]


def test_rare_classes_keep_their_rank_whatever_the_counts() -> None:
    far = predictions(np.array([[0.0, -400.0, -300.0, -90.0], [-2000.0, 0.0, -1000.0, -1.0]]))
    near = predictions(np.array([[0.0, -350.0, -500.0, -80.0], [-1500.0, 0.0, -900.0, -2.0]]))
    found = average([far, near], counts=[2, 1]).logits
    parts = [one.logits.astype(np.float64) for one in (far, near)]
    logs = [part - np.logaddexp.reduce(part, axis=1, keepdims=True) for part in parts]
    expected = np.logaddexp(logs[0] + np.log(2 / 3), logs[1] + np.log(1 / 3))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_nothing_is_chosen_without_labels_or_members() -> None:
    blind = [replace(one, labels=np.full(40, -1)) for one in some(2)]
    with pytest.raises(PredictionError, match="without labels"):
        greedy(blind)
    with pytest.raises(PredictionError, match="no members"):
        greedy([])


def test_data_is_compared_where_it_is_known() -> None:
    one, two, three = (
        replace(member, provenance={"data": name * 8}) for member, name in zip(some(3), "aab", strict=True)
    )
    assert average([one, two]).provenance["data"] == "aaaaaaaa"
    assert average([replace(one, provenance={}), two]).provenance["data"] == "aaaaaaaa"
    with pytest.raises(
        PredictionError, match=r"different data: number 2 has the fingerprint aaaaaaaa, number 3 bbbbbbbb; give"
    ):
        average([replace(one, provenance={}), two, three])
