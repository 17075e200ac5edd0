"""Verification, backup, restore, grades."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text, update

from tests.challenge.world import DATABASES, World, answers, corrected
from thumbnet.challenge import keeping, labels, ledger
from thumbnet.challenge.database.schema import challenge as challenge_table
from thumbnet.challenge.database.schema import label_versions, metadata, scores, submissions
from thumbnet.challenge.database.schema import ledger as ledger_table
from thumbnet.challenge.rescoring import correct_labels
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.state import Challenge, set_phase
from thumbnet.errors import ChallengeError, StorageError


@pytest.fixture
def filled(both: World) -> World:
    for number in range(4):
        both.send_all(both.join(f"p{number}"), answers(10 * number), answers(10 * number + 1))
    return both


def receipt_of(world: World, submission: int) -> ledger.Receipt:
    with world.challenge.database.read() as connection:
        return ledger.find(connection, submission)


def test_a_challenge_that_is_right_verifies(filled: World) -> None:
    receipts = [receipt_of(filled, number) for number in range(1, 9)]
    found = keeping.verify(filled.challenge, receipts)
    assert (found.submissions, found.scores, found.problems, found.orphans) == (8, 8, [], 0)
    # The chain by hand, from what everyone can see.
    previous = "0" * 64
    with filled.challenge.database.read() as connection:
        links = list(ledger.links(connection, -1, 100))
        first = connection.execute(select(ledger_table.c.entry).where(ledger_table.c.sequence == 0)).scalar_one()
    # Entry 0 commits to the labels and their division, salted.
    assert json.loads(first)["labels"] == hashlib.sha256(filled.challenge.labels(1).encode()).hexdigest()
    assert len(json.loads(first)["nonce"]) == 32
    assert hashlib.sha256(first.encode()).hexdigest() == links[0].entry_hash
    previous = hashlib.sha256((previous + links[0].entry_hash).encode()).hexdigest()
    assert links.pop(0).hash == previous
    for link, receipt in zip(links, receipts, strict=True):
        assert receipt.previous == previous
        assert hashlib.sha256(receipt.entry.encode()).hexdigest() == link.entry_hash
        previous = hashlib.sha256((previous + link.entry_hash).encode()).hexdigest()
        assert link.hash == previous
    assert found.head == previous
    entry = json.loads(receipts[2].entry)
    assert entry["file"] == hashlib.sha256(answers(10)).hexdigest()
    assert (entry["sequence"], entry["submission"]) == (3, 3)


def _off(world: World) -> None:
    """Take the guard off the ledger, as somebody with the database in hands could."""
    with world.challenge.database.write() as connection:
        if world.challenge.database.is_sqlite:
            connection.execute(text("DROP TRIGGER ledger_no_update"))
            connection.execute(text("DROP TRIGGER ledger_no_delete"))
        else:
            connection.execute(text("DROP TRIGGER ledger_no_change ON ledger"))


def _change_entry(world: World) -> None:
    _off(world)
    with world.challenge.database.write() as connection:
        entry = connection.execute(select(ledger_table.c.entry).where(ledger_table.c.sequence == 3)).scalar_one()
        changed = update(ledger_table).where(ledger_table.c.sequence == 3)
        connection.execute(changed.values(entry=entry.replace('"team":2', '"team":4')))


def _reseal_entry(world: World) -> None:
    """Change an entry and make its own hashes fit again; the next one's no longer do."""
    _change_entry(world)
    with world.challenge.database.write() as connection:
        row = connection.execute(select(ledger_table).where(ledger_table.c.sequence == 3)).one()
        before = connection.execute(select(ledger_table.c.hash).where(ledger_table.c.sequence == 2)).scalar_one()
        sealed = ledger.seal(row.entry, before)
        changed = update(ledger_table).where(ledger_table.c.sequence == 3)
        connection.execute(changed.values(entry_hash=sealed.entry_hash, hash=sealed.hash))


def _remove_entry(world: World) -> None:
    _off(world)
    with world.challenge.database.write() as connection:
        connection.execute(delete(ledger_table).where(ledger_table.c.sequence == 3))


def _raise_score(world: World) -> None:
    with world.challenge.database.write() as connection:
        connection.execute(update(scores).where(scores.c.submission_id == 3).values(public_correct=20))


def _remove_score(world: World) -> None:
    with world.challenge.database.write() as connection:
        connection.execute(delete(scores).where(scores.c.submission_id == 3))


def _remove_submission(world: World) -> None:
    """Remove all of a submission but its place in the log."""
    _remove_score(world)
    with world.challenge.database.write() as connection:
        if world.challenge.database.is_sqlite:
            connection.execute(text("DROP TRIGGER ledger_no_update"))
            connection.execute(update(ledger_table).where(ledger_table.c.sequence == 3).values(submission_id=None))
        else:
            connection.execute(text("ALTER TABLE ledger DROP CONSTRAINT fk_ledger_submission_id"))
        connection.execute(delete(submissions).where(submissions.c.id == 3))


