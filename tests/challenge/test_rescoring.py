"""Corrected labels, while submissions go on."""

import hashlib

import pytest
from sqlalchemy import func, select

from tests.challenge.world import CLASSES, IMAGES, TRUTH, World, answers, truth
from thumbnet.challenge import keeping
from thumbnet.challenge.database.schema import scores
from thumbnet.challenge.submissions.intake import write_score
from thumbnet.challenge.submissions.scoring import Answers, read_answers, score


def test_corrected_labels_meet_a_submission_on_its_way(both: World) -> None:
    """A submission that was scored by the old labels and comes in after the change is scored by the new ones."""
    from thumbnet.challenge.rescoring import correct_labels
    from thumbnet.challenge.submissions import intake

    anna = both.join("anna")
    with both.challenge.database.read() as connection:
        state = both.challenge.state(connection)
    content = answers(40)
    sent = intake._read(both.challenge, anna.team_id or 0, content, hashlib.sha256(content).hexdigest(), state)
    swapped = [CLASSES[(CLASSES.index(name) + 1) % 4] if place < 8 else name for place, name in enumerate(TRUTH)]
    from thumbnet.challenge import labels

    assert correct_labels(both.challenge, labels.make(IMAGES, swapped), "eight were wrong") == 2
    with both.challenge.database.write() as connection:
        intake._take(both.challenge, connection, anna, anna.team_id or 0, sent)
    with both.challenge.database.read() as connection:
        row = connection.execute(select(scores)).one()
    assert (row.version, row.public_correct + row.private_correct) == (2, 32)
    assert truth().by_image() != both.challenge.labels(2).by_image()
    assert (both.challenge.labels(2).private == both.challenge.labels(1).private).all()


def test_submissions_get_in_while_labels_are_corrected(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are scored outside of writes, and a score that somebody else wrote meanwhile counts."""
    from thumbnet.challenge import labels, rescoring

    people = [both.join(f"p{number}") for number in range(8)]
    for number, account in enumerate(people[:7]):
        both.send(account, answers(number))
    swapped = labels.make(IMAGES, ["n04", *TRUTH[1:]])
    scored: list[bool] = []

    def score_and_write(content: bytes, chosen: labels.Labels) -> Answers:
        # Would wait for ever if this were within a write.
        if not scored:
            scored.append(both.send(people[7], answers(7)).is_new)
            made = both.challenge.labels(2)
            with both.challenge.database.write() as connection:
                write_score(connection, 1, 2, score(read_answers(answers(0), made, 2**20), made))
        return read_answers(content, chosen)

    monkeypatch.setattr(rescoring, "read_answers", score_and_write)
    assert rescoring.correct_labels(both.challenge, swapped, "one was wrong") == 2
    assert scored == [True]
    assert keeping.verify(both.challenge).problems == []
    with both.challenge.database.read() as connection:
        counted = select(func.count()).select_from(scores).where(scores.c.version == 2)
        assert connection.execute(counted).scalar_one() == 8
