"""The table of reproduction as text and as Markdown: results from scratch, from pretrained weights, and our own."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from rich.table import Table

from thumbnet.text import duration, epochs_text, interval, markdown_table, percent, trimmed_percent
from thumbnet.workflows.reproduction.formats import text_table
from thumbnet.workflows.reproduction.lines import Line
from thumbnet.workflows.reproduction.measured import Measured

_SCRATCH, _PRETRAINED = "From scratch", "From pretrained weights"
_OWN, _OWN_PRETRAINED = "Our own recipes", "Our own recipes, from pretrained weights"
_SEEN_NOTE = "Networks pretrained on ImageNet may have seen the originals of these images, in full size, val's too."
_CHOSEN_NOTE = (
    "Measured is top-1 at the best epoch on val, since the reports chose theirs so; last is the figure without that "
    "choice."
)
_VIEWS_NOTE = (
    "A figure with test-time views behind it is of the last step, averaged over these views of each image, as its "
    "report judged; last is without them."
)
_VERDICT_NOTE = (
    "The verdict is above where the whole 95% interval of the measured figure lies above the reported one, below "
    "where it lies below, else within."
)
_MEMBERS_NOTE = "A run's snapshots and their number were chosen on val, which judges them, as their report did."
_ITERATIONS_NOTE = (
    "Iterations are counted until every training image is classified right in evaluation mode (running: as batches "
    "came); fewer than reported is above, as many within, up to a tenth more or fewer where the report says about (~)."
)
_FEATURES_NOTE = 'A time with "+ features" leaves out that of computing the features on which a head was trained.'
_ROW_HEAD = ("row", "reported", "measured", "95% interval", "verdict", "last", "epochs", "time", "device")
_NARROW_HEAD = ("row", "reported", "measured", "95% interval", "verdict", "time")
_WIDE_HEAD = ("row", "source", *_ROW_HEAD[1:])
_OWN_HEAD = ("recipe", "val", "95% interval", "epochs", "time", "device")
FULL_WIDTH, _SOURCES_WIDTH = 110, 165


@dataclass(frozen=True)
class Section:
    """A part of the table: its measured lines, the rows that are still open, and what must be known of it."""

    title: str
    head: tuple[str, ...]
    measured: tuple[Line, ...]
    open: tuple[Line, ...] = ()
    note: str = ""


def sections(lines: Sequence[Line]) -> list[Section]:
    """Return the parts of the table that have lines: results with pretrained weights stand apart from the others."""
    rows, own = [line for line in lines if line.report], [line for line in lines if not line.report]
    found = [
        _section(_SCRATCH, [line for line in rows if not line.pretrained]),
        _section(_PRETRAINED, [line for line in rows if line.pretrained], _SEEN_NOTE),
        Section(_OWN, _OWN_HEAD, tuple(line for line in own if not line.pretrained)),
        Section(_OWN_PRETRAINED, _OWN_HEAD, tuple(line for line in own if line.pretrained), note=_SEEN_NOTE),
    ]
    return [section for section in found if section.measured or section.open]


def notes(lines: Sequence[Line]) -> list[str]:
    """Return what a reader of the table must know, a sentence each; nothing that `lines` do not need."""
    measured = [(line, line.measured) for line in lines if line.measured is not None]
    judged = {line.unit for line, found in measured if found.verdict is not None}
    needed = (
        (_CHOSEN_NOTE, any(found.epoch is not None for _, found in measured)),
        (_MEMBERS_NOTE, any(found.members and found.selected_on == "val" for _, found in measured)),
        (_VIEWS_NOTE, any(_has_views(found) for _, found in measured)),
        (_VERDICT_NOTE, "top1" in judged),
        (_ITERATIONS_NOTE, "iterations" in judged),
        (_FEATURES_NOTE, any(found.features_apart for _, found in measured)),
    )
    return [note for note, needs in needed if needs]


def text_tables(lines: Sequence[Line], width: int = 120) -> list[Table]:
    """Return the table for a terminal of `width` columns: few leave some figures out, many have room for sources."""
    row_head = _NARROW_HEAD if width < FULL_WIDTH else _ROW_HEAD if width < _SOURCES_WIDTH else _WIDE_HEAD
    tables = []
    for section in sections(lines):
        if section.measured:
            head = row_head if section.head == _ROW_HEAD else section.head
            cells = [_cells(line, head) for line in section.measured]
            tables.append(text_table(head, cells, section.title, section.note))
        if section.open:
            title = f"{section.title}: not measured yet{_expected_on(section.open)}"
            open_head = [name for name in _open_head(section.open) if name != "command"]
            tables.append(text_table(open_head, [_open_cells(line, open_head) for line in section.open], title))
    return tables


def markdown(lines: Sequence[Line], *, folder: str = "records") -> str:
    """Return the table for a page beside which the records lie in `folder`; rows still open are folded in."""
    return "\n\n".join(
        [" ".join(notes(lines)), *(_markdown_section(section, folder) for section in sections(lines))]
    ).strip()


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
    """Return the report's figure of a row in a few words, such as '29.5%', '~40 iterations' or its own words."""
    reported = line.reported
    if reported is None:
        return ""
    about = "~" if reported.about else ""
    if reported.iterations is not None:
        return f"{about}{reported.iterations} iterations"
    return reported.text if reported.val is None else about + trimmed_percent(reported.val)


