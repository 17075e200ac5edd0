"""Corrected labels, while submissions go on."""

import hashlib
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from tests.challenge.world import World, answers, corrected, look, truth
from thumbnet.challenge import keeping, rescoring
from thumbnet.challenge.database.schema import scores
from thumbnet.challenge.labels import Labels
from thumbnet.challenge.rescoring import correct_labels
from thumbnet.challenge.submissions import intake
from thumbnet.challenge.submissions.intake import write_score
from thumbnet.challenge.submissions.scoring import Answers, read_answers, score
from thumbnet.errors import ChallengeError


def break_off(world: World, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Begin a correction of the first `count` labels, and end it after three scores."""
    monkeypatch.setattr(rescoring, "_AT_ONCE", 2)
    left = iter(range(3))

    def write(*given: Any, **more: Any) -> None:
        next(left)
        write_score(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(rescoring, "write_score", write)
        with pytest.raises(StopIteration):
            correct_labels(world.challenge, corrected(count), "broken off")


def test_corrected_labels_make_a_new_version_and_the_old_one_stays(both: World) -> None:
    first, second = both.join("anna"), both.join("bert")
    both.send_all(first, answers(range(20)), answers(range(25)))
    both.send_all(second, answers(range(10, 40)))
    before = look(both)
    # The first ten images were labelled wrongly: what 'anna' stated for them was wrong in truth.
    given = corrected(10)
    assert correct_labels(both.challenge, given, "ten were wrong") == 2
    after = look(both)
    stated = {
        "anna": answers(range(25)).decode().split()[1::2],
        "bert": answers(range(10, 40)).decode().split()[1::2],
    }
    public = ~both.challenge.labels(1).private
    for row in after.rows:
        right = (np.array(stated[row.name]) == np.array(list(given.by_image().values()))) & public
        assert row.score.correct == int(right.sum())
    assert after.version == 2
    assert after.state.change > before.state.change
    old = look(both, 1)
    assert [(row.name, row.score) for row in old.rows] == [(row.name, row.score) for row in before.rows]
    with pytest.raises(ChallengeError, match="the same as the challenge has already"):
        correct_labels(both.challenge, given, "again")
    assert look(both).state.change == after.state.change
    assert both.send(both.join("cleo"), answers(5)).is_new
    assert len(look(both).rows) == 3
    assert len(look(both, 1).rows) == 2


def test_a_correction_that_was_broken_off_goes_on(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        both.send(both.join(f"p{number}"), answers(number))
    break_off(both, monkeypatch, 1)
    assert look(both).version == 1
    assert correct_labels(both.challenge, corrected(1), "one") == 2
    assert len(look(both).rows) == 5


def test_a_correction_waits_for_one_that_was_broken_off(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        both.send(both.join(f"p{number}"), answers(number))
    break_off(both, monkeypatch, 1)
    with pytest.raises(ChallengeError, match="finish version 2 with its own file first"):
        correct_labels(both.challenge, corrected(2), "two")
    assert look(both).version == 1
    assert keeping.verify(both.challenge).problems == []
    assert correct_labels(both.challenge, corrected(1), "one") == 2
    assert correct_labels(both.challenge, corrected(2), "two") == 3
    assert keeping.verify(both.challenge).problems == []
    assert len(look(both, 2).rows) == 5


def test_the_board_never_goes_back(both: World) -> None:
    """Of two processes that correct the same labels, the second may come after a further correction."""
    both.send(both.join("anna"), answers(5))
    assert correct_labels(both.challenge, corrected(1), "one") == 2
    assert rescoring._finish(both.challenge, both.challenge.labels(2))
    assert correct_labels(both.challenge, corrected(2), "two") == 3
    change = look(both).state.change
    with pytest.raises(ChallengeError, match="has gone on to version 3 meanwhile"):
        rescoring._finish(both.challenge, both.challenge.labels(2))
    assert (look(both).version, look(both).state.change) == (3, change)


def test_corrected_labels_meet_a_submission_on_its_way(both: World) -> None:
    """A submission that was scored by the old labels and comes in after the change is scored by the new ones."""
    anna = both.join("anna")
    with both.challenge.database.read() as connection:
        state = both.challenge.state(connection)
    content = answers(40)
    sent = intake._read(both.challenge, anna.team_id or 0, content, hashlib.sha256(content).hexdigest(), state)
    assert correct_labels(both.challenge, corrected(8), "eight were wrong") == 2
    with both.challenge.database.write() as connection:
        intake._take(both.challenge, connection, anna, anna.team_id or 0, sent)
    with both.challenge.database.read() as connection:
        row = connection.execute(select(scores)).one()
    assert (row.version, row.public_correct + row.private_correct) == (2, 32)
    assert truth().by_image() != both.challenge.labels(2).by_image()
    assert (both.challenge.labels(2).private == both.challenge.labels(1).private).all()


def test_submissions_get_in_while_labels_are_corrected(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are scored outside of writes, and a score that somebody else wrote meanwhile counts."""
    people = [both.join(f"p{number}") for number in range(8)]
    for number, account in enumerate(people[:7]):
        both.send(account, answers(number))
    scored: list[bool] = []

    def score_and_write(content: bytes, chosen: Labels) -> Answers:
        # Would wait for ever if this were within a write.
        if not scored:
            scored.append(both.send(people[7], answers(7)).is_new)
            made = both.challenge.labels(2)
            with both.challenge.database.write() as connection:
                write_score(connection, 1, 2, score(read_answers(answers(0), made, 2**20), made))
        return read_answers(content, chosen)

    monkeypatch.setattr(rescoring, "read_answers", score_and_write)
    assert correct_labels(both.challenge, corrected(1), "one was wrong") == 2
    assert scored == [True]
    assert keeping.verify(both.challenge).problems == []
    with both.challenge.database.read() as connection:
        counted = select(func.count()).select_from(scores).where(scores.c.version == 2)
        assert connection.execute(counted).scalar_one() == 8
