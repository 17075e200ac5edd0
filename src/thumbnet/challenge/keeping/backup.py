"""Backups: a folder that any database can be restored from, SQLite to PostgreSQL and back included.

`manifest.json` states the schema, the rows of each table and the SHA-256 of each file in `tables/` (one JSON object a
row). `files/` holds the stored submissions, which are named by their own SHA-256.
"""

import base64
import itertools
import json
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table, func, insert, select, text

from thumbnet.challenge.database.migrating import head
from thumbnet.challenge.database.schema import metadata, submissions
from thumbnet.challenge.state import Challenge
from thumbnet.challenge.submissions.files import StoredFiles
from thumbnet.errors import ChallengeError
from thumbnet.files import atomic_folder, read_json, sha256, storage_errors, sync, write_json

_MANIFEST = "manifest.json"
_AT_ONCE = 500


def backup(challenge: Challenge, out: Path) -> dict[str, Any]:
    """Write the challenge as it is at one moment to the new folder `out`, and return its manifest.

    The server may run meanwhile. What is written holds labels and hashed secrets, and only its owner can read it.

    Raises:
        StorageError: `out` exists, or cannot be written.
        ChallengeError: a stored file is damaged.
    """
    with atomic_folder(out) as folder:
        folder.chmod(0o700)
        (folder / "tables").mkdir()
        tables: dict[str, Any] = {}
        with challenge.database.read() as connection:
            for table in metadata.sorted_tables:
                path = folder / "tables" / f"{table.name}.jsonl"
                rows = _write_table(connection, table, path)
                tables[table.name] = {"rows": rows, "sha256": sha256(path)}
            digests = connection.execute(select(submissions.c.digest).distinct()).scalars().all()
        # Files of rows are never removed, so they are there still.
        copies = StoredFiles(folder / "files")
        for digest in digests:
            copies.put(digest, challenge.files.get(digest))
        manifest = {"format": 1, "schema": head(), "tables": tables, "files": len(digests)}
        write_json(folder / _MANIFEST, manifest)
    return manifest


def restore(challenge: Challenge, source: Path) -> dict[str, Any]:
    """Fill the empty `challenge` from the backup `source`, and return its manifest.

    Raises:
        ChallengeError: `source` is no backup, damaged, or of another schema; or the challenge is not empty.
        StorageError: a file cannot be read or written.
    """
    manifest = _check(source)
    with challenge.database.write() as connection:
        for table in metadata.sorted_tables:
            if connection.execute(select(func.count()).select_from(table)).scalar_one():
                raise ChallengeError(
                    f"{challenge.settings.folder}: has a challenge already; restore into another folder and database"
                )
        kept = StoredFiles(source / "files")
        for digest in sorted(kept.digests()):
            challenge.files.put(digest, kept.get(digest))
        for table in metadata.sorted_tables:
            _read_table(connection, table, source / "tables" / f"{table.name}.jsonl")
        if not challenge.database.is_sqlite:
            _raise_sequences(connection)
        missing = set(connection.execute(select(submissions.c.digest)).scalars()) - challenge.files.digests()
        if missing:
            raise ChallengeError(f"{source}: {len(missing)} stored files are missing; take another backup")
        challenge.files.mark(connection.execute(select(metadata.tables["challenge"].c.identity)).scalar_one())
    return manifest


def _check(source: Path) -> dict[str, Any]:
    if not (source / _MANIFEST).is_file():
        raise ChallengeError(
            f"{source}: not a backup (no {_MANIFEST}); give a folder that `thumbnet challenge backup` made"
        )
    manifest = read_json(source / _MANIFEST)
    try:
        schema, digests = manifest["schema"], {name: value["sha256"] for name, value in manifest["tables"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ChallengeError(f"{source / _MANIFEST}: damaged; take another backup") from error
    if schema != head() or digests.keys() != metadata.tables.keys():
        raise ChallengeError(
            f"{source}: of schema {schema!r}, this thumbnet has {head()!r}; restore it with its own version"
        )
    for name, digest in digests.items():
        path = source / "tables" / f"{name}.jsonl"
        if sha256(path) != digest:
            raise ChallengeError(f"{path}: damaged; take another backup")
    return dict(manifest)


def _write_table(connection: Connection, table: Table, path: Path) -> int:
    count = 0
    with storage_errors(path), path.open("w", encoding="utf-8") as handle:
        for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings():
            handle.write(json.dumps({key: _encoded(value) for key, value in row.items()}) + "\n")
            count += 1
        sync(handle)
    return count


def _read_table(connection: Connection, table: Table, path: Path) -> None:
    binary = {column.name for column in table.columns if isinstance(column.type, LargeBinary)}
    with storage_errors(path), path.open(encoding="utf-8") as handle:
        while lines := list(itertools.islice(handle, _AT_ONCE)):
            values = map(json.loads, lines)
            connection.execute(
                insert(table),
                [
                    {key: base64.b64decode(item) if key in binary else item for key, item in row.items()}
                    for row in values
                ],
            )


def _encoded(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _raise_sequences(connection: Connection) -> None:
    """Make PostgreSQL number new rows behind those that were restored."""
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None:
            highest = select(func.coalesce(func.max(column), 0) + 1).scalar_subquery()
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            connection.execute(select(func.setval(sequence, highest, text("false"))))
