"""The table of reproduction as text and as Markdown: results from scratch, from pretrained weights, and our own."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from thumbnet.workflows.reproduction import Interval, Line, Measured

_SCRATCH, _PRETRAINED, _OWN = "From scratch", "From pretrained weights", "Our own recipes"
_ROW_HEAD = ("row", "reported", "measured", "95% interval", "verdict", "last step", "epochs", "time", "device")
_TEXT_HEAD = ("row", "reported", "measured", "95% interval", "verdict", "last", "epochs", "time", "device")
_NARROW_HEAD = ("row", "reported", "measured", "95% interval", "verdict", "time")
_OWN_HEAD = ("recipe", "val", "95% interval", "epochs", "time", "device")
_OPEN_HEAD = ("row", "reported", "expected time", "command")

VERDICT_NOTE = (
    "A verdict compares the reported figure with the 95% interval of the measured one: above, within or below it."
)


@dataclass(frozen=True)
class Section:
    """A part of the table: its measured lines, and the rows that are still open."""

    title: str
    head: tuple[str, ...]
    measured: tuple[Line, ...]
    open: tuple[Line, ...] = ()


def sections(lines: Sequence[Line]) -> list[Section]:
    """Return the parts of the table that have lines: results with pretrained weights stand apart from the others."""
    rows, own = [line for line in lines if line.report], [line for line in lines if not line.report]
    found = [
        _section(title, [line for line in rows if line.pretrained == pretrained])
        for title, pretrained in ((_SCRATCH, False), (_PRETRAINED, True))
    ]
    found.append(Section(_OWN, _OWN_HEAD, tuple(own)))
    return [section for section in found if section.measured or section.open]


def text_tables(lines: Sequence[Line], width: int = 120) -> list[Table]:
    """Return the table for a terminal of `width` columns; one of less than 110 leaves some figures out."""
    row_head = _TEXT_HEAD if width >= 110 else _NARROW_HEAD
    tables = []
    for section in sections(lines):
        if section.measured:
            head = row_head if section.head == _ROW_HEAD else section.head
            tables.append(_text_table(section.title, head, [_text_cells(line, head) for line in section.measured]))
        if section.open:
            head = _OPEN_HEAD if width >= 110 else _OPEN_HEAD[:3]
            title = f"{section.title}, not measured yet{_expected_on(section.open)}"
            tables.append(_text_table(title, head, [_open_cells(line)[: len(head)] for line in section.open]))
    return tables


def markdown(lines: Sequence[Line], *, folder: str = "records") -> str:
    """Return the table for a page beside which the records lie in `folder`; rows still open are folded in."""
    return "\n\n".join(_markdown_section(section, folder) for section in sections(lines))


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; a bar within a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def verdict_line(line: Line, note: str = "") -> str:
    """Return what a measured row reached and how that stands to its report, as one line of text.

    Args:
        line: the row, measured.
        note: what sets this run apart from the row's own, in a few words.
    """
    assert line.measured is not None
    head = f"{line.row} ({note})" if note else line.row
    verdict = "" if line.measured.verdict is None else f": {line.measured.verdict}"
    reported = "" if line.reported is None else f"; reported {reported_text(line)}{verdict}"
    return f"{head}: {_reached(line, line.measured)}{reported}"


def reported_text(line: Line) -> str:
    """Return the report's figure of a row in a few words, such as '29.5%', '40 iterations' or its own words."""
    reported = line.reported
    if reported is None:
        return ""
    if reported.iterations is not None:
        return f"{reported.iterations} iterations"
    return reported.text if reported.val is None else percent(reported.val, 2)


def percent(fraction: float, digits: int = 1) -> str:
    """Return a fraction as per cent with up to two digits behind the point: 0.295 as '29.5%'.

    With two digits, zeros at the end are left out, for a report states as many as it knows.
    """
    text = f"{100 * fraction:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if digits == 2 else text) + "%"


