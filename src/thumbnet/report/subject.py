"""One run as a report sees it: all that is stored about it, read once, with a note for each thing that is missing."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from thumbnet import packed
from thumbnet.analyses import Maps, Origin, Part, current_origin, read, read_impossible
from thumbnet.errors import DataError, PredictionError, RunError, StorageError
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions, judged_split, trained_on
from thumbnet.recipe import Recipe
from thumbnet.report.facts.table import Missing
from thumbnet.run import RunDirectory, choosing_splits, evaluations, find_data, iterations
from thumbnet.text import path_labels


@dataclass(frozen=True, eq=False)
class Subject:
    """A run and what a report needs of it.

    Args:
        number: its place in the report, from 0.
        label: what it is called there; unlike that of every other run.
        run: the run directory.
        recipe: of the run.
        data: as `RunDirectory.data` gives it.
        result: as `RunDirectory.result` gives it; `None` for an unfinished run.
        rows: all rows of the metrics.
        judged: labelled predictions that the sections are about, val's or else the holdout's; or why there are none.
        holdout: predictions for images that were held out of training; or why there are none.
        dataset: the packed data that the run names; or why it is not at hand.
    """

    number: int
    label: str
    run: RunDirectory
    recipe: Recipe
    data: Mapping[str, Any]
    result: Mapping[str, Any] | None
    rows: Sequence[Mapping[str, Any]]
    judged: Predictions | Missing
    holdout: Predictions | Missing
    dataset: PackedDataset | Missing

    @property
    def key(self) -> str:
        """A short name for anchors and files: 'run-1' for the first."""
        return f"run-{self.number + 1}"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The short name of each class, in the order of the data's labels, which is that of the judged columns."""
        known = {info["id"]: info["name"] for info in self.data["classes"]}
        return short_names(list(known.items()))

    @cached_property
    def origin(self) -> Origin:
        """What the run's analyses must have been made from."""
        return current_origin(self.run)

    @cached_property
    def maps(self) -> Maps | None:
        """The maps of where the network looked, where they are stored."""
        return read(self.run, Maps, self.origin)

    @cached_property
    def impossible(self) -> Mapping[Part, str]:
        """Why parts of the analysis cannot be had of this run, as far as it was tried."""
        return read_impossible(self.run, self.origin)

    @property
    def not_on_val(self) -> str:
        """Why a complete run is judged on the holdout, as a sentence with what to do about it."""
        gone = _val_is_gone(self.run) or Missing("there is no labelled val split")
        said = f"{gone.reason}, so the holdout is judged, on which the run may have been chosen"
        return f"{said[0].upper()}{said[1:]}{f'; {gone.remedy}' if gone.remedy else ''}."

    def not_analyzed(self, what: str, part: Part) -> Missing:
        """Return that `what` is missing, with the command that computes this part of an analysis, if one can."""
        if self.result is None:
            return _unfinished(self.run)
        if part in self.impossible:
            return Missing(f"the run can have no {what} ({self.impossible[part]})")
        return Missing(f"the run has no {what} yet", self.command_for(part))

    def command_for(self, part: Part) -> str:
        """Return the command line that computes this part of an analysis."""
        return shlex.join(["thumbnet", "analyze", str(self.run.path), "--only", part])

    def evaluations(self) -> list[Mapping[str, Any]]:
        """Return the rows of evaluations, in order."""
        return evaluations(self.rows)

    def iterations(self) -> list[Mapping[str, Any]]:
        """Return the rows of single steps, in order."""
        return iterations(self.rows)


def read_subjects(runs: Sequence[RunDirectory], data: Sequence[Path] = ()) -> list[Subject]:
    """Return what a report needs of each run.

    Args:
        runs: complete or not.
        data: packed data; a run that was made from one of them takes its images from there, instead of from where it
            found them.

    Raises:
        RunError: something stored is damaged, or a run is given twice.
        DataError: one of `data` is not packed data, or not what a run was made from.
    """
    paths = [run.path.resolve() for run in runs]
    for path in paths:
        if paths.count(path) > 1:
            raise RunError(f"run {path}: given twice; give each run once")
    given = _given_data(runs, data)
    return [
        _read(number, label, run, given)
        for number, (run, label) in enumerate(zip(runs, path_labels([run.path for run in runs]), strict=True))
    ]


