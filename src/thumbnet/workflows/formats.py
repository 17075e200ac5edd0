"""Numbers and tables as people read them, in a terminal and in Markdown."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from rich import box
from rich.table import Table
from rich.text import Text

_NUMBERS = ("val", "last", "time", "expected time", "steps", "epochs")


def percent(fraction: float, digits: int = 1) -> str:
    """Return a fraction as per cent with `digits` digits behind the point: 0.29549 as '29.5%'.

    With two digits, zeros at the end are left out, for a report states as many as it knows. Halves are rounded up.
    """
    exact = Decimal(repr(round(100 * fraction, 6)))
    text = str(exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
    return (text.rstrip("0").rstrip(".") if digits == 2 else text) + "%"


def duration(seconds: float | None) -> str:
    """Return a time in the unit that reads best, such as '26 s', '42 min', '9.2 h' or '3.1 days'; '' where unknown."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def epochs_text(epochs: float | None) -> str:
    """Return a number of epochs with at most two digits behind the point, such as '20' or '51.15'; '' for none."""
    return "" if epochs is None else f"{epochs:,.2f}".rstrip("0").rstrip(".")


def interval_text(interval: tuple[float, float] | None) -> str:
    """Return an interval of fractions as '25.9 to 27.6%'; '' where there is none."""
    return "" if interval is None else f"{percent(interval[0]).rstrip('%')} to {percent(interval[1])}"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; a bar within a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", note: str = "") -> Table:
    """Return a table for a terminal, with its title above and a note below; only what needs it breaks into lines."""
    table = Table(
        title=Text(title, "bold") if title else None,
        title_justify="left",
        caption=Text(note, "dim") if note else None,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for name in head:
        breaks = name in ("reported", "measured", "source", "note")
        table.add_column(name, justify="right" if name in _NUMBERS else "left", overflow="fold", no_wrap=not breaks)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
