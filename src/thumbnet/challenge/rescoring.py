"""Corrected labels: every submission scored again, and a new version of the board."""

from sqlalchemy import Connection, exists, select, update

from thumbnet.challenge.database.schema import challenge as table
from thumbnet.challenge.database.schema import scores, submissions
from thumbnet.challenge.labels import Labels
from thumbnet.challenge.state import Challenge, add_labels
from thumbnet.challenge.submissions.intake import write_score
from thumbnet.challenge.submissions.scoring import read_answers, score

_AT_ONCE = 100


def correct_labels(challenge: Challenge, given: Labels, note: str) -> int:
    """Score every submission by the labels `given`, then let the board change to them; return their version.

    Submissions go on meanwhile. What was begun and broken off is gone on with by the same call.

    Raises:
        ChallengeError: other images or classes than the challenge has, or the labels that it has already.
    """
    with challenge.database.read() as connection:
        current = challenge.labels(challenge.state(connection).version)
    if current.by_image() == given.by_image():
        return current.number
    made = add_labels(challenge, current.corrected(given), note)
    while not _rescore_some(challenge, made):
        pass
    return made.number


def _rescore_some(challenge: Challenge, labels: Labels) -> bool:
    """Score some submissions by `labels`; where none is left, make the board use them and return True."""
    with challenge.database.write() as connection:
        left = _without_score(connection, labels.number)
        if len(left) < _AT_ONCE:
            # Under this lock no submission is being taken, so that none can be missed.
            challenge.advance(connection)
            left = _without_score(connection, labels.number)
        for number, digest in left:
            answers = read_answers(challenge.files.get(digest), labels, max_bytes=2**62)
            write_score(connection, number, labels.number, score(answers, labels))
        if len(left) == _AT_ONCE:
            return False
        connection.execute(update(table).values(version=labels.number))
        return True


def _without_score(connection: Connection, version: int) -> list[tuple[int, str]]:
    scored = exists().where(scores.c.submission_id == submissions.c.id, scores.c.version == version)
    chosen = select(submissions.c.id, submissions.c.digest).where(~scored).order_by(submissions.c.id).limit(_AT_ONCE)
    return [(row.id, row.digest) for row in connection.execute(chosen)]
