"""The table of reproduction: what a report says of each row, beside what a record says that it reached.

Everything here is a function of rows and records; nothing trains and nothing needs torch.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from thumbnet.errors import RecipeError, StorageError
from thumbnet.recipe import Recipe, from_json, to_json
from thumbnet.recipes import OWN, RECIPES, REPORTS, ROWS, Reported, Row
from thumbnet.records import Measurement, Record

EXPECTED_TIMES = "expected-times"
"""Name of the measurement that holds the seconds that each row is expected to take."""

AnyRecord = Record | Measurement
Verdict = Literal["above", "within", "below"]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Measured:
    """What a record says of a row. Accuracies are fractions of val, unless said otherwise.

    Args:
        record: name of the record.
        figure: what is compared with the report: top-1, or the iterations to 100% training accuracy in evaluation
            mode; `None` where that was never reached.
        verdict: how the figure stands to the reported one; `None` where none is reported.
        interval: 95% interval of a top-1.
        epoch: the epoch of `figure` when it was chosen on val; `None` for the last step.
        last: top-1 of the last step.
        last_interval: 95% interval of `last`.
        running: iterations to 100% training accuracy as it runs (augmented batches in training mode).
        train: top-1 on training images in evaluation mode, at the end.
        epochs: length of training.
        seconds: time of training.
        device: where, in short.
        selected_on: split that chose the epoch: 'none', 'holdout' or 'val'.
    """

    record: str
    figure: float | int | None
    verdict: Verdict | None
    interval: Interval | None
    epoch: int | None = None
    last: float | None = None
    last_interval: Interval | None = None
    running: int | None = None
    train: float | None = None
    epochs: float | None = None
    seconds: float | None = None
    device: str | None = None
    selected_on: str | None = None


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Args:
        row: its name.
        report: the report's short name; `None` for a recipe of our own.
        reported: the report's figures; `None` for a recipe of our own.
        pretrained: whether training begins from pretrained weights.
        command: command line that measures it.
        measured: what the record says; `None` without a record.
        expected_seconds: time that it is expected to take on `expected_on`; `None` where unknown.
        expected_on: short name of that device.
    """

    row: str
    report: str | None
    reported: Reported | None
    pretrained: bool
    command: str
    measured: Measured | None = None
    expected_seconds: float | None = None
    expected_on: str | None = None

    @property
    def unit(self) -> Literal["top1", "iterations"]:
        """What the reported and the measured figure count."""
        return "iterations" if self.reported is not None and self.reported.iterations is not None else "top1"

    def to_json(self) -> dict[str, Any]:
        """Return the line as a flat JSON object; what is not known is null."""
        reported, measured = self.reported or Reported(""), self.measured or Measured("", None, None, None)
        return {
            "row": self.row,
            "report": self.report,
            "source": reported.source or None,
            "unit": self.unit,
            "reported": reported.iterations if self.unit == "iterations" else reported.val,
            "reported_text": reported.text or None,
            "measured": measured.figure,
            "interval": _listed(measured.interval),
            "verdict": measured.verdict,
            "epoch": measured.epoch,
            "last": measured.last,
            "last_interval": _listed(measured.last_interval),
            "running": measured.running,
            "train_reported": reported.train,
            "train_measured": measured.train,
            "test_reported": reported.test,
            "epochs": measured.epochs,
            "seconds": measured.seconds,
            "device": measured.device,
            "record": measured.record or None,
            "pretrained": self.pretrained,
            "selected_on": measured.selected_on,
            "expected_seconds": self.expected_seconds,
            "expected_on": self.expected_on,
            "command": self.command,
        }


def make_lines(records: Sequence[AnyRecord]) -> list[Line]:
    """Return the line of every row, measured or not, in the order of the reports, then those of our own recipes.

    An improved twin `<row>+` follows its row. Of our own recipes only the recorded ones have a line.

    Raises:
        StorageError: a record is not of its row's recipe as it stands now, not of its full length, or lacks a figure.
    """
    known = {record.name: record for record in records}
    times = known.get(EXPECTED_TIMES)
    report_of = {name: report for report, rows in REPORTS.items() for name in rows}
    lines = [row_line(name, report_of[name], known.get(name)) for name in ordered(ROWS)]
    if isinstance(times, Measurement):
        lines = [_with_expected(line, times) for line in lines]
    own = [name for name in OWN if name != "demo" and name in known]
    return lines + [own_line(name, known[name]) for name in own]


def ordered(names: Iterable[str]) -> list[str]:
    """Return `names` in their order, but for each twin `<name>+`, which follows `<name>` where that is there."""
    given = list(names)
    known = set(given)
    heads = [name for name in given if not (name.endswith("+") and name[:-1] in known)]
    return [name for head in heads for name in (head, f"{head}+") if name in known]


def row_line(name: str, report: str, record: AnyRecord | None) -> Line:
    """Return the line of the row `name` of `report`, measured by `record` where there is one.

    Raises:
        StorageError: as `make_lines`.
    """
    row = ROWS[name]
    line = Line(name, report, row.reported, starts_pretrained(row), f"thumbnet reproduce {name}")
    if record is None:
        return line
    if isinstance(record, Measurement) != (row.study is not None):
        kind = "a recipe, but its record is of a study" if row.study is None else "a study, but its record is of a run"
        raise StorageError(f"record {name!r}: the row is {kind}; measure it again with: {line.command}")
    if isinstance(record, Measurement):
        pretrained = bool(record.figures.get("pretrained", False))
        return replace(line, pretrained=pretrained, measured=measured_study(record, row.reported))
    _check_recipe(record, line.command)
    return replace(line, measured=measured_run(record, row.reported))


