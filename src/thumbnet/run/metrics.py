"""The metrics of a run: JSON lines that grow while it trains and survive a kill."""

import errno
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from thumbnet.errors import RunError
from thumbnet.files import atomic_file, storage_errors

_Row = TypeVar("_Row", bound=Mapping[str, Any])


@dataclass(frozen=True)
class MetricsFile:
    """A file of JSON objects, a line each."""

    path: Path

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append `rows` to the metrics, each a JSON object on its line, in one write.

        A number that is not finite is stored as null, for JSON has no such number. Durable only after `sync`.

        Raises:
            StorageError: the disk is full or the place cannot be written; no part of `rows` is left then.
        """
        block = "".join(json.dumps(_finite(row), allow_nan=False) + "\n" for row in rows).encode()
        with storage_errors(self.path):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                before = os.fstat(descriptor).st_size
                if os.write(descriptor, block) != len(block):
                    os.ftruncate(descriptor, before)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            finally:
                os.close(descriptor)

    def sync(self) -> None:
        """Flush the metrics down to the disk."""
        with storage_errors(self.path):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def read(self) -> list[dict[str, Any]]:
        """Return all rows of the metrics, in order.

        A last line without its newline is what a killed writer leaves, and is not read.

        Raises:
            RunError: another line is damaged; the message names it.
        """
        return [row for _, row in self._lines()]

    def truncate(self, step: int) -> None:
        """Drop every row whose `step` is greater than `step`, and a torn last line, atomically.

        Raises:
            RunError: a line is damaged; the message names it.
        """
        if not self.path.exists():
            return
        lines = self._lines()
        kept = b"".join(line + b"\n" for line, row in lines if row.get("step", 0) <= step)
        with atomic_file(self.path) as handle:
            handle.write(kept)

    def _lines(self) -> list[tuple[bytes, dict[str, Any]]]:
        if not self.path.exists():
            return []
        with storage_errors(self.path):
            lines = self.path.read_bytes().split(b"\n")[:-1]
        return [(line, self._row(line, number)) for number, line in enumerate(lines, start=1)]

    def _row(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("step", 0), int):
            raise RunError(f"{self.path}, line {number}: not a row of metrics; the file is damaged, train again")
        return row


def evaluations(rows: Sequence[_Row]) -> list[_Row]:
    """Return the rows of evaluations, in order."""
    return [row for row in rows if row.get("kind") == "evaluation"]


def iterations(rows: Sequence[_Row]) -> list[_Row]:
    """Return the rows of single steps, in order."""
    return [row for row in rows if row.get("kind") == "iteration"]


def steps_to_perfect(rows: Sequence[Mapping[str, Any]], key: str) -> int | None:
    """Return the step of the first of `rows` whose accuracy `key` is 1; `None` where none is."""
    return next((int(row["step"]) for row in rows if row.get(key) == 1.0), None)


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()
    }
