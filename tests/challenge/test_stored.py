"""What lies on the disk: swept, spared, and of one database and one folder."""

import hashlib
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.challenge.postgres import Cluster

from tests.challenge.world import World, answers, count, truth
from thumbnet.challenge.database.schema import ledger, scores, submissions
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.state import Challenge, bind, set_up, sweep
from thumbnet.challenge.submissions.files import UNFINISHED_SECONDS
from thumbnet.errors import ChallengeError, StorageError


def test_a_failed_write_counts_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = world.join("anna")
    world.challenge.files.folder.parent.mkdir(exist_ok=True)
    world.challenge.files.folder.write_text("a file in the place of the folder")
    with pytest.raises(StorageError):
        world.send(anna, answers(10))
    assert count(world) == (0, 0, 0)
    world.challenge.files.folder.unlink()
    # Fails after the turn was taken and the row was written, before the end of the transaction.
    with monkeypatch.context() as patch:
        patch.setattr("thumbnet.challenge.ledger.seal", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            world.send(anna, answers(10))
    assert count(world) == (0, 0, 0)
    assert world.send(anna, answers(10)).is_new


def test_stored_files_are_their_owners_alone_from_the_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    modes, replace_file = [], Path.replace

    def seen(path: Path, target: Path) -> Path:
        modes.append(path.stat().st_mode & 0o777)
        return replace_file(path, target)

    monkeypatch.setattr(Path, "replace", seen)
    world.send(world.join("anna"), answers(10))
    assert modes == [0o600]


def test_files_without_a_row_are_swept_and_others_stay(both: World) -> None:
    anna = both.join("anna")
    both.send(anna, answers(10))
    orphan = b"an orphan"
    digest = hashlib.sha256(orphan).hexdigest()
    both.challenge.files.put(digest, orphan)
    fresh = both.challenge.files.path(digest).with_name(".x.abc.tmp")
    fresh.write_bytes(b"being written")
    # A young one may be on its way.
    assert sweep(both.challenge) == []
    path = both.challenge.files.path(digest)
    for stored in (path, both.challenge.files.path(hashlib.sha256(answers(10)).hexdigest())):
        os.utime(stored, (0, time.time() - 90_000))
    assert sweep(both.challenge) == [digest]
    assert (both.challenge.files.folder / ".orphans" / digest).read_bytes() == orphan
    assert fresh.exists()
    os.utime(fresh, (0, time.time() - UNFINISHED_SECONDS - 1))
    assert sweep(both.challenge) == []
    assert not fresh.exists()
    assert both.challenge.files.get(hashlib.sha256(answers(10)).hexdigest()) == answers(10)


def test_an_unfinished_file_may_get_its_name_meanwhile(world: World) -> None:
    world.send(world.join("anna"), answers(10))
    folder = world.challenge.files.path(hashlib.sha256(answers(10)).hexdigest()).parent
    # Listed, as a file is whose name changes after that, and not there.
    (folder / ".x.abc.tmp").symlink_to(folder / "gone")
    assert sweep(world.challenge) == []


def test_what_the_log_names_is_not_put_aside(world: World) -> None:
    world.send(world.join("anna"), answers(10))
    digest = hashlib.sha256(answers(10)).hexdigest()
    with world.challenge.database.write() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        connection.exec_driver_sql("DROP TRIGGER ledger_no_update")
        connection.execute(ledger.update().values(submission_id=None))
        connection.execute(scores.delete())
        connection.execute(submissions.delete())
    os.utime(world.challenge.files.path(digest), (0, 0))
    assert sweep(world.challenge) == []
    assert world.challenge.files.get(digest) == answers(10)


def test_a_database_and_a_folder_that_do_not_belong_together_are_refused(cluster: Cluster, tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path / "one", sign_up="open")
    world = World(settings)
    world.send(world.join("anna"), answers(10))
    stored = world.challenge.files.path(hashlib.sha256(answers(10)).hexdigest())
    os.utime(stored, (0, 0))
    # A second database for the folder: refused before anything is written to it.
    other = Challenge.open(replace(settings, database=cluster.new_database()))
    with pytest.raises(ChallengeError, match="has the files of another challenge"):
        set_up(other, truth())
    assert not other.is_set_up()
    other.close()
    # A challenge of its own, whose settings then name the first one's folder.
    second = World(Settings(folder=tmp_path / "two", sign_up="open", database=cluster.new_database()))
    mixed = Challenge(replace(second.settings, folder=settings.folder), second.challenge.database)
    for start in (bind, sweep, lambda challenge: set_up(challenge, truth())):
        with pytest.raises(ChallengeError, match=r"challenge\.id: not the one"):
            start(mixed)
    # A database with submissions, and a new folder.
    world.settings.folder.rename(tmp_path / "moved")
    world.settings.folder.mkdir()
    with pytest.raises(ChallengeError, match=r"challenge\.id: missing"):
        sweep(world.challenge)
    world.settings.folder.rmdir()
    (tmp_path / "moved").rename(world.settings.folder)
    assert sweep(world.challenge) == []
    assert stored.exists()
    world.challenge.close()
    second.challenge.close()


def test_a_first_start_that_was_broken_off_is_gone_on_with(world: World) -> None:
    path = world.settings.folder / "challenge.id"
    identity = path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    path.unlink()
    set_up(world.challenge, truth())
    assert path.read_text() == identity