def _remove_older_score(world: World) -> None:
    """A score that the board no longer shows."""
    correct_labels(world.challenge, corrected(1), "one was wrong")
    with world.challenge.database.write() as connection:
        connection.execute(delete(scores).where(scores.c.submission_id == 3, scores.c.version == 1))


def _exchange_labels(world: World, *, digest: bool = False) -> None:
    """Change a label, and where wanted what its row says of it."""
    with world.challenge.database.write() as connection:
        found = world.challenge.labels(1)
        changed = replace(found, labels=(found.labels + 1) % 4)
        values = {"content": changed.encode()} | ({"digest": changed.digest()} if digest else {})
        connection.execute(update(label_versions).values(**values))


def _exchange_division(world: World) -> None:
    with world.challenge.database.write() as connection:
        changed = replace(world.challenge.labels(1), private=~world.challenge.labels(1).private)
        connection.execute(update(label_versions).values(content=changed.encode(), digest=changed.digest()))


def _move_back(world: World) -> None:
    with world.challenge.database.write() as connection:
        connection.execute(update(submissions).where(submissions.c.id == 3).values(received_at=0))


def _spoil_labels(world: World, content: bytes, *, digest: bool = False) -> None:
    """Replace the labels by what are none, and where wanted what their row says of them."""
    values = {"content": content} | ({"digest": hashlib.sha256(content).hexdigest()} if digest else {})
    with world.challenge.database.write() as connection:
        connection.execute(update(label_versions).values(**values))


def _spoil_entry(world: World, sequence: int, entry: str) -> None:
    _off(world)
    with world.challenge.database.write() as connection:
        connection.execute(update(ledger_table).where(ledger_table.c.sequence == sequence).values(entry=entry))


_SPOILED: dict[Callable[[World], None], str] = {
    partial(_spoil_entry, sequence=3, entry="{"): "ledger: entry 3 is no JSON object",
    partial(_spoil_entry, sequence=3, entry="[]"): "ledger: entry 3 is no JSON object",
    partial(_spoil_entry, sequence=3, entry='{"submission":["\\n"]}'): "logs submission ['\\n'], which is not there",
    partial(_spoil_entry, sequence=3, entry='{"version":"x"}'): "submission 3: file, received_at, ",
    partial(_spoil_entry, sequence=3, entry='{"version":-1000000000}'): "submission 3: file, received_at, ",
}


def _spoil_digest(world: World) -> None:
    with world.challenge.database.write() as connection:
        connection.execute(update(submissions).where(submissions.c.id == 3).values(digest="none"))


def _name_absent_labels(world: World) -> None:
    with world.challenge.database.write() as connection:
        connection.execute(update(challenge_table).values(version=7))


def _change_file(world: World) -> None:
    world.challenge.files.path(hashlib.sha256(answers(10)).hexdigest()).write_bytes(answers(40))


def _remove_file(world: World) -> None:
    world.challenge.files.path(hashlib.sha256(answers(10)).hexdigest()).unlink()


# Each of these is one statement that differs by database: triggers that are dropped, or rows that others refer to.
_ON_BOTH: dict[Callable[[World], None], str] = {
    _change_entry: "ledger: entry 3 is not what its hash says",
    _reseal_entry: "ledger: entry 4 is not chained",
    _remove_entry: "ledger: number 3 is missing",
    _remove_submission: "ledger: entry 3 logs submission 3, which is not there",
}
_DAMAGES: dict[Callable[[World], None], str] = {
    _raise_score: "submission 3: its score by version 1 is not what its file gives",
    _remove_score: "submission 3: without a score by version 1",
    _remove_older_score: "submission 3: without a score by version 1",
    _exchange_labels: "labels, version 1: not what their digest says",
    partial(_exchange_labels, digest=True): "labels, version 1: not those of entry 0 of the ledger",
    _exchange_division: "labels, version 1: not those of entry 0 of the ledger",
    partial(_spoil_labels, content=b"{"): "labels, version 1: not what their digest says",
    partial(_spoil_labels, content=b"{", digest=True): "labels, version 1: damaged",
    partial(_spoil_labels, content=b"[]", digest=True): "labels, version 1: damaged",
    partial(_spoil_labels, content=labels.make(["a"], ["n01"]).encode(), digest=True): (
        "labels, version 1: not those of entry 0"
    ),
    **_SPOILED,
    partial(_spoil_entry, sequence=0, entry='{"labels":3}'): "labels, version None: not those of entry 0",
    partial(_spoil_entry, sequence=0, entry="{}"): "labels, version 1: not in the ledger",
    _spoil_digest: "submission 3: 'none' is no SHA-256",
    _name_absent_labels: "labels, version 7: missing or damaged, so that nothing was scored anew",
    _move_back: "submission 3: received_at not as the ledger has it",
    _change_file: "not the file that was submitted",
    _remove_file: "no such file",
}