def short_names(classes: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Return of each (id, name) the name up to its first comma; with the id where two would be alike."""
    short = [name.partition(",")[0].strip() or key for key, name in classes]
    return tuple(
        one if short.count(one) == 1 else f"{one} ({key})" for one, (key, _) in zip(short, classes, strict=True)
    )


def _read(number: int, label: str, run: RunDirectory, given: Mapping[str, PackedDataset]) -> Subject:
    about = run.data()
    complete = run.is_complete
    holdout = _holdout(run, complete)
    return Subject(
        number=number,
        label=label,
        run=run,
        recipe=run.recipe(),
        data=about,
        result=run.result() if complete else None,
        rows=run.metrics.read(),
        judged=_judged(run, complete, holdout),
        holdout=holdout,
        dataset=given.get(about["fingerprint"]) or _dataset(run, about),
    )


def _judged(run: RunDirectory, complete: bool, holdout: Predictions | Missing) -> Predictions | Missing:
    if not complete:
        return _unfinished(run)
    val = _stored(run, "val")
    held = holdout if isinstance(holdout, Predictions) else None
    # What a `holdout` is, the network did not train on: `_holdout` says why there is none else.
    chosen = judged_split(None if val is None else val.labels, None if held is None else held.labels, False)
    found = {"val": val, "holdout": held, None: None}[chosen]
    if found is not None:
        return found
    return _val_is_gone(run) or Missing(
        "the run stored no predictions for a labelled val split, and none for a holdout that it did not train on",
        "train with data that has a val split, or with train_on=fit",
    )


def _val_is_gone(run: RunDirectory) -> Missing | None:
    """Return that a complete run lacks predictions for the val split of its data, and how to get them, if it does."""
    if run.predictions_path("val").exists() or not run.data()["counts"].get("val"):
        return None
    return Missing("the run stored no predictions for val, or their file is gone", _how_to_get(run, "val"))


def _how_to_get(run: RunDirectory, split: str) -> str:
    file = run.predictions_path(split)
    command = shlex.join(["thumbnet", "predict", str(run.path), "--split", split, "--out", str(file)])
    folder = "" if file.parent.is_dir() else shlex.join(["mkdir", str(file.parent)]) + " && "
    return f"make them with: {folder}{command} and then write the report anew"


def _holdout(run: RunDirectory, complete: bool) -> Predictions | Missing:
    if not complete:
        return _unfinished(run)
    found = _stored(run, "holdout")
    if found is None:
        return Missing(
            "the run stored no predictions for the holdout, which is empty where no class has two images, or their "
            "file is gone",
            _how_to_get(run, "holdout"),
        )
    if not len(found.labels):
        return Missing("the holdout has no image", "train with data whose classes have two images or more")
    if trained_on(found.provenance, "holdout") is not False:
        return Missing(
            "the network trained on the holdout (train_on is 'all'), so nothing can be fitted on it",
            "train a run that keeps it out: --set train_on=fit",
        )
    return found


def _unfinished(run: RunDirectory) -> Missing:
    return Missing("the run is unfinished", f"finish it with: thumbnet resume {shlex.quote(str(run.path))}")


def _stored(run: RunDirectory, split: str) -> Predictions | None:
    if not run.predictions_path(split).exists():
        return None
    found = run.predictions(split).with_choice(choosing_splits(run, "last"))
    try:
        if len(found.labels) and found.labels.min() >= 0:
            found.scores()
    except PredictionError as error:
        raise RunError(f"run {run.path}: its stored predictions for {split!r} are damaged ({error})") from error
    _check_own(run, found, split)
    return found


def _check_own(run: RunDirectory, found: Predictions, split: str) -> None:
    """Raise where stored predictions are not for `split` of the run's data."""
    about = run.data()
    stated = {"split": found.split, "data": found.provenance.get("data"), "classes": found.classes}
    wanted = {"split": split, "data": about["fingerprint"], "classes": run.class_ids()}
    for key, value in wanted.items():
        if stated[key] != value:
            what = f"{key} {stated[key]!r:.70}, not {value!r:.70}" if key != "classes" else "other classes"
            raise RunError(
                f"run {run.path}: its stored predictions for {split!r} are not of this run ({what}); put its own file "
                f"back at {run.predictions_path(split)}, or train again"
            )


def _dataset(run: RunDirectory, about: Mapping[str, Any]) -> PackedDataset | Missing:
    """Return the packed data that the run was made from, where it is at hand."""
    remedy = "name its place with --data DIR, or pack it again, and write the report anew"
    try:
        found = find_data(run)
    except (DataError, StorageError) as error:
        return Missing(f"the packed data is not at hand, so no image is shown: {error}", remedy)
    if found.fingerprint != about["fingerprint"]:
        return Missing(
            f"{about['path']} holds other data now than the run was made from, so no image is shown "
            f"(fingerprint {found.fingerprint:.12}, not {about['fingerprint']:.12})",
            remedy,
        )
    return found


def _given_data(runs: Sequence[RunDirectory], places: Sequence[Path]) -> dict[str, PackedDataset]:
    """Return the packed data at `places` by its fingerprint; refuse what no run was made from."""
    wanted = list(dict.fromkeys(run.data()["fingerprint"] for run in runs))
    found = {}
    for place in places:
        one = packed.load(place)
        if one.fingerprint not in wanted:
            raise DataError(
                f"{place}: other data than the runs were made from (fingerprint {one.fingerprint:.12}, not "
                f"{' or '.join(name[:12] for name in wanted)}); give the data that they name, or leave out --data"
            )
        found[one.fingerprint] = one
    return found
