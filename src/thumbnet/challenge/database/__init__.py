"""The database of a challenge: SQLite by default, PostgreSQL by URL, one schema."""

from thumbnet.challenge.database.engine import Database, database_errors

__all__ = ["Database", "database_errors"]
