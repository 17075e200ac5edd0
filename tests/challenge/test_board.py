"""Who stands where, and how sure that is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, rankdata
from sqlalchemy import update

from tests.challenge.world import World, answers, known_right, look
from thumbnet.challenge import board, labels
from thumbnet.challenge.database.schema import scores
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.state import set_phase
from thumbnet.challenge.submissions.scoring import Accuracy


def fill(world: World, shares: Sequence[float]) -> dict[str, list[list[int]]]:
    """Let a team for each of `shares` submit twice, and return which images each submission has right."""
    sent: dict[str, list[list[int]]] = {}
    for number, share in enumerate(shares):
        account = world.join(f"team{number}")
        sent[f"team{number}"] = [known_right(10 * number + turn, share) for turn in range(2)]
        world.send_all(account, *map(answers, sent[f"team{number}"]))
    return sent


def test_the_best_submission_on_the_public_images_ranks(both: World) -> None:
    sent = fill(both, [0.2, 0.9, 0.5, 0.9, 0.7])
    private = both.challenge.labels(1).private
    public_counts = {
        name: [int(np.count_nonzero(~private[right])) for right in rights] for name, rights in sent.items()
    }
    found = look(both)
    assert found.scored_on == "public"
    assert {row.name: row.score.correct for row in found.rows} == {
        name: max(counts) for name, counts in public_counts.items()
    }
    counts = [row.score.correct for row in found.rows]
    assert counts == sorted(counts, reverse=True)
    assert [row.rank for row in found.rows] == rankdata([-count for count in counts], method="min").tolist()
    assert all(row.public == row.score and row.public_rank == row.rank for row in found.rows)
    assert all(row.submissions == 2 for row in found.rows)

    set_phase(both.challenge, "closed")
    set_phase(both.challenge, "revealed")
    end = look(both)
    assert end.scored_on == "private"
    for row in end.rows:
        rights = sent[row.name]
        # The first of the best on the public images, whatever it is on the private ones.
        chosen = rights[int(np.argmax(public_counts[row.name]))]
        assert row.score == Accuracy(int(np.count_nonzero(private[chosen])), int(private.sum()))
        assert row.public.correct == max(public_counts[row.name])
    assert {row.name: row.public_rank for row in end.rows} == {row.name: row.rank for row in found.rows}
    json = board.to_json(end, "open")
    assert [row["rank_change"] for row in json["rows"]] == [row.public_rank - row.rank for row in end.rows]
    assert json["rows"][0]["public"]["correct"] == end.rows[0].public.correct


def test_intervals_are_wilsons(world: World) -> None:
    world.send(world.join("anna"), answers(31))
    (row,) = look(world).rows
    expected = binomtest(31, 40).proportion_ci(method="wilson")
    assert row.score.interval == pytest.approx((expected.low, expected.high))


def test_neighbours_that_chance_could_swap_are_marked(world: World) -> None:
    rights = [list(range(40)), list(range(38)), list(range(2, 38)), list(range(10)), list(range(30, 39))]
    for number, right in enumerate(rights):
        world.send(world.join(f"team{number}"), answers(right))
    rows = look(world).rows
    assert [row.name for row in rows] == [f"team{number}" for number in range(5)]
    for place, row in enumerate(rows[:-1]):
        first, second = set(rights[place]), set(rights[place + 1])
        differing = len(first ^ second)
        p_value = binomtest(len(first - second), differing).pvalue
        assert row.like_next == (p_value >= 0.05), (place, p_value)
    assert [row.like_next for row in rows] == [True, True, False, True, False]


def test_the_mark_before_the_end_uses_public_images_alone(both: World) -> None:
    private = np.flatnonzero(both.challenge.labels(1).private).tolist()
    public = np.flatnonzero(~both.challenge.labels(1).private).tolist()
    # Equal on the public images, as different as can be on the private ones.
    both.send(both.join("anna"), answers(public))
    both.send(both.join("bert"), answers(public + private))
    rows = look(both).rows
    assert [row.rank for row in rows] == [1, 1]
    assert rows[0].like_next
    set_phase(both.challenge, "closed")
    assert look(both).rows[0].like_next
    set_phase(both.challenge, "revealed")
    rows = look(both).rows
    assert [(row.name, row.rank, row.public_rank) for row in rows] == [("bert", 1, 1), ("anna", 2, 1)]
    assert not rows[0].like_next


def test_a_result_that_is_no_number_never_ranks(world: World) -> None:
    world.send(world.join("anna"), answers(10))
    world.send(world.join("bert"), answers(20))
    with world.challenge.database.write() as connection:
        connection.execute(update(scores).where(scores.c.submission_id == 2).values(public_correct=-1))
    assert [row.name for row in look(world).rows] == ["anna"]
    assert Accuracy(0, 0).top1 is None
    assert Accuracy(5, 4).interval is None


@pytest.mark.parametrize("mode", ["open", "pseudonymous", "hidden"])
def test_a_mode_shows_what_it_says(mode: str, world: World) -> None:
    world.send(world.join("anna", team="Owls of Anna"), answers(10))
    found = look(world)
    text = str(board.to_json(found, mode))
    assert ("Owls of Anna" in text) == (mode == "open")
    assert (found.rows[0].pseudonym in text) == (mode == "pseudonymous")
    full = board.to_json(found, mode, full=True)["rows"][0]
    assert (full["team"], full["pseudonym"]) == ("Owls of Anna", found.rows[0].pseudonym)


def test_an_empty_board_and_fixed_settings(world: World, tmp_path: Path) -> None:
    from thumbnet.challenge.state import Challenge, check_settings, set_up
    from thumbnet.errors import ChallengeError

    assert look(world).rows == []
    other = Challenge(world.changed(public_fraction=0.5), world.challenge.database)
    with pytest.raises(ChallengeError, match="cannot change any more"):
        check_settings(other)
    with pytest.raises(ChallengeError, match="not those that this challenge runs with"):
        set_up(world.challenge, labels.make(["a"], ["x"]))
    empty = Challenge.open(Settings(folder=tmp_path / "empty"))
    assert not empty.is_set_up()
    with pytest.raises(ChallengeError, match="not set up"), empty.database.read() as connection:
        empty.state(connection)
    empty.close()
