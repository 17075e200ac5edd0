"""How commands print: results on standard output, progress on standard error."""

import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thumbnet.files import json_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from thumbnet.watch import Watch


def print_json(value: Any) -> None:
    """Print `value` as JSON on standard output."""
    sys.stdout.write(json_text(value))


def tell(line: str) -> None:
    """Print a line of progress on standard error."""
    sys.stderr.write(f"{line}\n")


def plain_watch(seconds: float = 10.0) -> "Watch":
    """Return what prints a line of progress when there is something new to say, every `seconds`, and at the end."""
    last: tuple[str, int] | None = None
    due = 0.0

    def watch(text: str, done: int, total: int) -> None:
        nonlocal last, due
        now = time.monotonic()
        if (text, total) != last or done == total or now >= due:
            last, due = (text, total), now + seconds
            tell(f"{text}: {done:,} of {total:,}")

    return watch


def table_console(plain_width: int = 240) -> "Console":
    """Return the console for tables; a file or a pipe has no width of its own, and gets `plain_width` columns.

    Texts are printed as they are: what looks like markup or an emoji's name stays, and numbers have no colour.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else plain_width
    return Console(width=width, markup=False, emoji=False, highlight=False)


def show_result(found: Mapping[str, Any], folder: Path, table: "Table", notes: Iterable[str], as_json: bool) -> None:
    """Print what was found and lies with its figure in `folder`: as JSON, or a table with notes."""
    if as_json:
        print_json({"folder": str(folder), **found})
        return
    console = table_console()
    console.print(table)
    print_lines(console, notes)
    sys.stdout.write(f"figure: {folder / 'figure.png'}\n")


def show_page(page: Path, figures: Path, tables: Path) -> None:
    """Print where a report was written, its size, and where its figures are."""
    size = page.stat().st_size / 1e6
    sys.stdout.write(f"{page}: {size:.1f} MB; its figures are in {figures.name} and {tables.name}/\n")


def print_lines(console: "Console", lines: Iterable[str]) -> None:
    """Print each of the lines."""
    for line in lines:
        console.print(line)
