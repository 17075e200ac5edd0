"""How commands print: results on standard output, progress on standard error."""

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def print_json(value: Any) -> None:
    """Print `value` as JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def tell(line: str) -> None:
    """Print a line of progress on standard error."""
    sys.stderr.write(f"{line}\n")


def table_console(plain_width: int = 240) -> "Console":
    """Return the console for tables; a file or a pipe has no width of its own, and gets `plain_width` columns."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else plain_width)


def print_lines(console: "Console", lines: Iterable[str]) -> None:
    """Print lines as they are: what looks like markup stays, and numbers have no colour."""
    for line in lines:
        console.print(line, highlight=False, markup=False)
