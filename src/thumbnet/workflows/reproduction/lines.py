"""The table of reproduction: what a report says of each row, beside what a record says that it reached.

Everything here is a function of rows and records; nothing trains and nothing needs torch.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from thumbnet.errors import RecipeError, StorageError
from thumbnet.recipe import from_json
from thumbnet.recipes import OWN, REPORTS, ROWS, Reported, Row, find_row, is_current
from thumbnet.records import Measurement, Record
from thumbnet.studies import STUDIES, Study, find_study
from thumbnet.views import find_views
from thumbnet.workflows.reproduction.measured import Interval, Measured, device_name, measured_run, measured_study

EXPECTED_TIMES = "expected-times"
"""Name of the measurement that holds the seconds that each row is expected to take."""

AnyRecord = Record | Measurement


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
            "features_apart": measured.features_apart,
            "device": measured.device,
            "record": measured.record or None,
            "pretrained": self.pretrained,
            "selected_on": measured.selected_on,
            "views": measured.views,
            "members": measured.members,
            "single": measured.single,
            "expected_seconds": self.expected_seconds,
            "expected_on": self.expected_on,
            "command": self.command,
        }


def make_lines(records: Sequence[AnyRecord], names: Collection[str] = ()) -> list[Line]:
    """Return the line of every row, measured or not, in the order of the reports, then those of our own recipes.

    An improved twin `<row>+` follows its row. Of our own recipes only the recorded ones have a line.

    Args:
        records: records of any kind; what is not named as a row or a recipe of ours has no line.
        names: only these rows, where some are given.

    Raises:
        StorageError: a record is not of its row's recipe as it stands now, not of its full length, or lacks a figure.
    """
    known = {record.name: record for record in records}
    times = expected_times(records)
    rows = [name for name in all_rows() if not names or name in names]
    lines = [_with_expected(row_line(name, known.get(name)), times) for name in rows]
    own = [name for name in OWN if name != "demo" and name in known and not names]
    return lines + [own_line(name, known[name]) for name in own]


def expected_times(records: Sequence[AnyRecord]) -> Measurement | None:
    """Return the measurement among `records` whose figures are the seconds that each row is expected to take."""
    return next((one for one in records if isinstance(one, Measurement) and one.name == EXPECTED_TIMES), None)


def ordered(names: Iterable[str]) -> list[str]:
    """Return `names` in their order, but for each twin `<name>+`, which follows `<name>` where that is there."""
    given = list(names)
    known = set(given)
    heads = [name for name in given if not (name.endswith("+") and name[:-1] in known)]
    return [name for head in heads for name in (head, f"{head}+") if name in known]


def all_rows() -> list[str]:
    """Return the names of all rows, in the table's order."""
    return ordered(ROWS)


def check_rows(names: Iterable[str]) -> list[str]:
    """Return `names`, each once.

    Raises:
        RecipeError: one is not a row, with the nearest names, or is a study that is no row.
    """
    chosen = list(dict.fromkeys(names))
    for name in chosen:
        if name in STUDIES and name not in ROWS:
            raise RecipeError(f"row {name!r}: a study that is no row; run it with: thumbnet study {name}")
        find_row(name)
    return chosen


def row_line(name: str, record: AnyRecord | None = None) -> Line:
    """Return the line of the row `name`, measured by `record` where there is one.

    Raises:
        StorageError: as `make_lines`.
    """
    row = ROWS[name]
    report = next(report for report, rows in REPORTS.items() if name in rows)
    line = Line(name, report, row.reported, starts_pretrained(row), f"thumbnet reproduce {name}")
    if record is None:
        return line
    if isinstance(record, Measurement) != (row.study is not None):
        kind = "a recipe, but its record is of a study" if row.study is None else "a study, but its record is of a run"
        raise StorageError(f"record {name!r}: the row is {kind}; measure it again with: {line.command}")
    if isinstance(record, Measurement):
        assert row.study is not None
        _check_study(record, find_study(row.study), line.command)
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


def starts_pretrained(row: Row) -> bool:
    """Return whether the row's recipe begins from pretrained weights (a study says so in its record)."""
    return row.recipe is not None and row.recipe().model.pretrained


def _check_recipe(record: Record, command: str) -> None:
    """Check that `record` is of our recipe of its name as it stands now, in its full length."""
    try:
        recipe = from_json(record.recipe)
        current = is_current(recipe, record.name)
    except RecipeError as error:
        raise StorageError(f"record {record.name!r}: its recipe: {error}; measure again with: {command}") from error
    if not current or record.fraction != 1:
        raise StorageError(
            f"record {record.name!r}: made by another recipe than the one of that name as it stands now; "
            f"measure again with: {command}"
        )
    if record.views != find_views(recipe.evaluation.views).name:
        raise StorageError(
            f"record {record.name!r}: views are {record.views!r}, which its recipe contradicts; "
            f"measure again with: {command}"
        )
    if record.pretrained != recipe.model.pretrained:
        raise StorageError(
            f"record {record.name!r}: pretrained is {record.pretrained}, which its recipe contradicts; "
            f"measure again with: {command}"
        )


def _check_study(record: Measurement, study: Study, command: str) -> None:
    """Check that `record` is of our study of its name as it stands now."""
    try:
        recorded = {label: from_json(recipe) for label, recipe in record.figures.get("recipes", {}).items()}
    except RecipeError:
        recorded = {}
    current = dict(study.runs)
    if recorded != current or record.figures.get("seeds") != study.seeds:
        raise StorageError(
            f"record {record.name!r}: made by another study than the one of that name as it stands now; "
            f"measure again with: {command}"
        )


def _with_expected(line: Line, times: Measurement | None) -> Line:
    seconds = None if times is None else times.figures.get(line.row)
    if times is None or seconds is None:
        return line
    return replace(line, expected_seconds=float(seconds), expected_on=device_name(times.device))


def _listed(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)
