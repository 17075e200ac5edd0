"""The log of submissions, of the labels, and of turns that an admin gave.

It only grows, and each entry is chained to the one before by its hash. A receipt is an entry with its hash. Who kept
one can tell whether the log still holds it, in its place; who kept the last hash can tell whether anything before it
was changed. The list of (entry hash, hash) can be shown to everyone: an entry has a random part, so that its hash
tells nothing about it. Entry 0 states the digest of the labels and of their division: its hash, which everyone sees
from the start on, binds whoever runs the challenge to them.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from thumbnet.challenge.database.schema import ledger
from thumbnet.errors import ChallengeError
from thumbnet.files import read_json

FIRST = "0" * 64
"""What the first entry is chained to."""


@dataclass(frozen=True)
class Receipt:
    """One entry of the ledger, which its participant may keep.

    Attributes:
        entry: what was logged, as JSON text; its bytes are what is hashed.
        entry_hash: SHA-256 of `entry`.
        previous: hash of the entry before.
        hash: SHA-256 of `previous` followed by `entry_hash`.
    """

    entry: str
    entry_hash: str
    previous: str
    hash: str

    def to_json(self) -> dict[str, Any]:
        """Return the receipt as JSON data."""
        return {
            "entry": json.loads(self.entry),
            "entry_hash": self.entry_hash,
            "previous": self.previous,
            "hash": self.hash,
        }


@dataclass(frozen=True)
class Link:
    """What everyone may see of an entry."""

    sequence: int
    entry_hash: str
    hash: str


def note(connection: Connection, stated: dict[str, Any], submission: int | None = None) -> Receipt:
    """Log what is `stated` and return its receipt.

    The caller holds the row of the challenge locked (`state.advance`), so that entries come one after the other.

    Args:
        connection: of the write that does what is logged.
        stated: JSON data.
        submission: number of the submission that it is about; `None` for none.
    """
    last = connection.execute(select(ledger.c.sequence, ledger.c.hash).order_by(ledger.c.sequence.desc()).limit(1))
    sequence, previous = next(((row.sequence, row.hash) for row in last), (-1, FIRST))
    entry = canonical(stated | {"sequence": sequence + 1, "nonce": secrets.token_hex(16)})
    receipt = seal(entry, previous)
    connection.execute(
        insert(ledger).values(
            sequence=sequence + 1,
            submission_id=submission,
            entry=entry,
            entry_hash=receipt.entry_hash,
            hash=receipt.hash,
        )
    )
    return receipt


def find(connection: Connection, submission: int) -> Receipt:
    """Return the receipt of a submission, which was logged with it."""
    return _receipt(connection, connection.execute(select(ledger).where(ledger.c.submission_id == submission)).one())


def of_labels(connection: Connection) -> Sequence[Receipt]:
    """Return the receipts of all versions of the labels, the first of which is entry 0."""
    rows = connection.execute(select(ledger).where(ledger.c.submission_id.is_(None)).order_by(ledger.c.sequence)).all()
    return [_receipt(connection, row) for row in rows if "labels" in json.loads(row.entry)]


def links(connection: Connection, after: int, limit: int) -> Sequence[Link]:
    """Return up to `limit` links of the chain behind number `after`."""
    columns = (ledger.c.sequence, ledger.c.entry_hash, ledger.c.hash)
    rows = connection.execute(
        select(*columns).where(ledger.c.sequence > after).order_by(ledger.c.sequence).limit(limit)
    )
    return [Link(row.sequence, row.entry_hash, row.hash) for row in rows]


def seal(entry: str, previous: str) -> Receipt:
    """Return the receipt of `entry`, JSON text, behind an entry of the hash `previous`."""
    entry_hash = hashlib.sha256(entry.encode()).hexdigest()
    return Receipt(entry, entry_hash, previous, hashlib.sha256((previous + entry_hash).encode()).hexdigest())


def canonical(value: dict[str, Any]) -> str:
    """Return `value` as the one JSON text that stands for it: sorted keys, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def check_chain(rows: Iterable[Any]) -> list[str]:
    """Return what is wrong with the chain of `rows` (sequence, entry, entry_hash, hash), in their order."""
    problems, previous, expected = [], FIRST, 0
    for row in rows:
        receipt = seal(row.entry, previous)
        if row.sequence != expected:
            problems.append(f"ledger: number {expected} is missing before number {row.sequence}")
        elif receipt.entry_hash != row.entry_hash:
            problems.append(f"ledger: entry {row.sequence} is not what its hash says")
        elif receipt.hash != row.hash:
            problems.append(f"ledger: entry {row.sequence} is not chained to the one before")
        previous, expected = row.hash, row.sequence + 1
    return problems


def load_receipt(path: Path) -> Receipt:
    """Return the receipt in the file `path`.

    Raises:
        ChallengeError: it holds none of ours, or one that was changed.
        StorageError: it cannot be read, or is not JSON.
    """
    value = read_json(path)
    try:
        return read_receipt(value)
    except ChallengeError as error:
        raise ChallengeError(f"{path}: {error}") from error


def read_receipt(value: Any) -> Receipt:
    """Return the receipt in `value`, JSON data as `Receipt.to_json` makes it.

    Raises:
        ChallengeError: it is none, or its hashes do not fit its entry.
    """
    try:
        receipt = seal(canonical(dict(value["entry"])), str(value["previous"]))
        fits = (receipt.entry_hash, receipt.hash) == (value["entry_hash"], value["hash"])
        int(value["entry"]["sequence"])
    except (KeyError, TypeError, ValueError) as error:
        raise ChallengeError("receipt: not one of ours; give the JSON file that the submission returned") from error
    if not fits:
        raise ChallengeError("receipt: its hashes do not fit its entry; it was changed after it was made")
    return receipt


def _receipt(connection: Connection, row: Any) -> Receipt:
    before = connection.execute(select(ledger.c.hash).where(ledger.c.sequence == row.sequence - 1)).scalar()
    return Receipt(row.entry, row.entry_hash, before or FIRST, row.hash)
