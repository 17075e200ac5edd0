"""Running a study: start, resume or skip each of its runs, then collect, draw and record what they found."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thumbnet import records
from thumbnet.errors import RecipeError, RunError, TrainingError
from thumbnet.files import is_file, read_json, storage_errors, write_json
from thumbnet.packed import PackedDataset
from thumbnet.recipe import from_json
from thumbnet.records import Measurement
from thumbnet.run import RunDirectory
from thumbnet.studies import STUDIES, PlannedRun, Study
from thumbnet.train import Interrupted, Options, check_recipe, stop_on_signals
from thumbnet.workflows.recording import require_tiny_imagenet
from thumbnet.workflows.running import Tell, open_run_of, open_run_on, silent, train_or_go_on
from thumbnet.workflows.study.figure import draw_study
from thumbnet.workflows.study.result import StudyResult, collect, read_run

_FILE = "study.json"
_FIGURES = ("figure.png", "figure.svg")


def is_study(folder: Path) -> bool:
    """Return whether `folder` holds what a study found.

    Raises:
        StorageError: the place may not be entered.
    """
    return is_file(folder / _FILE)


def run_study(
    study: Study,
    dataset: PackedDataset,
    out: Path,
    options: Options,
    *,
    command: str = "thumbnet.run_study",
    tell: Tell = silent,
) -> StudyResult:
    """Train what is missing of a study, and write `<out>/<study>/study.json`, `figure.png` and `figure.svg`.

    Runs lie in `out` itself, in folders of their recipes' names: complete ones are used as they are, unfinished ones
    go on. A run whose training fails (its loss diverges, say) is noted and the others go on.

    Args:
        study: what to run.
        dataset: what to train on.
        out: folder of the runs and of the study's own folder.
        options: what does not decide the results.
        command: goes into the runs' sessions.
        tell: takes a line of progress before each run.

    Raises:
        ThumbnetError: what does not fit (then nothing is trained), or no run could be trained.
        Interrupted: somebody asked to stop; the same call goes on.
    """
    check_folder(study, out / study.name)
    planned = study.planned()
    for one in planned:
        _check(one, dataset, out)
    failures = _train_missing(study, dataset, out, options, command=command, tell=tell)
    if len(failures) == len(planned):
        raise TrainingError(f"study {study.name}: no run could be trained; {next(iter(failures.values()))}")
    return write_study(study, out, failures)


def write_study(study: Study, out: Path, failures: Mapping[str, str] | None = None) -> StudyResult:
    """Collect what a study's runs in `out` found, and write its folder anew.

    Args:
        study: all its runs are complete, but for `failures`.
        out: folder of the runs.
        failures: why a run failed, by the name of its folder.

    Raises:
        RunError: a run is missing, unfinished or damaged.
        StorageError: the study's folder cannot be written.
    """
    notes = failures or {}
    runs = [(one, RunDirectory.open(out / one.folder)) for one in study.planned()]
    result = collect(study, [read_run(one, run, notes.get(one.folder, "")) for one, run in runs])
    folder = out / study.name
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    draw_study(result, [folder / name for name in _FIGURES])
    write_json(folder / _FILE, result.to_json())
    return result


def state_of(planned: PlannedRun, out: Path) -> str:
    """Return how far a run of a study is, in words, and check that its folder is free or holds that run.

    Raises:
        RunError: the folder holds a run of another recipe, or no run.
    """
    path = out / planned.folder
    if not path.exists():
        return "to train"
    status = open_run_of(planned.recipe, path).status()
    if status["state"] == "complete":
        return "complete"
    done = "" if status["total_steps"] is None else f", step {status['step']} of {status['total_steps']}"
    return f"{'failed' if status['state'] == 'failed' else 'unfinished'}{done}"


def check_folder(study: Study, folder: Path) -> None:
    """Check that a study's `folder` is free, or holds what the same study found, maybe of fewer variants or seeds.

    Raises:
        RunError: it holds something else.
        StorageError: it cannot be read.
    """
    with storage_errors(folder):
        others = [one.name for one in folder.iterdir() if one.name not in _FIGURES] if folder.exists() else []
    if _FILE in others:
        _check_same(study, read_json(folder / _FILE), folder)
    elif any(not name.startswith(".") for name in others):
        raise RunError(f"{folder}: holds something else than a study; move it, or give the study another name")


def check_recordable(study: Study, dataset: PackedDataset, folder: Path) -> None:
    """Check that what `study` finds on `dataset` may be recorded under its name in `folder`.

    Raises:
        RunError: the study is shortened; or it bears the name of a study of ours and is not that one, or this is not
            Tiny ImageNet; or the folder has the record of another study of that name.
        StorageError: the name is not that of a record, or the record that is there is damaged.
    """
    if any(recipe.fraction < 1 for recipe in study.runs.values()):
        raise RunError(f"study {study.name}: shortened runs are not recorded; leave out --fraction or --records")
    ours = STUDIES.get(study.name)
    if ours is not None:
        if study != ours:
            raise RunError(
                f"study {study.name}: not the study of that name as it stands ({ours.seeds} seeds), so it cannot be "
                "recorded under it; leave out --seeds or --records, or give it another --name"
            )
        what = f"study {study.name}: a study of Tiny ImageNet"
        require_tiny_imagenet(dataset.fingerprint, what, "leave out --records")
    path = folder / f"{study.name}.json"
    records.check_place(path)
    if path.exists():
        found = records.load(path)
        figures = found.figures if isinstance(found, Measurement) else {}
        _check_same(study, figures, path)
        if figures.get("data", dataset.fingerprint) != dataset.fingerprint:
            raise RunError(f"{path}: the study's record on other data; move or remove it, or choose another folder")


def record_study(result: StudyResult, folder: Path, command: str = "") -> Path:
    """Write the measurement `<folder>/<study>.json`, in place of what was there, and return its path.

    Raises:
        RunError: a run failed, so there is no record.
        StorageError: the place cannot be written.
    """
    return records.write(measure_study(result, command), folder, replace=True)


def measure_study(result: StudyResult, command: str = "") -> Measurement:
    """Return what a study found as a measurement: device and versions are the first run's.

    Its figures are those of `study.json`; `seconds` is the training time of all runs, `epochs` the length of one,
    `recipes` the recipe of each variant.

    Raises:
        RunError: a run failed.
    """
    failed = [run.planned.folder for run in result.runs if not run.complete]
    if failed:
        raise RunError(f"study {result.study.name}: {failed[0]} failed, so nothing is recorded; change what it varies")
    about = result.runs[0].run.sessions()[0]
    told = command or f"thumbnet study {shlex.quote(result.study.name)}"
    return records.measurement(result.study.name, _figures(result), about, told)


def _figures(result: StudyResult) -> dict[str, Any]:
    outcomes = [run.run.result() for run in result.runs]
    return {
        **result.to_json(),
        "data": result.runs[0].run.data()["fingerprint"],
        "pretrained": any(recipe.model.pretrained for recipe in result.study.runs.values()),
        "epochs": max(outcome["epochs"] for outcome in outcomes),
        "seconds": sum(outcome["train_seconds"] for outcome in outcomes),
    }


def _check_same(study: Study, found: Mapping[str, Any], place: Path) -> None:
    """Check that `study` has every variant and seed of what is stored at `place`, which it replaces.

    Raises:
        RunError: it has not, or what is stored there is no study's.
    """
    try:
        labels, seeds = [str(variant["label"]) for variant in found["variants"]], int(found["seeds"])
        recipes = {label: from_json(recipe) for label, recipe in found.get("recipes", {}).items()}
    except (AttributeError, KeyError, TypeError, ValueError, RecipeError) as error:
        raise RunError(f"{place}: holds something else than a study's figures; move it, or remove it") from error
    ours = study.runs
    if seeds > study.seeds or any(one not in ours or recipes.get(one, ours[one]) != ours[one] for one in labels):
        raise RunError(
            f"{place}: holds what another study of that name found ({'; '.join(labels)}; seeds: {seeds}); "
            "move or remove it, or give this study another name"
        )


def _train_missing(
    study: Study, dataset: PackedDataset, out: Path, options: Options, *, command: str, tell: Tell
) -> dict[str, str]:
    """Train what is missing of a study's runs, and return why a run failed, by the name of its folder."""
    failures: dict[str, str] = {}
    planned = study.planned()
    with stop_on_signals() as stop:
        for number, one in enumerate(planned, start=1):
            path = out / one.folder
            stop.heed(f"{path}: stopped before this run; go on with the same command")
            tell(f"{study.name}, run {number} of {len(planned)}: {path} ({state_of(one, out)})")
            try:
                train_or_go_on(one.recipe, dataset, path, options, command)
            except TrainingError as error:
                if not _failed(path, error):
                    raise
                failures[one.folder] = str(error)
                tell(f"{path}: {error}")
            except Interrupted as error:
                reason = str(error).partition(";")[0]
                raise Interrupted(f"{path}: {reason}; go on with the same command") from error
    return failures


def _check(planned: PlannedRun, dataset: PackedDataset, out: Path) -> None:
    path = out / planned.folder
    if path.exists():
        open_run_on(dataset, planned.recipe, path)
    elif planned.seed == 0:
        check_recipe(planned.recipe, dataset)


def _failed(path: Path, error: TrainingError) -> bool:
    """Return whether `error` ended the training of a run, and not the way to it (a device that is not there).

    A run that failed before says so until it is trained again.
    """
    status = RunDirectory.open(path).status() if path.exists() else {}
    return status.get("state") == "failed" and status.get("message") == str(error)