def _section(title: str, lines: Sequence[Line], note: str = "") -> Section:
    measured = tuple(line for line in lines if line.measured is not None)
    return Section(title, _ROW_HEAD, measured, tuple(line for line in lines if line.measured is None), note)


def _cells(line: Line, head: Sequence[str]) -> list[str]:
    measured = line.measured
    assert measured is not None
    cells = {
        "row": line.row,
        "recipe": line.row,
        "source": "" if line.reported is None else line.reported.source,
        "reported": reported_text(line),
        "measured": _figure(line, measured),
        "val": _figure(line, measured),
        "95% interval": interval(measured.interval),
        "verdict": measured.verdict or "",
        "last": "" if measured.last is None or line.unit == "iterations" else percent(measured.last),
        "epochs": _epochs(measured),
        "time": duration(measured.seconds) + (" + features" if measured.features_apart else ""),
        "device": measured.device or "",
    }
    return [cells[key] for key in head]


def _epochs(measured: Measured) -> str:
    trained = epochs_text(measured.epochs)
    return trained if measured.epoch is None else f"{epochs_text(measured.epoch)} of {trained}"


def _open_head(lines: Sequence[Line]) -> list[str]:
    """Return the heads of rows still open; that of expected times only where one is known."""
    known = any(line.expected_seconds is not None for line in lines)
    return ["row", "reported", *(["expected time"] if known else []), "command"]


def _open_cells(line: Line, head: Sequence[str]) -> list[str]:
    cells = {
        "row": line.row,
        "reported": reported_text(line),
        "expected time": duration(line.expected_seconds),
        "command": line.command,
    }
    return [cells[key] for key in head]


def _expected_on(lines: Sequence[Line]) -> str:
    """Return on which device the expected times of `lines` are meant, to stand behind a heading."""
    device = next((line.expected_on for line in lines if line.expected_on), None)
    return "" if device is None else f" (expected times on {device})"


def _figure(line: Line, measured: Measured) -> str:
    if line.unit == "iterations":
        reached = "never" if measured.figure is None else f"{measured.figure} iterations"
        return reached if measured.running is None else f"{reached} ({measured.running} running)"
    assert measured.figure is not None
    return percent(measured.figure) + (f" ({measured.views})" if _has_views(measured) else "")


def _has_views(measured: Measured) -> bool:
    return measured.views not in (None, "none")


def _reached(line: Line, measured: Measured) -> str:
    if line.unit == "iterations":
        when = "never reached" if measured.figure is None else f"after {measured.figure} iterations"
        trained = f" in {epochs_text(measured.epochs)} epochs" if measured.figure is None else ""
        running = "" if measured.running is None else f" ({measured.running} as accuracy runs)"
        return f"100% of the training images {when}{trained}{running}"
    assert measured.figure is not None
    reached = f"val {percent(measured.figure)}"
    if measured.interval is not None:
        reached += f" ({interval(measured.interval)})"
    if _has_views(measured):
        assert measured.last is not None
        return f"{reached} at the last step with {measured.views}, {percent(measured.last)} without"
    if measured.members is not None:
        assert measured.single is not None
        chosen = measured.selected_on != "none"
        members = f"the best {measured.members}, chosen on {measured.selected_on}" if chosen else measured.members
        return f"{reached} by {members}, {percent(measured.single)} by the {'best' if chosen else 'first'} alone"
    if measured.epoch is None:
        return reached if measured.last is None else f"{reached} at the last step"
    assert measured.last is not None
    return f"{reached} at epoch {epochs_text(measured.epoch)}, last {percent(measured.last)}"


def _markdown_section(section: Section, folder: str) -> str:
    parts = [f"### {section.title}", *([section.note] if section.note else [])]
    if section.measured:
        rows = [_linked(_cells(line, section.head), line, folder) for line in section.measured]
        parts.append(markdown_table(section.head, rows))
    if section.open:
        head = _open_head(section.open)
        cells = [_open_cells(line, head) for line in section.open]
        table = markdown_table(head, [[f"`{row}`", *rest, f"`{command}`"] for row, *rest, command in cells])
        rows_text = "1 row" if len(cells) == 1 else f"{len(cells)} rows"
        summary = f"{rows_text} not measured yet{_expected_on(section.open)}"
        parts.append(f"<details><summary>{summary}</summary>\n\n{table}\n\n</details>")
    return "\n\n".join(parts)


def _linked(cells: Sequence[str], line: Line, folder: str) -> list[str]:
    """Return the cells of a measured line in Markdown: the row leads to its record, the report's place is told."""
    assert line.measured is not None
    linked = list(cells)
    linked[0] = f"[`{line.row}`]({quote(f'{folder}/{line.measured.record}.json', safe='/+:')})"
    if line.reported is not None:
        linked[1] = f"{cells[1]} ({line.reported.source})"
    return linked
