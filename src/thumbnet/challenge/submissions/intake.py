"""Taking a submission, from its bytes to its receipt, within one request."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, insert, select

from thumbnet.challenge import ledger
from thumbnet.challenge.database.engine import insert_new
from thumbnet.challenge.database.schema import scores, submissions
from thumbnet.challenge.moments import iso
from thumbnet.challenge.people import limits
from thumbnet.challenge.people.accounts import Account
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.state import Challenge, State
from thumbnet.challenge.submissions.scoring import Answers, Score, answers_digest, read_answers, score


@dataclass(frozen=True)
class Outcome:
    """What became of a valid submission.

    Attributes:
        submission: its number.
        is_new: whether it was taken; otherwise the team had sent the same answers before, which costs nothing.
        next_allowed: when the team may submit again, in milliseconds since 1970.
    """

    submission: int
    is_new: bool
    next_allowed: int


@dataclass(frozen=True, eq=False)
class _Sent:
    """A valid file, on its way in."""

    content: bytes
    digest: str
    answers: Answers
    answers_digest: str
    score: Score
    version: int


class _SeenError(Exception):
    """Undoes the transaction of a file that was seen before."""

    def __init__(self, submission: int) -> None:
        super().__init__()
        self.submission = submission


def submit(challenge: Challenge, account: Account, content: bytes) -> Outcome:
    """Check, score, store and log a submission of `account`'s team; when this returns, it is durable.

    The file is on the disk before the rows that name it, and all rows are written in one transaction. What the team
    has sent before is recognised first, whatever the phase and the limits: its answer may have been lost on the way.

    Raises:
        RefusalError: no team, not valid, too early, too many invalid files, or the challenge is closed.
        StorageError: the disk is full.
    """
    team = account.team_id
    if team is None:
        raise RefusalError("this account has no team; sign up as a participant to submit", code="no_team", status=403)
    digest = hashlib.sha256(content).hexdigest()
    with challenge.database.read() as connection:
        state = challenge.state(connection)
        known = _find_seen(connection, team, submissions.c.digest == digest)
        if known is not None:
            return _seen(connection, team, known, state.now)
        challenge.posts.count(team)
        limits.check_invalid(connection, team, state.now, challenge.settings)
    sent = _read(challenge, team, content, digest, state)
    with challenge.database.read() as connection:
        early = _answer_early(challenge, connection, team, sent)
    if early is not None:
        return early
    challenge.files.put(sent.digest, content)
    try:
        return challenge.database.change(lambda connection: _take(challenge, connection, account, team, sent))
    except _SeenError as seen:
        with challenge.database.read() as connection:
            return _seen(connection, team, seen.submission, challenge.database.now(connection))


def _read(challenge: Challenge, team: int, content: bytes, digest: str, state: State) -> _Sent:
    """Return the valid file, or count an invalid one."""
    settings, labels = challenge.settings, challenge.labels(state.version)
    try:
        answers = read_answers(content, labels, settings.max_bytes)
    except RefusalError:
        _check_open(state)

        def count(connection: Connection) -> None:
            now = challenge.database.now(connection)
            if not limits.count_invalid(connection, team, now, settings):
                limits.check_invalid(connection, team, now, settings)

        challenge.database.change(count)
        raise
    return _Sent(
        content,
        digest,
        answers,
        answers_digest(answers),
        score(answers, labels),
        labels.number,
    )


def _answer_early(challenge: Challenge, connection: Connection, team: int, sent: _Sent) -> Outcome | None:
    """Return the outcome of a file that was seen before, and refuse one that is too early, before anything is stored.

    This spares the disk; what counts is decided in `_take`.
    """
    state = challenge.state(connection)
    now = state.now
    seen = _find_seen(connection, team, submissions.c.answers == sent.answers_digest)
    if seen is not None:
        return _seen(connection, team, seen, now)
    _check_open(state)
    moment = limits.next_allowed(connection, team, now)
    if moment > now:
        raise limits.cooling(moment, now)
    return None


def _take(challenge: Challenge, connection: Connection, account: Account, team: int, sent: _Sent) -> Outcome:
    now = challenge.database.now(connection)
    # First the team's row, then the challenge's: everywhere in this order, so that no two wait for each other.
    has_turn = limits.take_turn(connection, team, now, challenge.settings)
    seen = _find_seen(connection, team, submissions.c.answers == sent.answers_digest)
    if seen is not None:
        raise _SeenError(seen)
    if not has_turn:
        # The time is asked for again: this request may have waited for the one that took the turn.
        later = challenge.database.now(connection)
        raise limits.cooling(limits.next_allowed(connection, team, later), later)
    state = challenge.advance(connection)
    _check_open(state)
    found = sent.score
    if state.version != sent.version:
        found = score(sent.answers, challenge.labels(state.version))
    challenge.files.put(sent.digest, sent.content)
    values = {"team_id": team, "account_id": account.id, "received_at": now, "digest": sent.digest}
    values |= {"answers": sent.answers_digest, "size": len(sent.content)}
    number = connection.execute(insert(submissions).values(**values).returning(submissions.c.id)).scalar_one()
    write_score(connection, number, state.version, found)
    stated = {"submission": number, "team": team, "received_at": iso(now), "file": sent.digest}
    stated |= {"size": len(sent.content), "version": state.version}
    ledger.note(connection, stated, number)
    return Outcome(number, True, limits.next_allowed(connection, team, now))


def write_score(
    connection: Connection, submission: int, version: int, found: Score, *, or_there: bool = False
) -> None:
    """Write the score of a submission by version `version` of the labels.

    Args:
        connection: within a write.
        submission: its number.
        version: of the labels.
        found: the score.
        or_there: leave it as it is where it is there already.
    """
    values = {
        "submission_id": submission,
        "version": version,
        "public_correct": found.public.correct,
        "private_correct": found.private.correct,
        "right": found.packed(),
    }
    if or_there:
        connection.execute(insert_new(connection, scores).values(**values).on_conflict_do_nothing())
    else:
        connection.execute(insert(scores).values(**values))


def _find_seen(connection: Connection, team: int, same: ColumnElement[bool]) -> int | None:
    return connection.execute(select(submissions.c.id).where(submissions.c.team_id == team, same)).scalar()


def _seen(connection: Connection, team: int, submission: int, now: int) -> Outcome:
    return Outcome(submission, False, limits.next_allowed(connection, team, now))


def _check_open(state: State) -> None:
    if state.phase != "open":
        raise RefusalError("the challenge is closed; submissions are no longer taken", code="closed", status=409)
