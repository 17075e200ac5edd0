"""Checking a challenge from the ground: the chain, the files, and every score computed anew."""

import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from thumbnet.challenge.database.schema import label_versions, ledger, scores, submissions
from thumbnet.challenge.labels import Labels
from thumbnet.challenge.ledger import Receipt, check_chain
from thumbnet.challenge.moments import iso
from thumbnet.challenge.state import Challenge
from thumbnet.challenge.submissions.scoring import answers_digest, read_answers, score
from thumbnet.errors import ChallengeError, ThumbnetError


@dataclass(frozen=True)
class Verified:
    """What a check found.

    Attributes:
        submissions: how many were checked.
        scores: how many scores were computed anew.
        head: the last hash of the ledger.
        problems: what is wrong, one line each; none if all is right.
        orphans: stored files without a submission, left by a killed process; harmless, and put aside by a start
            a day later.
    """

    submissions: int
    scores: int
    head: str
    problems: Sequence[str]
    orphans: int


def verify(challenge: Challenge, receipts: Sequence[Receipt] = ()) -> Verified:
    """Check the chain of the ledger, every row and file of a submission, and every score by every version of labels.

    Args:
        challenge: the challenge; it may run meanwhile.
        receipts: which the ledger has to hold.
    """
    with challenge.database.read() as connection:
        logged = connection.execute(select(ledger).order_by(ledger.c.sequence)).all()
        rows = connection.execute(select(submissions).order_by(submissions.c.id)).all()
        versions, digests = _versions(connection)
        current = challenge.state(connection).version
        stored = _scores(connection)
    problems = check_chain(logged) + digests
    entries, unreadable = _entries(logged)
    problems += unreadable + _check_entries(entries, {row.id for row in rows}, versions)
    by_submission = {entry.row.submission_id: entry for entry in entries}
    for row in rows:
        problems += _check_logged(row, by_submission.get(row.id), current, stored)
        problems += _check_submission(challenge, row, versions, current, stored)
    if current not in versions:
        problems.append(f"labels, version {current}: missing or damaged, so that nothing was scored anew")
    computed = sum(number in versions for _, number in stored) if current in versions else 0
    known = {row.sequence: row for row in logged}
    problems += [problem for receipt in receipts for problem in _check_receipt(receipt, known)]
    orphans = challenge.files.digests() - {row.digest for row in rows}
    return Verified(len(rows), computed, logged[-1].hash if logged else "", problems, len(orphans))


def _versions(connection: Connection) -> tuple[Mapping[int, Labels], list[str]]:
    """Return all labels that are whole, and what is wrong with others; they are read anew, not taken from memory."""
    found, problems = {}, []
    for row in connection.execute(select(label_versions).order_by(label_versions.c.number)):
        content = bytes(row.content)
        if hashlib.sha256(content).hexdigest() != row.digest:
            problems.append(f"labels, version {row.number}: not what their digest says")
            continue
        try:
            found[row.number] = Labels.decode(content, row.number)
        except ChallengeError as error:
            problems.append(str(error))
    return found, problems


@dataclass(frozen=True)
class _Entry:
    """A row of the ledger with what it states."""

    row: Any
    stated: Mapping[str, Any]


def _entries(logged: Sequence[Any]) -> tuple[Sequence[_Entry], list[str]]:
    """Return the entries of the ledger that can be read, and what is wrong with the others."""
    entries, problems = [], []
    for row in logged:
        try:
            stated = json.loads(row.entry)
        except ValueError:
            stated = None
        if isinstance(stated, dict):
            entries.append(_Entry(row, stated))
        else:
            problems.append(f"ledger: entry {row.sequence} is no JSON object")
    return entries, problems


def _check_entries(entries: Sequence[_Entry], known: Set[int], versions: Mapping[int, Labels]) -> list[str]:
    """Check that what the ledger names is there: every submission, and every version of the labels as it was."""
    problems, seen = [], []
    for entry in entries:
        sequence, number = entry.row.sequence, entry.stated.get("submission")
        # Whatever stands in an entry that was changed can be compared; only a number can be looked up.
        if number is not None and (entry.row.submission_id != number or number not in known):
            problems.append(f"ledger: entry {sequence} logs submission {number!r}, which is not there")
        if "labels" in entry.stated:
            version = entry.stated.get("version")
            seen.append(version)
            labels = next((labels for number, labels in versions.items() if number == version), None)
            if labels is None or labels.digest() != entry.stated["labels"]:
                problems.append(f"labels, version {version!r}: not those of entry {sequence} of the ledger")
    return problems + [f"labels, version {number}: not in the ledger" for number in versions if number not in seen]


def _scores(connection: Connection) -> dict[tuple[int, int], Any]:
    return {(row.submission_id, row.version): row for row in connection.execute(select(scores))}


def _check_logged(row: Any, entry: _Entry | None, current: int, stored: Mapping[tuple[int, int], Any]) -> list[str]:
    """Check that the ledger has a submission as its row has it, and that each version since has scored it."""
    problems = [] if entry is None else _compare(row, entry)
    logged = None if entry is None else entry.stated.get("version")
    first = logged if isinstance(logged, int) and 0 < logged <= current else current
    if entry is None:
        problems.append(f"submission {row.id}: not in the ledger")
    return problems + [
        f"submission {row.id}: without a score by version {number} of the labels"
        for number in range(first, current + 1)
        if (row.id, number) not in stored
    ]


def _compare(row: Any, entry: _Entry) -> list[str]:
    expected = {
        "sequence": entry.row.sequence,
        "submission": row.id,
        "team": row.team_id,
        "received_at": iso(row.received_at),
        "file": row.digest,
        "size": row.size,
    }
    wrong = sorted(key for key, value in expected.items() if entry.stated.get(key) != value)
    return [f"submission {row.id}: {', '.join(wrong)} not as the ledger has it"] if wrong else []


def _check_submission(
    challenge: Challenge, row: Any, versions: Mapping[int, Labels], current: int, stored: Mapping[tuple[int, int], Any]
) -> list[str]:
    problems = []
    try:
        content = challenge.files.get(row.digest)
        if current not in versions:
            return []
        answers = read_answers(content, versions[current])
        found = {number: score(answers, labels) for number, labels in versions.items() if (row.id, number) in stored}
    except (ThumbnetError, ValueError) as error:
        # A digest that is none, or labels of other images than the newest.
        return [f"submission {row.id}: {error}"]
    if len(content) != row.size or answers_digest(answers) != row.answers:
        problems.append(f"submission {row.id}: its file is not what its row says")
    for number, scored in found.items():
        kept = stored[row.id, number]
        computed = (scored.public.correct, scored.private.correct, scored.packed())
        if computed != (kept.public_correct, kept.private_correct, bytes(kept.right)):
            problems.append(f"submission {row.id}: its score by version {number} is not what its file gives")
    return problems


def _check_receipt(receipt: Receipt, logged: Mapping[int, Any]) -> list[str]:
    sequence = json.loads(receipt.entry)["sequence"]
    row = logged.get(sequence)
    if row is None or (row.entry, row.hash) != (receipt.entry, receipt.hash):
        return [f"receipt of entry {sequence}: the ledger does not hold it"]
    return []