def duration(seconds: float | None) -> str:
    """Return a time in the unit that reads best, such as '26 s', '42 min' or '9.2 h'; '' where unknown."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _section(title: str, lines: Sequence[Line]) -> Section:
    measured = tuple(line for line in lines if line.measured is not None)
    return Section(title, _ROW_HEAD, measured, tuple(line for line in lines if line.measured is None))


def _cells(line: Line, head: Sequence[str]) -> list[str]:
    measured = line.measured
    assert measured is not None
    cells = {
        "row": line.row,
        "recipe": line.row,
        "reported": reported_text(line),
        "measured": _figure(line, measured),
        "val": _figure(line, measured),
        "95% interval": interval_text(measured.interval),
        "verdict": measured.verdict or "",
        "last step": _last(line, measured),
        "epochs": "" if measured.epochs is None else f"{measured.epochs:.3g}",
        "time": duration(measured.seconds),
        "device": measured.device or "",
    }
    return [cells[key] for key in head]


def _text_cells(line: Line, head: Sequence[str]) -> list[str]:
    """Return the cells for a terminal, where room is short: the chosen epoch goes beside their number."""
    measured = line.measured
    assert measured is not None
    epochs = "" if measured.epochs is None else f"{measured.epochs:.3g}"
    short = {"epochs": epochs if measured.epoch is None else f"{measured.epoch} of {epochs}"}
    short["last"] = _last(line, measured)
    if line.unit == "top1":
        assert measured.figure is not None
        short |= dict.fromkeys(("measured", "val"), percent(measured.figure))
    known = [name for name in head if name not in short]
    return [(short | dict(zip(known, _cells(line, known), strict=True)))[name] for name in head]


def _last(line: Line, measured: Measured) -> str:
    return "" if measured.last is None or line.unit == "iterations" else percent(measured.last)


def _open_cells(line: Line) -> list[str]:
    return [line.row, reported_text(line), duration(line.expected_seconds), line.command]


def _expected_on(lines: Sequence[Line]) -> str:
    """Return on which device the expected times of `lines` are meant, to stand behind a heading."""
    device = next((line.expected_on for line in lines if line.expected_on), None)
    return "" if device is None else f"; times are expected on {device}"


def _figure(line: Line, measured: Measured) -> str:
    if line.unit == "iterations":
        reached = "never" if measured.figure is None else f"{measured.figure} iterations"
        return reached if measured.running is None else f"{reached} ({measured.running} running)"
    assert measured.figure is not None
    chosen = "" if measured.epoch is None else f" (epoch {measured.epoch})"
    return percent(measured.figure) + chosen


def _reached(line: Line, measured: Measured) -> str:
    if line.unit == "iterations":
        if measured.figure is None:
            return f"100% of the training images never reached in {measured.epochs:g} epochs"
        running = "" if measured.running is None else f" ({measured.running} as accuracy runs)"
        return f"100% of the training images after {measured.figure} iterations{running}"
    assert measured.figure is not None
    reached = f"val {percent(measured.figure)}"
    if measured.interval is not None:
        reached += f" ({interval_text(measured.interval)})"
    if measured.epoch is None:
        return reached if measured.last is None else f"{reached} at the last step"
    assert measured.last is not None
    return f"{reached} at epoch {measured.epoch}, last {percent(measured.last)}"


def interval_text(interval: Interval | None) -> str:
    """Return an interval of fractions as '25.9% to 27.6%'; '' where there is none."""
    return "" if interval is None else f"{percent(interval[0])} to {percent(interval[1])}"


def _text_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", pad_edge=False, box=box.SIMPLE_HEAD)
    for name in head:
        table.add_column(name, overflow="fold", no_wrap=name in ("row", "recipe", "command"))
    for row in rows:
        table.add_row(*row)
    return table


def _markdown_section(section: Section, folder: str) -> str:
    parts = [f"### {section.title}"]
    if section.measured:
        rows = [_linked(_cells(line, section.head), line, folder) for line in section.measured]
        parts.append(markdown_table(section.head, rows))
    if section.open:
        cells = [_open_cells(line) for line in section.open]
        table = markdown_table(_OPEN_HEAD, [[f"`{row}`", *rest, f"`{command}`"] for row, *rest, command in cells])
        summary = f"{len(cells)} rows not measured yet{_expected_on(section.open)}"
        parts.append(f"<details><summary>{summary}</summary>\n\n{table}\n\n</details>")
    return "\n\n".join(parts)


def _linked(cells: Sequence[str], line: Line, folder: str) -> list[str]:
    """Return the cells of a measured line in Markdown: the row leads to its record, the report's place is told."""
    assert line.measured is not None
    linked = list(cells)
    linked[0] = f"[`{line.row}`]({folder}/{line.measured.record}.json)"
    if line.reported is not None:
        linked[1] = f"{cells[1]} ({line.reported.source})"
    return linked
