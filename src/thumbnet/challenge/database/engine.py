"""One way to read and one way to write, on both databases."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool

from thumbnet.errors import ChallengeError
from thumbnet.files import storage_errors

Result = TypeVar("Result")

_BUSY_SECONDS = 30
_TRIES = 5
_START = 7_463_981
"""Number of PostgreSQL's lock that keeps two starting processes from making the same thing at once."""
_IN_THE_WAY = ("40001", "40P01")
"""PostgreSQL's states for a transaction that could not be serialised, and for a deadlock."""
_CLOCK = {
    "sqlite": text("SELECT CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)"),
    "postgresql": text("SELECT CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT)"),
}


@contextlib.contextmanager
def database_errors(url: str | URL) -> Iterator[None]:
    """Turn what the database at `url` refuses within the block into a `ChallengeError` of one line.

    A row that breaks a rule of the schema is a fault of the program, and stays what it is.
    """
    try:
        yield
    except (IntegrityError, DataError):
        raise
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        # `repr` of a URL hides its password.
        raise ChallengeError(
            f"database {make_url(url)!r}: {reason}; check its URL and that it runs, what its user may do, and its disk"
        ) from error


def insert_new(connection: Connection, table: Table) -> Any:
    """Return an INSERT into `table` that can say what is done where the row is there (`on_conflict_...`)."""
    make = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    return make(table)


class Database:
    """Connections to one database.

    `read` sees one state of all tables. `write` commits as a whole or not at all; on SQLite one writes at a time (in
    this process by a lock, and between processes by SQLite's), on PostgreSQL they wait for the rows that they both
    change.

    Args:
        url: as SQLAlchemy takes it.

    Raises:
        ChallengeError: `url` is none, or the database cannot be reached.
    """

    def __init__(self, url: str) -> None:
        make = _sqlite_engine if url.startswith("sqlite") else _postgresql_engine
        try:
            self.engine = make(url)
            # A second connection of one thread comes from here, so that threads cannot wait for each other's.
            self._apart = make(url, poolclass=NullPool)
        except (ArgumentError, ValueError):
            # Neither the URL nor the reason is shown: either may hold its password.
            message = "database: its URL is not like 'postgresql://user:password@host:5432/name'; mend it"
            raise ChallengeError(message) from None
        self._writing: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        if self.is_sqlite:
            self._writing = threading.Lock()
        with database_errors(url), self.engine.connect():
            pass

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite, not PostgreSQL."""
        return self.engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def read(self, *, apart: bool = False) -> Iterator[Connection]:
        """Yield a connection that sees one state of the database throughout.

        Args:
            apart: take a connection beside the pool; for a thread that may hold one already.
        """
        engine = self._apart if apart else self.engine
        if not self.is_sqlite:
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection whose changes are durable when the block has ended well, and undone when it has not."""
        with self._writing, self.engine.execution_options(thumbnet_write=True).begin() as connection:
            yield connection

    def change(self, work: Callable[[Connection], Result]) -> Result:
        """Return what `work` returns, done within a `write`; done again where another write was in its way.

        PostgreSQL undoes one of two transactions that wait for each other, so `work` must have no other effect.
        """
        for tries_left in reversed(range(_TRIES)):
            try:
                with self.write() as connection:
                    return work(connection)
            except DBAPIError as error:
                if not tries_left or getattr(error.orig, "sqlstate", None) not in _IN_THE_WAY:
                    raise
                time.sleep(random.uniform(0.005, 0.05))
        raise AssertionError("unreachable")

    def start_alone(self, connection: Connection) -> None:
        """Wait until no other process that starts is in such a write; on SQLite, none is in any."""
        if not self.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _START})

    def now(self, connection: Connection) -> int:
        """Return the database's time, in milliseconds since 1970."""
        return int(connection.execute(_CLOCK[self.engine.dialect.name]).scalar_one())

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _sqlite_engine(url: str, **pool: Any) -> Engine:
    path = Path(url.removeprefix("sqlite:///"))
    with storage_errors(path):
        # It holds the labels, and its folder may be open to all; the files beside it get its permissions.
        path.touch(mode=0o600)
    pool = pool or {"pool_size": 20, "max_overflow": 40}
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS}, **pool)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The driver would begin transactions by itself, late and deferred; `_begin` says how each begins.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        # FULL: what was acknowledged survives a power cut too, not only the end of the process.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        # Else a row that replaces another would pass the guard of the ledger.
        cursor.execute("PRAGMA recursive_triggers = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("thumbnet_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: str, **pool: Any) -> Engine:
    pool = pool or {"pool_size": 10, "max_overflow": 20, "pool_pre_ping": True}
    return create_engine(url, isolation_level="READ COMMITTED", **pool)
