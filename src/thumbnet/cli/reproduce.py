"""`thumbnet reproduce`: run the rows of the reports, show what would run, or show the table."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from thumbnet.cli.options import (
    DataOption,
    JsonFlag,
    TrainingOptions,
    command_line,
    open_data,
)
from thumbnet.cli.printing import print_json, print_lines, table_console, tell
from thumbnet.errors import RecipeError, RunError, StorageError

if TYPE_CHECKING:
    from thumbnet.workflows.estimate import DataShape
    from thumbnet.workflows.reproduction.lines import Line
    from thumbnet.workflows.reproduction.runs import Look
    from thumbnet.workflows.reproduction.survey import Pending

Format = Literal["text", "markdown", "json"]
_PLAIN_WIDTH = 120


@Parameter(name="*")
@dataclass(frozen=True)
class LookOptions:
    """What makes a quick look of a row.

    Attributes:
        fraction: part of the full length.
        epochs: length in epochs instead.
        random_weights: whether random weights replace pretrained ones.
    """

    fraction: Annotated[float | None, Parameter(help="A quick look: this part of the full length, up to 1.")] = None
    epochs: Annotated[float | None, Parameter(help="A quick look: so many epochs.")] = None
    random_weights: Annotated[
        bool, Parameter(negative=(), help="Begin from random weights where a row begins from pretrained ones.")
    ] = False

    def look(self) -> "Look":
        """Return the look.

        Raises:
            RecipeError: a length out of range, or two of them.
        """
        from thumbnet.workflows.reproduction.runs import Look

        return Look(self.fraction, self.epochs, self.random_weights)

    def given(self) -> list[str]:
        """Return the options that were given."""
        options = {
            "--random-weights": self.random_weights,
            "--fraction": self.fraction is not None,
            "--epochs": self.epochs is not None,
        }
        return [name for name, is_given in options.items() if is_given]


def reproduce(
    rows: Annotated[
        list[str] | None, Parameter(help="Rows to run, or to show with --table; without any, all are listed.")
    ] = None,
    /,
    *,
    every_row: Annotated[bool, Parameter(name="--all", negative=(), help="Run every row.")] = False,
    dry_run: Annotated[
        bool, Parameter(negative=(), help="Only show what would run, and how long it takes here.")
    ] = False,
    table: Annotated[bool, Parameter(negative=(), help="Show reported against measured, from records.")] = False,
    layout: Annotated[
        Format | None, Parameter(name="--format", help="How the table is printed: text, markdown or json.")
    ] = None,
    quick: LookOptions = LookOptions(),
    data: DataOption = None,
    out: Annotated[Path, Parameter(help="Folder of the runs, each in the folder of its row's name.")] = Path("runs"),
    records: Annotated[
        Path | None,
        Parameter(help="Folder of records: by default OUT/records to write, thumbnet's own for --table."),
    ] = None,
    training: TrainingOptions = TrainingOptions(),
    as_json: JsonFlag = False,
) -> None:
    """Run rows of the reports, one after the other, judge each against its report, and write its record.

    The same command goes on where it stopped: complete runs are left as they are, unfinished ones resumed. Quick looks
    and runs on other data than Tiny ImageNet are marked as such and never recorded.
    """
    from thumbnet.workflows.reproduction.lines import all_rows, check_rows

    names = check_rows(rows or [])
    if names and every_row:
        raise RecipeError("--all runs every row; leave it out to run the rows that are named")
    if table:
        given = [*(["--dry-run"] if dry_run else []), *quick.given()]
        _show_table(names, records, _layout(layout, as_json, given))
        return
    if layout is not None:
        raise RecipeError("--format is for --table; --json prints what runs as JSON")
    from thumbnet.workflows.reproduction.survey import recorded_times, shape_at, survey, timed

    look, shape = quick.look(), shape_at(data)
    chosen = names or _long_enough(all_rows(), look, shape)
    if not dry_run and (names or every_row):
        _run(chosen, look, data, out=out, folder=records or out / "records", training=training, as_json=as_json)
        return
    if dry_run:
        expect, where = timed(training.choose(), shape, tell), "this machine"
    else:
        expect, where = recorded_times(records, shape)
    _show_pending(survey(chosen, look, shape, out, expect), as_json, where, hint=not dry_run)


def _long_enough(rows: Sequence[str], look: "Look", shape: "DataShape") -> list[str]:
    """Return the rows that are as long as `look` asks for, and tell how many are not."""
    from thumbnet.workflows.reproduction.runs import as_long

    found = as_long(rows, look, shape)
    left = len(rows) - len(found)
    if not found:
        raise RecipeError(f"--epochs {look.epochs:g}: every row is shorter; give fewer, or none")
    if left:
        tell(f"{left} {'row is' if left == 1 else 'rows are'} shorter than --epochs {look.epochs:g}, and left out")
    return found


def _layout(layout: Format | None, as_json: bool, ill_placed: Sequence[str]) -> Format:
    """Return how the table is printed.

    Raises:
        RecipeError: an option that says how rows run, or two layouts.
    """
    if ill_placed:
        raise RecipeError(f"{ill_placed[0]} is for running rows; --table shows records, which are of whole runs")
    if as_json and layout not in (None, "json"):
        raise RecipeError(f"--json and --format {layout} state two layouts; give one of them")
    return layout or ("json" if as_json else "text")


def _show_table(names: Sequence[str], folder: Path | None, layout: Format) -> None:
    from thumbnet import records
    from thumbnet.workflows.reproduction.lines import make_lines
    from thumbnet.workflows.reproduction.table import markdown

    place = folder or records.shipped_folder()
    found = records.load_all(place)
    if not found:
        raise StorageError(f"{place}: holds no records; give another folder with --records, or run rows first")
    lines = make_lines(found, names)
    if layout == "json":
        print_json([line.to_json() for line in lines])
    elif layout == "markdown":
        sys.stdout.write(markdown(lines, folder=str(folder or "records")) + "\n")
    else:
        _print_tables(lines, place)


def _print_tables(lines: "Sequence[Line]", folder: Path) -> None:
    from thumbnet.workflows.reproduction.table import FULL_WIDTH, notes, text_tables

    console = table_console(_PLAIN_WIDTH)
    for one in text_tables(lines, console.width):
        console.print(one)
        console.print()
    here = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    measured = [line for line in lines if line.measured is not None]
    remarks = notes(lines)
    if measured:
        remarks += [f"Each row is measured in its record, {here}/ROW.json."]
    if measured and console.width < FULL_WIDTH:
        remarks += [f"A terminal of {FULL_WIDTH} columns shows last step, epochs and device too."]
    if len(measured) < len(lines):
        remarks += ["Run rows with: thumbnet reproduce ROW ..."]
    print_lines(console, remarks)


def _run(
    names: Sequence[str],
    look: "Look",
    data: Path | None,
    *,
    out: Path,
    folder: Path,
    training: TrainingOptions,
    as_json: bool,
) -> None:
    """Run rows and print each verdict as it comes; end with an error where a row failed."""
    from thumbnet.workflows.reproduction.runs import run_rows

    training.choose()  # a device that is not there would fail every row
    dataset, command, options = open_data(data), command_line(), training.options()
    outcomes, failed = [], []
    for outcome in run_rows(names, look, dataset, out, folder, options=options, command=command, tell=tell):
        outcomes.append(outcome.to_json())
        if outcome.failed:
            failed.append(outcome)
            if len(names) > 1:
                tell(outcome.text)
        elif not as_json:
            sys.stdout.write(f"{outcome.text}\n")
            sys.stdout.flush()
    if as_json:
        print_json(outcomes)
    if failed:
        rows = ", ".join(outcome.row for outcome in failed)
        raise RunError(failed[0].text if len(names) == 1 else f"{len(failed)} of {len(names)} rows failed: {rows}")


def _show_pending(found: "Sequence[Pending]", as_json: bool, where: str, hint: bool = False) -> None:
    """Print how far rows are and the time on `where`; with `hint`, how to run them."""
    if as_json:
        print_json([one.to_json() for one in found])
        return
    from thumbnet.workflows.reproduction.formats import text_table

    rows = [_pending_cells(one) for one in found]
    head = ("row", "state", "steps", "epochs", "expected time", "note")
    shown = [place for place, name in enumerate(head) if name in head[:4] or any(row[place] for row in rows)]
    console = table_console(_PLAIN_WIDTH)
    console.print(text_table([head[place] for place in shown], [[row[place] for place in shown] for row in rows]))
    console.print()
    print_lines(console, _remarks(found, where, hint))


def _pending_cells(one: "Pending") -> list[str]:
    from thumbnet.recipes import find_row
    from thumbnet.text import duration, epochs_text
    from thumbnet.workflows.reproduction.lines import starts_pretrained

    state = f"unfinished, step {one.step:,}" if one.state == "unfinished" else one.state
    steps = "" if one.steps is None else f"{one.steps:,}"
    state = "cannot run" if one.problem else state
    pretrained = "pretrained weights" if starts_pretrained(find_row(one.row)) else ""
    notes = [one.note or pretrained, "its runs are counted above" if one.expected_seconds == 0 else ""]
    note = "; ".join(note for note in notes if note)
    return [one.row, state, steps, epochs_text(one.epochs), duration(one.expected_seconds or None), note]


def _remarks(found: "Sequence[Pending]", where: str, hint: bool) -> list[str]:
    from thumbnet.text import duration

    remarks = [f"{one.row}: {one.problem}" for one in found if one.problem]
    left = [one for one in found if one.state != "complete" and not one.problem and one.expected_seconds != 0]
    known = [one.expected_seconds for one in left if one.expected_seconds is not None]
    if known:
        rows = "" if len(known) == len(left) else f" for {len(known)} of {len(left)} rows"
        remarks.append(f"Expected in all: {duration(sum(known))} on {where}{rows}; an estimate.")
    if hint:
        remarks.append("Run rows with: thumbnet reproduce ROW ..., or --all. --dry-run times them on this machine.")
    return remarks
