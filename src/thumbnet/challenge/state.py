"""An open challenge, its phases, and the row that all writes of the board pass through."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, Self

from sqlalchemy import Connection, insert, select, update

from thumbnet.challenge import ledger as log
from thumbnet.challenge.database import Database
from thumbnet.challenge.database.migrating import migrate
from thumbnet.challenge.database.schema import challenge as table
from thumbnet.challenge.database.schema import label_versions, ledger, submissions
from thumbnet.challenge.labels import Labels
from thumbnet.challenge.moments import iso, milliseconds
from thumbnet.challenge.people.limits import Posts
from thumbnet.challenge.refusals import conflict
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.submissions.files import StoredFiles
from thumbnet.challenge.telling import check_names
from thumbnet.errors import ChallengeError
from thumbnet.files import storage_errors

Phase = Literal["open", "closed", "revealed"]


@dataclass(frozen=True)
class State:
    """What changes about a challenge as a whole.

    Attributes:
        change: a number that grows with everything that the board shows.
        phase: 'open' takes submissions, 'closed' does not, 'revealed' shows private scores.
        version: number of the labels by which the board is scored.
        now: the database's time, in milliseconds since 1970.
    """

    change: int
    phase: Phase
    version: int
    now: int


class Challenge:
    """A challenge that is open for use: settings, database, stored files and labels. A `with` block closes it.

    Args:
        settings: how it runs.
        database: with the newest schema.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.files = StoredFiles(settings.folder / "files")
        self.posts = Posts(settings)
        self._labels = lru_cache(maxsize=4)(self._read_labels)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Return the challenge of `settings`; its folder is made and its database brought to the newest schema.

        Raises:
            ChallengeError: the database cannot be reached or is of a newer version.
            StorageError: the folder cannot be made.
        """
        with storage_errors(settings.folder):
            settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = Database(settings.database_url)
        migrate(database)
        return cls(settings, database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def is_set_up(self) -> bool:
        """Return whether the challenge has labels."""
        with self.database.read() as connection:
            return connection.execute(select(table.c.id)).first() is not None

    def labels(self, version: int) -> Labels:
        """Return version `version` of the labels."""
        return self._labels(version)

    def _read_labels(self, version: int) -> Labels:
        chosen = select(label_versions.c.content).where(label_versions.c.number == version)
        with self.database.read(apart=True) as connection:
            return Labels.decode(connection.execute(chosen).scalar_one(), version)

    def state(self, connection: Connection) -> State:
        """Return the state of the challenge.

        Raises:
            ChallengeError: it has no labels yet.
        """
        row = connection.execute(select(table.c.change, table.c.phase, table.c.version)).first()
        if row is None:
            raise ChallengeError("challenge: not set up; start it with `thumbnet serve --labels test.csv`")
        return self._state(row.change, row.phase, row.version, self.database.now(connection))

    def advance(self, connection: Connection) -> State:
        """Count a change, lock the challenge's row until the transaction ends, and return the state.

        All writes that the board shows come through here, and so one after the other, in every process.
        """
        raised = (
            update(table).values(change=table.c.change + 1).returning(table.c.change, table.c.phase, table.c.version)
        )
        row = connection.execute(raised).one()
        return self._state(row.change, row.phase, row.version, self.database.now(connection))

    def _state(self, change: int, phase: Phase, version: int, now: int) -> State:
        end = self.settings.closes_at
        if phase == "open" and end is not None and now >= milliseconds(end):
            phase = "closed"
        return State(change, phase, version, now)

    def close(self) -> None:
        """Close all connections."""
        self.database.close()


def set_up(challenge: Challenge, labels: Labels) -> None:
    """Give `challenge` its labels, at the first start; at later ones, check that they and the settings are the same.

    Raises:
        ChallengeError: it runs with other labels or another division into public and private images; at the first
            start, the names of the images tell their classes, or the folder is another challenge's.
    """
    with challenge.database.write() as connection:
        challenge.database.start_alone(connection)
        is_first = connection.execute(select(table.c.id)).first() is None
        if is_first:
            _begin(challenge, connection, labels)
    bind(challenge)
    if is_first:
        return
    with challenge.database.read() as connection:
        versions = connection.execute(select(label_versions.c.number)).scalars().all()
    if not any(labels.same_truth(challenge.labels(number)) for number in versions):
        raise ChallengeError(
            "labels: not those that this challenge runs with; choose another --folder for another challenge, "
            "or correct them with `thumbnet challenge labels FILE`"
        )


def _begin(challenge: Challenge, connection: Connection, labels: Labels) -> None:
    """Make the challenge's row, and store its labels, divided into public and private images."""
    settings = challenge.settings
    if not settings.accept_names:
        check_names(labels)
    challenge.files.check_unused()
    seed = secrets.randbits(62) if settings.seed is None else settings.seed
    divided = labels.divided(settings.public_fraction, seed)
    now = challenge.database.now(connection)
    values: dict[str, Any] = {"public_fraction": settings.public_fraction, "seed": seed, "created_at": now}
    values |= {"identity": secrets.token_hex(16), "change": 1, "phase": "open", "version": 1}
    connection.execute(insert(table).values(id=1, **values))
    _add_version(connection, divided, now, "first labels")


