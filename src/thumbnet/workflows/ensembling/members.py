"""The members that an ensemble may have: what runs, ensembles and files of predictions stored."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thumbnet.errors import PredictionError, RunError
from thumbnet.predictions import Predictions
from thumbnet.run import RunDirectory, Snapshot
from thumbnet.text import path_labels
from thumbnet.workflows.stored import Source


@dataclass(frozen=True, eq=False)
class Member:
    """One member: its name, where it lies, and its predictions by split.

    `class_names` are the names of classes by id, where they are known; `kept_on` is the split whose best evaluations
    decided that a snapshot was kept.
    """

    name: str
    path: Path
    predictions: Mapping[str, Predictions]
    class_names: Mapping[str, str]
    kept_on: str | None = None

    def on(self, split: str) -> Predictions:
        """Return the predictions for `split`.

        Raises:
            PredictionError: there are none.
        """
        if split not in self.predictions:
            have = ", ".join(self.predictions) or "none"
            raise PredictionError(f"{self.name}: no stored predictions for {split!r} (it has {have}); leave it out")
        return self.predictions[split]

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the predictions come from."""
        return dict(next(iter(self.predictions.values())).provenance)


def load_members(paths: Sequence[Path], splits: Collection[str], *, snapshots: bool = False) -> list[Member]:
    """Return a member for each of `paths`, or with `snapshots` one for each snapshot that the runs kept.

    Args:
        paths: folders of runs and of ensembles, and files of predictions.
        splits: the splits to load, where there are predictions for them.
        snapshots: take the runs' snapshots, in order of their steps, instead of their last weights.

    Raises:
        ThumbnetError: a path is none of these, is given twice, is damaged, is an unfinished run, or has no snapshots.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise PredictionError("ensemble: a member is given twice; give each once")
    sources = [Source.open(path) for path in paths]
    names = path_labels(paths)
    if not snapshots:
        return [_member(source, name, splits) for source, name in zip(sources, names, strict=True)]
    found = []
    for source, name in zip(sources, names, strict=True):
        if source.run is None:
            raise PredictionError(f"{source.path}: saved predictions, which have no snapshots; give runs")
        found += _snapshots(source.run, name, splits, source.class_names())
    return found


def _member(source: Source, name: str, splits: Collection[str]) -> Member:
    if source.run is not None:
        source.run.require_complete()
        there = [split for split in splits if source.run.predictions_path(split).exists()]
        predictions = {split: source.run.predictions(split) for split in there}
    elif source.ensemble is not None:
        there = [split for split in splits if split in source.ensemble.splits()]
        predictions = {split: source.ensemble.predictions(split) for split in there}
    else:
        one = Predictions.load(source.path)
        predictions = {one.split: one}
    return Member(name, source.path, predictions, source.class_names())


def _snapshots(run: RunDirectory, name: str, splits: Collection[str], class_names: Mapping[str, str]) -> list[Member]:
    found = []
    for one in kept_snapshots(run):
        there = [split for split in splits if run.predictions_path(split, one).exists()]
        predictions = {split: run.predictions(split, one) for split in there}
        chosen = run.recipe().selected_on
        found.append(Member(f"{name}:{one.tag}", run.weights_path(one.tag), predictions, class_names, chosen))
    return found


def kept_snapshots(run: RunDirectory) -> list[Snapshot]:
    """Return the snapshots of a complete run, in order of their steps.

    Raises:
        RunError: the run is unfinished, or kept none.
    """
    run.require_complete()
    kept = run.snapshots()
    if not kept:
        raise RunError(f"run {run.path}: it kept no snapshots; train it with --set checkpointing.snapshots=NUMBER")
    return kept
