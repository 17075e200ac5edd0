"""Checking a challenge from the ground: the chain, the files, and every score computed anew."""

import json
from collections.abc import Mapping, Sequence, Set
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
    problems = check_chain(logged)
    problems += digests
    entries = {row.submission_id: (row, json.loads(row.entry)) for row in logged if row.submission_id is not None}
    problems += _check_entries(logged, {row.id for row in rows}, versions)
    for row in rows:
        first = current
        if row.id in entries:
            problems += _check_logged(row, *entries[row.id])
            first = min(current, int(entries[row.id][1].get("version", current)))
        else:
            problems.append(f"submission {row.id}: not in the ledger")
        problems += [
            f"submission {row.id}: without a score by version {number} of the labels"
            for number in range(first, current + 1)
            if (row.id, number) not in stored
        ]
        problems += _check_submission(challenge, row, versions, current, stored)
    known = {row.sequence: row for row in logged}
    problems += [problem for receipt in receipts for problem in _check_receipt(receipt, known)]
    orphans = challenge.files.digests() - {row.digest for row in rows}
    return Verified(len(rows), len(stored), logged[-1].hash if logged else "", problems, len(orphans))


def _versions(connection: Connection) -> tuple[Mapping[int, Labels], list[str]]:
    """Return all labels, and what is wrong with them; they are read anew, not taken from memory."""
    found, problems = {}, []
    for row in connection.execute(select(label_versions)):
        found[row.number] = Labels.decode(bytes(row.content), row.number)
        if found[row.number].digest() != row.digest:
            problems.append(f"labels, version {row.number}: not what their digest says")
    return found, problems


def _check_entries(logged: Sequence[Any], known: Set[int], versions: Mapping[int, Labels]) -> list[str]:
    """Check that what the ledger names is there: every submission, and every version of the labels as it was."""
    problems, seen = [], set()
    for row in logged:
        entry = json.loads(row.entry)
        number = entry.get("submission")
        if number is not None and (number not in known or row.submission_id != number):
            problems.append(f"ledger: entry {row.sequence} logs submission {number}, which is not there")
        if "labels" in entry:
            seen.add(entry["version"])
            labels = versions.get(entry["version"])
            if labels is None or labels.digest() != entry["labels"]:
                problems.append(f"labels, version {entry['version']}: not those of entry {row.sequence} of the ledger")
    return problems + [f"labels, version {number}: not in the ledger" for number in sorted(versions.keys() - seen)]


def _scores(connection: Connection) -> dict[tuple[int, int], Any]:
    return {(row.submission_id, row.version): row for row in connection.execute(select(scores))}


def _check_logged(row: Any, entry: Any, logged: Mapping[str, Any]) -> list[str]:
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
    try:
        content = challenge.files.get(row.digest)
        answers = read_answers(content, versions[current])
    except (ThumbnetError, RefusalError) as error:
        return [f"submission {row.id}: {error}"]
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
