"""Corrected labels: every submission scored again, and a new version of the board."""

import time
from collections.abc import Sequence

from sqlalchemy import Connection, exists, select, update

from thumbnet.challenge.database.schema import challenge as table
from thumbnet.challenge.database.schema import scores, submissions
from thumbnet.challenge.labels import Labels
from thumbnet.challenge.state import Challenge, add_labels
from thumbnet.challenge.submissions.intake import write_score
from thumbnet.challenge.submissions.scoring import Score, read_answers, score
from thumbnet.errors import ChallengeError

_AT_ONCE = 10
_PAUSE_SECONDS = 0.005
_LAST = 2
"""Submissions that may be scored under the lock; while many come in, there are always some."""


def correct_labels(challenge: Challenge, given: Labels, note: str) -> int:
    """Score every submission by the labels `given`, then let the board change to them; return their version.

    Submissions go on meanwhile. What was begun and broken off is gone on with by the same call.

    Raises:
        ChallengeError: other images or classes than the challenge has, the labels that it has already, or others
            than those of a correction that was broken off.
    """
    with challenge.database.read() as connection:
        current = challenge.labels(challenge.state(connection).version)
    if current.by_image() == given.by_image():
        raise ChallengeError("corrected labels: the same as the challenge has already; give those that differ")
    made = add_labels(challenge, current.corrected(given), note)
    while not _finish(challenge, made):
        _rescore(challenge, made)
    return made.number


def _rescore(challenge: Challenge, labels: Labels) -> None:
    """Score all submissions that have no score by `labels`.

    Files are read and scored outside of any write, and each write is short, so that submissions get in between.
    """
    with challenge.database.read() as connection:
        left = _without_score(connection, labels.number)
    for start in range(0, len(left), _AT_ONCE):
        found = [
            (number, score(read_answers(challenge.files.get(digest), labels), labels))
            for number, digest in left[start : start + _AT_ONCE]
        ]
        _write(challenge, found, labels.number)
        time.sleep(_PAUSE_SECONDS)


def _write(challenge: Challenge, found: Sequence[tuple[int, Score]], version: int) -> None:
    def write(connection: Connection) -> None:
        for number, scored in found:
            # A second process that corrects the same labels may have been here.
            write_score(connection, number, version, scored, or_there=True)

    challenge.database.change(write)


def _finish(challenge: Challenge, labels: Labels) -> bool:
    """Make the board use `labels`, where all but a few submissions have a score by them; else return False.

    Raises:
        ChallengeError: it uses later ones.
    """
    with challenge.database.read() as connection:
        if len(_without_score(connection, labels.number)) > _LAST:
            return False
    with challenge.database.write() as connection:
        # Under this lock no submission is being taken, so that none can be missed.
        state = challenge.advance(connection)
        if state.version > labels.number:
            raise ChallengeError(
                f"corrected labels: the board has gone on to version {state.version} meanwhile, and stays there; "
                "correct that one if it is wrong"
            )
        left = _without_score(connection, labels.number)
        if len(left) > _LAST:
            return False
        for number, digest in left:
            answers = read_answers(challenge.files.get(digest), labels)
            write_score(connection, number, labels.number, score(answers, labels))
        connection.execute(update(table).values(version=labels.number))
        return True


def _without_score(connection: Connection, version: int) -> list[tuple[int, str]]:
    scored = exists().where(scores.c.submission_id == submissions.c.id, scores.c.version == version)
    chosen = select(submissions.c.id, submissions.c.digest).where(~scored).order_by(submissions.c.id)
    return [(row.id, row.digest) for row in connection.execute(chosen)]