def own_line(name: str, record: AnyRecord) -> Line:
    """Return the line of our own recipe `name`, measured by `record`.

    Raises:
        StorageError: as `make_lines`.
    """
    command = f"thumbnet train {name}"
    if isinstance(record, Measurement):
        raise StorageError(f"record {name!r}: not the record of a run; make it again with: {command}")
    _check_recipe(record, command)
    return Line(name, None, None, record.pretrained, command, measured_run(record, None))


def measured_run(record: Record, reported: Reported | None) -> Measured:
    """Return what the record of a run says, judged against the report's figures.

    The reports took their best epoch on val, so that is compared where the run chose on val, else the last step.
    """
    last_row: Mapping[str, Any] = record.history[-1] if record.history else {}
    chosen = record.peak if record.selected_on == "val" else None
    found = Measured(
        record=record.name,
        figure=record.top1 if chosen is None else chosen.top1,
        verdict=None,
        interval=record.top1_interval if chosen is None else chosen.top1_interval,
        epoch=None if chosen is None else chosen.epoch,
        last=record.top1,
        last_interval=record.top1_interval,
        train=last_row.get("eval_train_top1"),
        epochs=record.epochs,
        seconds=record.train_seconds,
        device=device_name(record.device),
        selected_on=record.selected_on,
    )
    if reported is not None and reported.iterations is not None:
        return _with_iterations(found, record, reported.iterations)
    return _judged(found, reported)


def measured_study(record: Measurement, reported: Reported) -> Measured:
    """Return what the measurement of a study says, judged against the report's figures.

    Raises:
        StorageError: its figures lack `top1` or `top1_interval`.
    """
    figures = record.figures
    try:
        top1, (low, high) = float(figures["top1"]), figures["top1_interval"]
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"record {record.name!r}: its figures lack top1 or top1_interval; run the study again"
        ) from error
    found = Measured(
        record=record.name,
        figure=top1,
        verdict=None,
        interval=(float(low), float(high)),
        epochs=figures.get("epochs"),
        seconds=figures.get("seconds"),
        device=device_name(record.device),
        selected_on=figures.get("selected_on"),
    )
    return _judged(found, reported)


def verdict(reported: float, interval: Interval) -> Verdict:
    """Return 'above' when the whole interval lies above `reported`, 'below' when below, 'within' otherwise."""
    low, high = interval
    if low > reported:
        return "above"
    return "below" if high < reported else "within"


def is_current(recipe: Recipe, name: str) -> bool:
    """Return whether `recipe` is our recipe called `name` as it stands now; the seed may differ.

    Raises:
        RecipeError: our recipe cannot be made.
    """
    return replace(recipe, seed=0) == replace(from_json(to_json(RECIPES[name]())), seed=0)


def starts_pretrained(row: Row) -> bool:
    """Return whether the row's recipe begins from pretrained weights (a study says so in its record)."""
    return row.recipe is not None and row.recipe().model.weights is not None


def device_name(device: Mapping[str, Any]) -> str:
    """Return a device, as `thumbnet.environment.describe` gives it, in a few words.

    Such as '2-core CPU', '1 of 2 CPU cores' (threads that computed, of the cores there were) or 'H100'.
    """
    kind, name = str(device.get("type", "unknown")), str(device.get("name", "unknown"))
    if kind == "cpu":
        cores, threads = device.get("cpus"), device.get("threads")
        if cores is None:
            return "CPU"
        return f"{threads} of {cores} CPU cores" if threads is not None and threads < cores else f"{cores}-core CPU"
    if kind == "mps":
        return "Apple GPU"
    short = re.sub(r"\b(NVIDIA|AMD|Intel|GeForce|Tesla|Quadro)\b|[ -]\d+ ?GB\b.*|-(SXM|PCIE).*", "", name)
    return re.sub(r"\s+", " ", short).strip() or kind


def _check_recipe(record: Record, command: str) -> None:
    """Check that `record` is of our recipe of its name as it stands now, in its full length."""
    try:
        current = is_current(from_json(record.recipe), record.name)
    except RecipeError as error:
        raise StorageError(f"record {record.name!r}: its recipe: {error}; measure again with: {command}") from error
    if not current or record.fraction != 1:
        raise StorageError(
            f"record {record.name!r}: made by another recipe than the one of that name as it stands now; "
            f"measure again with: {command}"
        )
    if record.pretrained != (RECIPES[record.name]().model.weights is not None):
        raise StorageError(
            f"record {record.name!r}: pretrained is {record.pretrained}, which its recipe contradicts; "
            f"measure again with: {command}"
        )


def _judged(found: Measured, reported: Reported | None) -> Measured:
    if reported is None or reported.val is None or found.interval is None:
        return found
    return replace(found, verdict=verdict(reported.val, found.interval))


def _with_iterations(found: Measured, record: Record, reported: int) -> Measured:
    """Return `found` as a check that training images are learned by heart: how many iterations that took."""
    steps = _first_perfect(record.history, "eval_train_top1")
    running = _first_perfect(record.history, "running_train_top1")
    reached = steps is not None and steps <= reported
    return replace(
        found, figure=steps, running=running, verdict="above" if reached else "below", interval=None, epoch=None
    )


def _first_perfect(history: Sequence[Mapping[str, Any]], key: str) -> int | None:
    return next((int(row["step"]) for row in history if row.get(key) == 1.0), None)


def _with_expected(line: Line, times: Measurement) -> Line:
    seconds = times.figures.get(line.row)
    if seconds is None:
        return line
    return replace(line, expected_seconds=float(seconds), expected_on=device_name(times.device))


def _listed(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)
