"""Running a search: its trials on the holdout, then its best recipe and the one it started from, judged on val."""

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from thumbnet import records
from thumbnet.errors import RecipeError, RunError, ThumbnetError, TrainingError
from thumbnet.files import check_writable, locked, storage_errors, write_json
from thumbnet.packed import PackedDataset, subset_indices
from thumbnet.run import RunDirectory
from thumbnet.studies import PlannedRun, Search
from thumbnet.studies.search import SPLIT
from thumbnet.train import Interrupted, Options, check_recipe, stop_on_signals
from thumbnet.train.hardware import choose_device, set_threads
from thumbnet.workflows.running import Tell, silent, train_or_go_on
from thumbnet.workflows.study.running import is_study, state_of
from thumbnet.workflows.tuning.figure import draw_search
from thumbnet.workflows.tuning.result import Final, SearchResult, compare, measure_search


def run_search(
    search: Search,
    dataset: PackedDataset,
    out: Path,
    options: Options,
    *,
    storage: str | None = None,
    keep_runs: bool = False,
    final: bool = True,
    command: str = "thumbnet.run_search",
    tell: Tell = silent,
) -> SearchResult:
    """Run what is missing of a search, and write `<out>/<search>/tune.json`, `figure.png` and `figure.svg`.

    Trials are given the training split alone: they train without its holdout and are judged on that. Each is a run of
    its own in `trials/`, removed when it ends. Then the best recipe and the one that the search started from are
    trained in `best-<trial>` and `start`, and judged on val. Other processes may run the same search at the same time.

    Args:
        search: what to search.
        dataset: what to train on.
        out: folder of the search's own folder.
        options: what does not decide the results.
        storage: URL of the database that holds the study; `None` is a file in the search's folder.
        keep_runs: keep the runs of trials that reached their end.
        final: train the best recipe and the starting one when all trials are done.
        command: goes into the runs' sessions.
        tell: takes a line of progress.

    Raises:
        ThumbnetError: what does not fit (then nothing is trained), or no trial could be trained.
        Interrupted: somebody asked to stop; the same call goes on.
    """
    _require_optuna()
    choose_device(options.device)  # one that is not there would fail every trial, as would no threads
    set_threads(options.threads)
    folder = out / search.name
    alone = _train_alone(dataset)
    search = _checked(search, dataset, alone, folder)
    with _going_on(search):
        result = _run_trials(search, alone, folder, storage, options, command=command, keep_runs=keep_runs, tell=tell)
        write_search(result, folder)
        if final:
            result = replace(result, final=_finish(result, dataset, folder, options, command=command, tell=tell))
            write_search(result, folder)
    return result


def write_search(result: SearchResult, folder: Path) -> None:
    """Write `tune.json`, `figure.png` and `figure.svg` of a search into `folder`.

    Raises:
        StorageError: the place cannot be written.
    """
    draw_search(result, [folder / "figure.png", folder / "figure.svg"])
    write_json(folder / "tune.json", result.to_json())


def record_path(search: Search, place: Path) -> Path:
    """Return where the record of `search` goes, once it is found that it can go there.

    Args:
        search: what is to be recorded.
        place: a file called `<name>.json`, or a folder, where the search's name names the file.

    Raises:
        RunError: the final runs would be shortened.
        StorageError: no record can be written there.
    """
    if search.recipe.fraction < 1:
        raise RunError(f"search {search.name}: shortened final runs are not recorded; leave out fraction or --record")
    path = place if place.suffix == ".json" else place / f"{search.name}.json"
    records.check_place(path)
    with storage_errors(path):
        there = next(folder for folder in path.parents if folder.exists())
    check_writable(there / path.name)
    return path


def record_search(result: SearchResult, place: Path, command: str = "") -> Path:
    """Write the measurement of a search whose final runs are there, and return its path.

    Args:
        result: what the search found.
        place: as `record_path` takes it.
        command: command line that gives this measurement.

    Raises:
        RunError: the final runs were left out, or are shortened.
        StorageError: the place cannot be written.
    """
    search = result.search
    if result.final is None:
        raise RunError(f"search {search.name}: only final runs are recorded; run the search with them")
    path = record_path(search, place)
    made = measure_search(result, path.stem, command or f"thumbnet tune {path.stem}")
    return records.write(made, path.parent, replace=True)