def bind(challenge: Challenge) -> None:
    """Check that the stored files belong to the database: each of the two keeps the challenge's identity.

    A folder that is new, as after a first start that was broken off, gets it.

    Raises:
        ChallengeError: the files are those of another challenge, or not there.
    """
    with challenge.database.read() as connection:
        identity = connection.execute(select(table.c.identity)).scalar_one()
        is_fresh = connection.execute(select(submissions.c.id).limit(1)).first() is None
    challenge.files.bind(identity, is_fresh=is_fresh)


def check_settings(challenge: Challenge) -> None:
    """Check that settings which are fixed at the first start are as they were then.

    Raises:
        ChallengeError: one is not.
    """
    with challenge.database.read() as connection:
        row = connection.execute(select(table.c.public_fraction, table.c.seed)).one()
    settings = challenge.settings
    if settings.public_fraction != row.public_fraction:
        raise ChallengeError(
            f"setting public_fraction: {settings.public_fraction}, but the challenge began with "
            f"{row.public_fraction}, which cannot change any more; set it back"
        )
    if settings.seed not in (None, row.seed):
        raise ChallengeError("setting seed: not the one that the challenge began with; set it back or leave it out")


def set_phase(challenge: Challenge, phase: Phase) -> State:
    """Open or close the challenge, or reveal the private scores, for good.

    Raises:
        RefusalError: it is open still and cannot be revealed, is revealed and cannot be changed, or its time is over.
    """
    with challenge.database.write() as connection:
        before = challenge.advance(connection)
        if before.phase == "revealed" and phase != "revealed":
            raise conflict("the scores are revealed already; a revealed challenge stays as it is")
        if phase == "revealed" and before.phase == "open":
            raise conflict("the challenge is open; close it before you reveal the scores")
        connection.execute(update(table).values(phase=phase))
        after = challenge.state(connection)
        if after.phase != phase:
            raise conflict("the time set by closes_at is over; change that setting and start the server again")
        return after


def sweep(challenge: Challenge) -> list[str]:
    """Put aside stored files that belong to no submission (their process was killed) and return their digests.

    Raises:
        ChallengeError: the files are those of another challenge.
    """
    bind(challenge)
    with challenge.database.write() as connection:
        challenge.advance(connection)
        kept = set(connection.execute(select(submissions.c.digest).distinct()).scalars())
        # What the log names stays, whatever became of its row.
        kept |= {str(json.loads(entry).get("file")) for entry in connection.execute(select(ledger.c.entry)).scalars()}
        return challenge.files.sweep(kept)


def add_labels(challenge: Challenge, corrected: Labels, note: str) -> Labels:
    """Store corrected labels as the next version, without making the board use it, and return them.

    Their number and which images are private are the challenge's to say.

    Raises:
        ChallengeError: other corrected labels were begun and not finished.
    """
    with challenge.database.write() as connection:
        challenge.advance(connection)
        numbers: Sequence[int] = connection.execute(select(label_versions.c.number)).scalars().all()
        current = challenge.labels(challenge.state(connection).version)
        begun = min((number for number in numbers if number > current.number), default=None)
        # A version that was begun and not finished is gone on with; above it, another would leave it half scored.
        if begun is not None:
            stored = challenge.labels(begun)
            if stored.same_truth(corrected):
                return stored
            raise ChallengeError(
                f"corrected labels: version {begun}, of another file, was begun and not finished; "
                f"finish version {begun} with its own file first"
            )
        made = replace(corrected, private=current.private, number=max(numbers) + 1)
        _add_version(connection, made, challenge.database.now(connection), note)
    return made


def _add_version(connection: Connection, labels: Labels, now: int, note: str) -> None:
    """Store labels and log their digest, which covers their division too."""
    values = {"made_at": now, "digest": labels.digest(), "note": note, "content": labels.encode()}
    connection.execute(insert(label_versions).values(number=labels.number, **values))
    stated = {"labels": labels.digest(), "version": labels.number, "images": len(labels.images), "made_at": iso(now)}
    log.note(connection, stated)
