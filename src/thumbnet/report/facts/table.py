"""What every section states: figures as JSON data, and tables that become CSV files."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Cell = str | int | float | bool | None
"""One cell of a table; `None` and numbers that are not finite are left empty."""


@dataclass(frozen=True)
class Table:
    """A table of figures.

    Args:
        name: what its file is called, such as 'per-class'.
        header: names of the columns.
        rows: as many cells each as there are columns.
    """

    name: str
    header: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]

    def to_csv(self) -> str:
        """Return the table as CSV text (RFC 4180, lines ending in a line feed); numbers keep all their digits."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows([_written(cell) for cell in row] for row in self.rows)
        return text.getvalue()


class Facts(Protocol):
    """What a section knows, before anything is drawn."""

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON data; shares are fractions in [0, 1]."""
        ...

    def tables(self) -> Sequence[Table]:
        """Return the tables that are written as CSV files."""
        ...


@dataclass(frozen=True)
class Missing:
    """Why a section has nothing to show, and how to get it.

    Args:
        reason: a sentence without its full stop.
        remedy: what to do about it, in a sentence without its full stop; empty where nothing can be done.
    """

    reason: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return both sentences under 'missing' and 'remedy'."""
        return {"missing": self.reason, "remedy": self.remedy}

    def tables(self) -> Sequence[Table]:
        """Return none."""
        return ()


def finite(value: float) -> float | None:
    """Return `value`, or `None` where it is not finite, as JSON has no such number."""
    return float(value) if math.isfinite(value) else None


def finite_list(values: Iterable[float]) -> list[float | None]:
    """Return `values` with `None` for what is not finite."""
    return [finite(value) for value in values]


def _written(cell: Cell) -> Cell:
    if isinstance(cell, bool):
        return int(cell)
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell
