"""Running rows one after the other, each in a folder of its own: new, resumed or left as it is, judged, recorded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from thumbnet import records
from thumbnet.errors import RecipeError, ThumbnetError
from thumbnet.packed import TINY_IMAGENET_FINGERPRINT, PackedDataset
from thumbnet.recipe import Recipe
from thumbnet.recipes import find_row, quick_look
from thumbnet.records import Measurement
from thumbnet.run import RunDirectory
from thumbnet.studies import Study, find_study, look_at
from thumbnet.text import epochs_text
from thumbnet.train import Options, stop_on_signals
from thumbnet.workflows.estimate import DataShape, full_epochs, shape_of
from thumbnet.workflows.recording import describe_run, make_record
from thumbnet.workflows.reproduction.lines import Line, row_line
from thumbnet.workflows.reproduction.measured import measured_run, measured_study
from thumbnet.workflows.reproduction.table import verdict_line
from thumbnet.workflows.running import Tell, silent, train_or_go_on
from thumbnet.workflows.study.running import measure_study, run_study


@dataclass(frozen=True)
class Look:
    """How rows are run: whole, or as a quick look that is never recorded.

    Args:
        fraction: part of the full length, in (0, 1].
        epochs: length in epochs instead; at most the full length.
        random_weights: whether random weights replace pretrained ones.

    Raises:
        RecipeError: a length out of range, or two of them.
    """

    fraction: float | None = None
    epochs: float | None = None
    random_weights: bool = False

    def __post_init__(self) -> None:
        if self.fraction is not None and self.epochs is not None:
            raise RecipeError("--fraction and --epochs both state a length; give one of them")
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise RecipeError(f"--fraction {self.fraction:g}: not in (0, 1]; 0.1 is a tenth of the full length")
        if self.epochs is not None and not self.epochs > 0:
            raise RecipeError(f"--epochs {self.epochs:g}: not a positive number")


@dataclass(frozen=True)
class Task:
    """A row to run: its recipe or study, the folder, and what sets it apart from the row as it stands (or nothing).

    The folder is the run's directory; that of a study holds its figure, and its runs lie beside it.
    """

    row: str
    work: Recipe | Study
    folder: Path
    fraction: float
    note: str

    @property
    def recipes(self) -> Mapping[Path, Recipe]:
        """Every recipe that is trained, by its run directory."""
        if isinstance(self.work, Recipe):
            return {self.folder: self.work}
        return {self.folder.parent / one.folder: one.recipe for one in self.work.planned()}


@dataclass(frozen=True)
class Outcome:
    """What became of a row.

    Args:
        row: its name.
        text: the verdict, or why there is none, in one line.
        failed: whether there is none.
        task: what was run; `None` where that could not be made.
        line: the judged row; its `measured.record` is '' where nothing was recorded.
        record: the file that was written, for a run that may be recorded.
    """

    row: str
    text: str
    failed: bool = False
    task: Task | None = None
    line: Line | None = None
    record: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the line of the table as JSON data, with `run`, `note`, `fraction` and `error` beside it."""
        about: dict[str, Any] = {"row": self.row, "error": self.text if self.failed else None}
        if self.task is not None:
            about |= {"run": str(self.task.folder), "note": self.task.note, "fraction": self.task.fraction}
        return about | ({} if self.line is None else self.line.to_json())


def make_task(name: str, look: Look, shape: DataShape, out: Path) -> Task:
    """Return what running the row `name` means: under `out`, `<row>`, or `<row>@<fraction>` and so on.

    Raises:
        RecipeError: the row's recipe does not fit the data or the length.
    """
    row = find_row(name)
    if row.recipe is None:
        assert row.study is not None
        study = find_study(row.study)
        fraction = _fraction(_first_recipe(name), look, shape)
        work: Recipe | Study = look_at(study, fraction, random_weights=look.random_weights)
        random = any(one.model.weights is not None for one in study.runs.values())
    else:
        whole = row.recipe()
        fraction = _fraction(whole, look, shape)
        work = quick_look(whole, fraction, random_weights=look.random_weights)
        random = whole.model.weights is not None
    notes = [f"a quick look, {fraction:.3g} of the full length"] if fraction < 1 else []
    notes += ["random weights in place of pretrained ones"] if random and look.random_weights else []
    return Task(name, work, out / work.name, fraction, "; ".join(notes))


def as_long(names: Sequence[str], look: Look, shape: DataShape) -> list[str]:
    """Return those of the rows `names` that have as many epochs as `look` asks for, or that do not fit the data."""
    return [name for name in names if not _is_shorter(name, look, shape)]


def run_rows(
    names: Sequence[str],
    look: Look,
    dataset: PackedDataset,
    out: Path,
    records_folder: Path,
    *,
    options: Options,
    command: str,
    tell: Tell = silent,
) -> Iterator[Outcome]:
    """Run rows one after the other and yield what became of each; one that fails does not keep the others.

    A complete run is left as it is, an unfinished one resumed. A row as it stands, whole and on Tiny ImageNet, is
    recorded in `records_folder`.

    Args:
        names: rows.
        look: how they run.
        dataset: packed data.
        out: folder of runs.
        records_folder: made where it is not there; a record of the same name is replaced.
        options: what does not decide results.
        command: command line, for the runs' own notes.
        tell: takes a line before each row, and before each run of a study.

    Raises:
        Interrupted: somebody asked to stop; the same call goes on.
    """
    shape = shape_of(dataset)
    for number, name in enumerate(names, start=1):
        task = None
        with stop_on_signals() as stop:
            try:
                task = make_task(name, look, shape, out)
                note = f" ({task.note})" if task.note else ""
                tell(f"row {number} of {len(names)}: {name} in {task.folder}{note}")
                outcome = _outcome(task, _measure(task, dataset, options, command, tell), dataset, records_folder)
            except ThumbnetError as error:
                outcome = Outcome(name, f"{name}: {error}", failed=True, task=task)
        yield outcome
        if number < len(names):
            stop.heed(f"stopped after row {name}; go on with the same command")


def _first_recipe(name: str) -> Recipe:
    """Return the recipe of the row `name`, or that of its study's first run; all runs of a study are as long."""
    row = find_row(name)
    if row.recipe is not None:
        return row.recipe()
    assert row.study is not None
    return next(iter(find_study(row.study).runs.values()))


def _fraction(recipe: Recipe, look: Look, shape: DataShape) -> float:
    if look.epochs is None:
        return look.fraction or 1.0
    full = full_epochs(recipe, shape)
    if look.epochs > full:
        raise RecipeError(f"--epochs {look.epochs:g}: {recipe.name!r} has {_counted(full)} in all; give fewer or none")
    return look.epochs / full


def _is_shorter(name: str, look: Look, shape: DataShape) -> bool:
    try:
        return look.epochs is not None and full_epochs(_first_recipe(name), shape) < look.epochs
    except RecipeError:  # it does not fit the data, which running it says
        return False


def _counted(count: float) -> str:
    return "1 epoch" if count == 1 else f"{epochs_text(count)} epochs"


def _measure(
    task: Task, dataset: PackedDataset, options: Options, command: str, tell: Tell
) -> RunDirectory | Measurement:
    """Return the run of `task`, complete: as it is, resumed, or new; or what the runs of its study found."""
    if isinstance(task.work, Study):
        result = run_study(task.work, dataset, task.folder.parent, options, command=command, tell=tell)
        return measure_study(result)
    return train_or_go_on(task.work, dataset, task.folder, options, command)


def _outcome(task: Task, found: RunDirectory | Measurement, dataset: PackedDataset, folder: Path) -> Outcome:
    """Return the verdict on what was measured, after writing its record in `folder` where it may have one."""
    official = dataset.fingerprint == TINY_IMAGENET_FINGERPRINT
    path = None
    if official and not task.note:
        record = found if isinstance(found, Measurement) else make_record(found)
        path = records.write(record, folder, replace=True)
    line = _judged(row_line(task.row), found)
    assert line.measured is not None
    if path is None:  # what is not recorded has no verdict on the row either
        line = replace(line, measured=replace(line.measured, record="", verdict=None))
    note = "; ".join(part for part in (task.note, "" if official else f"on {dataset.name}, not Tiny ImageNet") if part)
    return Outcome(task.row, verdict_line(line, note), task=replace(task, note=note), line=line, record=path)


def _judged(line: Line, found: RunDirectory | Measurement) -> Line:
    assert line.reported is not None
    if isinstance(found, Measurement):
        return replace(line, pretrained=found.figures["pretrained"], measured=measured_study(found, line.reported))
    described = describe_run(found)
    return replace(line, pretrained=described.pretrained, measured=measured_run(described, line.reported))