@pytest.mark.parametrize(
    ("damage", "problem", "database"),
    [(*one, kind) for one in _ON_BOTH.items() for kind in DATABASES] + [(*one, "sqlite") for one in _DAMAGES.items()],
    indirect=["database"],
)
def test_whatever_was_changed_is_found(damage: Callable[[World], None], problem: str, filled: World) -> None:
    receipt = receipt_of(filled, 3)
    damage(filled)
    found = keeping.verify(filled.challenge, [receipt])
    assert any(problem in line for line in found.problems), found.problems
    assert all("\n" not in line for line in found.problems)
    in_ledger = damage not in (_change_entry, _reseal_entry, _remove_entry, *_SPOILED)
    assert ("receipt of entry 3: the ledger does not hold it" in found.problems) != in_ledger


def test_files_are_checked_without_the_labels_too(filled: World) -> None:
    _name_absent_labels(filled)
    _change_file(filled)
    found = keeping.verify(filled.challenge)
    assert (found.submissions, found.scores) == (8, 0)
    assert any("not the file that was submitted" in line for line in found.problems)


def test_a_receipt_that_was_changed_is_refused(filled: World) -> None:
    good = receipt_of(filled, 3).to_json()
    assert ledger.read_receipt(good) == receipt_of(filled, 3)
    for bad in (good | {"entry": good["entry"] | {"team": 9}}, good | {"hash": "0" * 64}):
        with pytest.raises(ChallengeError, match="changed after it was made"):
            ledger.read_receipt(bad)
    for other in ("{}", "[]", "null", '{"entry": 3}'):
        with pytest.raises(ChallengeError, match="not one of ours"):
            ledger.read_receipt(json.loads(other))


def test_a_backup_restores_everything_to_either_database(filled: World, another_database: str, tmp_path: Path) -> None:
    out = tmp_path / "backup"
    manifest = keeping.backup(filled.challenge, out)
    assert manifest["tables"]["submissions"]["rows"] == 8
    assert out.stat().st_mode & 0o077 == 0
    with pytest.raises(StorageError, match="exists already"):
        keeping.backup(filled.challenge, out)
    usual = Settings(folder=tmp_path / "other", sign_up="open", public_fraction=0.5)
    other = Challenge.open(replace(usual, database=another_database))
    keeping.restore(other, out)
    with filled.challenge.database.read() as first, other.database.read() as second:
        for table in metadata.sorted_tables:
            chosen = select(table).order_by(*table.primary_key.columns)
            assert first.execute(chosen).all() == second.execute(chosen).all()
    assert keeping.verify(other).problems == []
    with pytest.raises(ChallengeError, match="has a challenge already"):
        keeping.restore(other, out)
    # It goes on where it was: new numbers follow the restored ones.
    restored = World(other.settings, other)
    assert restored.send(restored.join("new"), answers(7)).submission == 9
    assert keeping.verify(other).problems == []
    other.close()


def test_a_damaged_backup_is_refused_and_leaves_nothing(filled: World, tmp_path: Path) -> None:
    out = tmp_path / "backup"
    keeping.backup(filled.challenge, out)
    empty = Challenge.open(replace(filled.settings, folder=tmp_path / "empty", database=""))
    with pytest.raises(ChallengeError, match="not a backup"):
        keeping.restore(empty, tmp_path)
    kept = next((out / "files").glob("??/*"))
    content = kept.read_bytes()
    kept.write_bytes(b"changed")
    with pytest.raises(ChallengeError, match="not the file that was submitted"):
        keeping.restore(empty, out)
    kept.unlink()
    with pytest.raises(ChallengeError, match="stored files are missing"):
        keeping.restore(empty, out)
    kept.write_bytes(content)
    table = out / "tables" / "scores.jsonl"
    table.write_text(table.read_text().replace('"public_correct": 1', '"public_correct": 2'))
    with pytest.raises(ChallengeError, match="damaged"):
        keeping.restore(empty, out)
    assert not empty.is_set_up()
    empty.close()


def test_grades_list_everyone_and_hold_private_scores_at_the_end_alone(filled: World) -> None:
    filled.join("late")
    before = list(csv.DictReader(io.StringIO(keeping.grades(filled.challenge))))
    assert [row["account"] for row in before] == ["p0", "p1", "p2", "p3", "late"]
    assert {row["scored_on"] for row in before} == {"public", ""}
    assert before[-1]["submissions"] == "0"
    set_phase(filled.challenge, "closed")
    set_phase(filled.challenge, "revealed")
    after = list(csv.DictReader(io.StringIO(keeping.grades(filled.challenge))))
    assert {row["scored_on"] for row in after} == {"private", ""}
    private = filled.challenge.labels(1).private
    # Of the last two, the second is better on the public images if its one image more is public.
    best = 30 if private[30] else 31
    assert float(after[3]["top1"]) == pytest.approx(private[:best].sum() / 20)
