"""Checking a challenge from the ground: the chain, the files, and every score computed anew."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from thumbnet.challenge.database.schema import label_versions, ledger, scores, submissions
from thumbnet.challenge.labels import Labels
from thumbnet.challenge.ledger import Receipt, check_chain
from thumbnet.challenge.moments import iso
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.state import Challenge
from thumbnet.challenge.submissions.scoring import answers_digest, read_answers, score
from thumbnet.errors import ThumbnetError


@dataclass(frozen=True)
class Verified:
    """What a check found.

    Attributes:
        submissions: how many were checked.
        scores: how many scores were computed anew.
        head: the last hash of the ledger.
        problems: what is wrong, one line each; none if all is right.
        orphans: stored files without a submission, left by a killed process; harmless, and removed at the next start.
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
        versions = _versions(challenge, connection)
        current = challenge.state(connection).version
        stored = _scores(connection)
    problems = check_chain(logged)
    entries = {row.submission_id: row for row in logged}
    for row in rows:
        problems += _check_logged(row, entries.get(row.id))
        problems += _check_submission(challenge, row, versions, current, stored)
    known = {row.sequence: row for row in logged}
    problems += [problem for receipt in receipts for problem in _check_receipt(receipt, known)]
    orphans = challenge.files.digests() - {row.digest for row in rows}
    return Verified(len(rows), len(stored), logged[-1].hash if logged else "", problems, len(orphans))


def _versions(challenge: Challenge, connection: Connection) -> Mapping[int, Labels]:
    numbers = connection.execute(select(label_versions.c.number)).scalars()
    return {number: challenge.labels(number) for number in numbers}


def _scores(connection: Connection) -> dict[tuple[int, int], Any]:
    return {(row.submission_id, row.version): row for row in connection.execute(select(scores))}


def _check_logged(row: Any, entry: Any) -> list[str]:
    if entry is None:
        return [f"submission {row.id}: not in the ledger"]
    logged = json.loads(entry.entry)
    expected = {
        "sequence": entry.sequence,
        "submission": row.id,
        "team": row.team_id,
        "received_at": iso(row.received_at),
        "file": row.digest,
        "size": row.size,
    }
    wrong = sorted(key for key, value in expected.items() if logged.get(key) != value)
    return [f"submission {row.id}: {', '.join(wrong)} not as the ledger has it"] if wrong else []


def _check_submission(
    challenge: Challenge, row: Any, versions: Mapping[int, Labels], current: int, stored: Mapping[tuple[int, int], Any]
) -> list[str]:
    problems = []
    if (row.id, current) not in stored:
        problems.append(f"submission {row.id}: without a score by version {current} of the labels")
    try:
        content = challenge.files.get(row.digest)
        answers = read_answers(content, versions[current], max_bytes=2**62)
    except (ThumbnetError, RefusalError) as error:
        return [*problems, f"submission {row.id}: {error}"]
    if len(content) != row.size or answers_digest(answers) != row.answers:
        problems.append(f"submission {row.id}: its file is not what its row says")
    for number, labels in versions.items():
        kept = stored.get((row.id, number))
        if kept is None:
            continue
        found = score(answers, labels)
        computed = (found.public.correct, found.private.correct, found.packed())
        if computed != (kept.public_correct, kept.private_correct, bytes(kept.right)):
            problems.append(f"submission {row.id}: its score by version {number} is not what its file gives")
    return problems


def _check_receipt(receipt: Receipt, logged: Mapping[int, Any]) -> list[str]:
    sequence = json.loads(receipt.entry)["sequence"]
    row = logged.get(sequence)
    if row is None or (row.entry, row.hash) != (receipt.entry, receipt.hash):
        return [f"receipt of entry {sequence}: the ledger does not hold it"]
    return []
