"""The schema by its migrations, the guards of the ledger, the clock, and writers at once."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import UpdateBase

from tests.challenge.world import World, answers
from thumbnet.challenge.database import Database
from thumbnet.challenge.database.migrating import head, migrate, revision
from thumbnet.challenge.database.schema import ledger, metadata
from thumbnet.challenge.settings import Settings
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


def test_an_absent_database_is_said_in_one_line_without_its_password() -> None:
    with pytest.raises(ChallengeError, match="check its URL and that it runs") as refused:
        Database("postgresql+psycopg://me:secret@127.0.0.1:1/x?connect_timeout=3")
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)
