"""Bringing a database to the schema of this version, by the steps in `migrations`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from thumbnet.challenge.database.engine import Database, database_errors
from thumbnet.errors import ChallengeError


def migrate(database: Database) -> None:
    """Bring `database` to the newest schema, as a whole or not at all.

    Raises:
        ChallengeError: it was made by a newer version of thumbnet, or its user may not make tables.
    """
    with database_errors(database.engine.url), database.write() as connection:
        database.start_alone(connection)
        config = _config()
        found, newest = revision(connection), head()
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise ChallengeError(f"database: of schema {found!r}, which a newer thumbnet made; install that version")
        if found != newest:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def revision(connection: Connection) -> str | None:
    """Return the schema of a database; `None` where it has none yet."""
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """Return the newest schema."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None
    return newest


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
