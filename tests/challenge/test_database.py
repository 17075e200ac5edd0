"""The schema by its migrations, the guards of the ledger, the clock, and writers at once."""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from benchmarks.challenge.postgres import Cluster
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.sql.dml import UpdateBase

from tests.challenge.world import World, answers, before, truth
from thumbnet.challenge.database import Database, database_errors
from thumbnet.challenge.database.migrating import head, migrate, revision
from thumbnet.challenge.database.schema import accounts, ledger, metadata
from thumbnet.challenge.people import tokens
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.state import Challenge, set_up
from thumbnet.errors import ChallengeError


def test_migrations_make_the_schema_and_can_run_again(database: str, tmp_path: Path) -> None:
    made = Database(Settings(folder=tmp_path, database=database).database_url)
    with made.read() as connection:
        assert revision(connection) is None
    migrate(made)
    migrate(made)
    with made.read() as connection:
        assert revision(connection) == head()
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    with made.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ChallengeError, match="newer thumbnet"):
        migrate(made)
    made.close()


@pytest.mark.usefixtures("real_engine")
def test_sqlite_runs_as_promised(world: World) -> None:
    with world.challenge.database.read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    files = list(world.settings.folder.glob("challenge.sqlite3*"))
    assert len(files) == 3
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


@pytest.mark.parametrize("statement", [update(ledger).values(entry="{}"), delete(ledger)])
def test_the_ledger_only_grows(statement: UpdateBase, both: World) -> None:
    both.send(both.join("anna"), answers(3))
    with pytest.raises(DBAPIError, match="only grows"), both.challenge.database.write() as connection:
        connection.execute(statement)
    with both.challenge.database.read() as connection:
        assert connection.execute(select(ledger.c.sequence)).scalars().all() == [0, 1]


@pytest.mark.parametrize("sequence", [-1, 1, 3])
def test_the_ledger_grows_at_its_end_alone(sequence: int, both: World) -> None:
    both.send(both.join("anna"), answers(3))
    row = f"({sequence}, NULL, '{{}}', '', '')"
    with pytest.raises(DBAPIError, match="at its end alone"), both.challenge.database.write() as connection:
        connection.execute(text(f"INSERT INTO ledger VALUES {row}"))
    with both.challenge.database.write() as connection:
        connection.execute(text(f"INSERT INTO ledger VALUES {row.replace(str(sequence), '2', 1)}"))


def test_the_ledger_is_not_replaced_either(world: World) -> None:
    world.send(world.join("anna"), answers(3))
    with world.challenge.database.write() as connection:
        connection.execute(text("DROP TRIGGER ledger_in_order"))
    with pytest.raises(DBAPIError, match="only grows"), world.challenge.database.write() as connection:
        connection.execute(text("INSERT OR REPLACE INTO ledger VALUES (1, 1, '{}', '', '')"))


def test_a_reader_sees_one_state_while_others_write(both: World) -> None:
    anna = both.join("anna")
    with both.challenge.database.read() as connection:
        before = both.challenge.state(connection).change
        both.send(anna, answers(3))
        assert both.challenge.state(connection).change == before
    with both.challenge.database.read() as connection:
        assert both.challenge.state(connection).change == before + 1


def test_a_user_who_may_not_make_tables_is_told_in_one_line(cluster: Cluster, tmp_path: Path) -> None:
    url = Settings(folder=tmp_path, database=cluster.new_database()).database_url
    owner = Database(url)
    with owner.write() as connection:
        schema = connection.execute(text("SELECT current_schema()")).scalar_one()
        connection.execute(text(f"CREATE ROLE {schema} LOGIN"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {schema}"))
    owner.close()
    weak = Database(url.replace("postgres@", f"{schema}:secret@"))
    with pytest.raises(ChallengeError, match=r"permission denied for schema .* what its user may do") as refused:
        migrate(weak)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)
    weak.close()


def test_a_database_that_stays_locked_is_said_in_one_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thumbnet.challenge.database.engine._BUSY_SECONDS", 0.01)
    with world.challenge.database.write(), pytest.raises(ChallengeError, match="database is locked; check"):
        Challenge.open(world.settings)


def test_a_broken_rule_of_the_schema_keeps_its_traceback(world: World) -> None:
    url = world.settings.database_url
    with pytest.raises(IntegrityError), database_errors(url), world.challenge.database.write() as connection:
        connection.execute(text("INSERT INTO label_versions (number) VALUES (1)"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:secret@db:port/x",
        "postgresql+psycopg://me:sec@secret:x/y@db/x",
        "postgresql+psycopg//",
    ],
)
def test_a_url_that_is_none_is_said_without_its_password(url: str) -> None:
    with pytest.raises(ChallengeError, match="its URL is not like 'postgresql://user:password@host:5432") as refused:
        Database(url)
    assert "secret" not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("act", ["set up", "make an admin"])
def test_what_two_that_start_at_once_make_is_made_once(act: str, cluster: Cluster, tmp_path: Path) -> None:
    """The second begins when the first has seen that there is nothing yet; each has connections of its own."""
    settings = Settings(folder=tmp_path / "c", database=cluster.new_database())
    first, second = Challenge.open(settings), Challenge.open(settings)
    if act == "make an admin":
        set_up(first, truth())

    def start(one: Challenge) -> str | None:
        if act == "make an admin":
            return tokens.make_admin(one, "admin", only_first=True)
        set_up(one, truth())
        return None

    started: list[Future[str | None]] = []

    def start_second() -> None:
        started.append(pool.submit(start, second))
        # It does not end before the first one, which waits here.
        assert wait(started, 0.1).not_done

    with ThreadPoolExecutor(1) as pool, before(first.database, ("INSERT INTO challenge", "INSERT INTO acc")) as calls:
        calls.append(start_second)
        assert (start(first) is None) == (act == "set up")
        assert started[0].result(30) is None
    with second.database.read() as connection:
        assert second.state(connection).version == 1
        assert len(connection.execute(select(accounts)).all()) == (act != "set up")
    for one in (first, second):
        one.close()


def test_an_absent_database_is_said_in_one_line_without_its_password() -> None:
    with pytest.raises(ChallengeError, match="check its URL and that it runs") as refused:
        Database("postgresql+psycopg://me:secret@127.0.0.1:1/x?connect_timeout=3")
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)
