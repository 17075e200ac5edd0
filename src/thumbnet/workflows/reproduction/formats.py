"""Tables as people read them in a terminal."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

_NUMBERS = ("val", "last", "time", "expected time", "steps", "epochs")


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