def _run_trials(
    search: Search,
    alone: PackedDataset,
    folder: Path,
    storage: str | None,
    options: Options,
    *,
    command: str,
    keep_runs: bool,
    tell: Tell,
) -> SearchResult:
    """Run what is missing of the trials, on the training split `alone`, and return what all of them found."""
    from thumbnet.workflows.tuning.storage import open_study
    from thumbnet.workflows.tuning.trials import Worker, collect_trials

    wait = _once(tell, "waiting for another process, which makes the study")
    with contextlib.ExitStack() as stack:
        with _made(folder):
            study = stack.enter_context(open_study(search, alone.fingerprint, folder, storage, wait))
        Worker(search, alone, folder, study, options, command, keep_runs, tell).work()
        return collect_trials(search, study)


def _require_optuna() -> None:
    """Check that the optional extra is installed.

    Raises:
        TrainingError: it is not.
    """
    try:
        importlib.import_module("optuna")
    except ImportError as error:
        raise TrainingError("Optuna is not installed; pip install 'thumbnet[tune]'") from error


def _checked(search: Search, dataset: PackedDataset, alone: PackedDataset, folder: Path) -> Search:
    """Check all that can be checked before anything runs or is written; `alone` is the training split of the data.

    Returns:
        The search, with the digest of a file of weights that its recipe starts from, so that it cannot change unseen.
    """
    if RunDirectory.is_at(folder) or is_study(folder) or folder.is_file():
        raise RunError(f"{folder}: holds a run or a study, not a search; choose another name with --name")
    if "train" in dataset.split_names and not len(subset_indices(dataset.split("train", verify=False), SPLIT)):
        raise RunError(f"{dataset.path}: no class has two images, so there is no {SPLIT} to choose on")
    begun = check_recipe(search.recipe, dataset)
    try:
        values = search.start_values() or {one.name: one.domain.corners()[0] for one in search.space}
        for one in search.space:
            for text in one.domain.corners():
                check_recipe(search.trial({**values, one.name: text}), alone)
    except RecipeError as error:
        raise RecipeError(f"search {search.name}: {error}") from error
    if any(key.startswith("model.init") for one in search.space for key in one.keys):
        return search
    return replace(search, recipe=replace(search.recipe, model=replace(search.recipe.model, init=begun.model.init)))


def _train_alone(dataset: PackedDataset) -> PackedDataset:
    """Return the data without any other split than train, so that no trial can touch val or test."""
    return replace(dataset, counts={name: count for name, count in dataset.counts.items() if name == "train"})


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make `folder`, and remove what is new of it where the block, which opens the study, fails."""
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except ThumbnetError:
        with contextlib.suppress(OSError):  # not empty any more: another process has its study there
            if new and not (folder / "study.db").exists():
                (folder / ".study.lock").unlink(missing_ok=True)
            for place in new:
                place.rmdir()
        raise


def _once(tell: Tell, text: str) -> Callable[[], None]:
    """Return a call that tells `text` the first time."""
    return functools.cache(lambda: tell(text))


@contextlib.contextmanager
def _going_on(search: Search) -> Iterator[None]:
    """Say how an interrupted search goes on."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(f"search {search.name} stopped; go on with the same command") from error


def _finish(
    result: SearchResult, dataset: PackedDataset, folder: Path, options: Options, *, command: str, tell: Tell
) -> Final:
    """Train the starting recipe and the best one, where that is missing, and compare them."""
    search, best = result.search, result.best
    tuned = search.tuned(best.values)
    planned = [PlannedRun("start", 0, search.recipe, "start")]
    if replace(tuned, name=search.recipe.name) != search.recipe:
        planned.append(PlannedRun("best", 0, tuned, f"best-{best.number:04d}"))
    wait = _once(tell, "waiting for another process, which trains the final runs")
    with locked(folder / ".final.lock", wait), stop_on_signals() as stop:
        for one in planned:
            stop.heed(f"stopped before {folder / one.folder}")
            tell(f"{folder / one.folder} ({state_of(one, folder)})")
            train_or_go_on(one.recipe, dataset, folder / one.folder, options, command)
    first, last = (RunDirectory.open(folder / planned[place].folder) for place in (0, -1))
    return compare(first, last)
