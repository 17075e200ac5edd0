"""The members that an ensemble may have: what runs, ensembles and files of predictions stored."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from thumbnet.errors import PredictionError, RunError
from thumbnet.predictions import Predictions, trained_on
from thumbnet.run import KeptEpoch, RunDirectory, Snapshot, choosing_splits
from thumbnet.text import path_labels
from thumbnet.workflows.origin import any_pretrained, training_of
from thumbnet.workflows.stored import Source, find_stored

Of = Literal["last", "snapshots", "kept"]
"""Which weights of a run: its last ones, its snapshots, or those of the epochs that its recipe keeps."""

Kept = Snapshot | KeptEpoch


@dataclass(frozen=True, eq=False)
class Member:
    """One member: its name, where it lies, its predictions by split, and what gave them.

    `class_names` are the names of classes by id, where they are known.
    """

    name: str
    path: Path
    predictions: Mapping[str, Predictions]
    class_names: Mapping[str, str]
    source: Source

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


@dataclass(frozen=True)
class Lack:
    """Predictions that a run does not have yet: those of a network that it kept, for a split."""

    run: RunDirectory
    kept: Kept
    split: str


def which(*, snapshots: bool, kept: bool) -> Of:
    """Return which weights of runs are asked for.

    Raises:
        PredictionError: both.
    """
    if snapshots and kept:
        raise PredictionError("--snapshots and --kept: a run gives the one or the other; leave one out")
    return "snapshots" if snapshots else "kept" if kept else "last"


def load_members(paths: Sequence[Path], splits: Collection[str], *, of: Of = "last") -> list[Member]:
    """Return a member for each of `paths`, or for each snapshot or epoch that the runs kept.

    Args:
        paths: folders of runs and of ensembles, and files of predictions.
        splits: the splits to load, where there are predictions for them.
        of: which weights of the runs; snapshots and epochs come in order of their steps.

    Raises:
        ThumbnetError: a path is none of these, is given twice, is damaged, is an unfinished run, or kept no such
            weights.
    """
    found = []
    for source, name in _sources(paths):
        if of == "last":
            found.append(_member(source, name, splits))
        else:
            found += _kept_members(source, name, splits, of)
    return found


def find_lacking(paths: Sequence[Path], splits: Collection[str], *, of: Of, judged: str) -> list[Lack]:
    """Return the predictions for `splits` that kept networks lack, and that their runs' last weights have.

    Those for images that a run trained on are left out, but for the split that is `judged`.

    Raises:
        ThumbnetError: as in `load_members`.
    """
    found: list[Lack] = []
    for source, _ in _sources(paths) if of != "last" else []:
        run = _run(source, of)
        stated = {"train_on": run.recipe().train_on}
        wanted = [split for split in splits if split == judged or not trained_on(stated, split)]
        there = [split for split in wanted if run.predictions_path(split).exists()]
        lacks = [Lack(run, one, split) for split in there for one in kept_networks(run, of)]
        found += [one for one in lacks if not run.predictions_path(one.split, one.kept).exists()]
    return found


def kept_networks(run: RunDirectory, of: Of) -> Sequence[Kept]:
    """Return the snapshots that a complete run kept, or the epochs, in order of their steps.

    Raises:
        RunError: the run is unfinished, or kept none.
    """
    run.require_complete()
    kept: Sequence[Kept] = run.snapshots() if of == "snapshots" else run.kept_epochs()
    if not kept:
        what, setting = ("snapshots", "snapshots=NUMBER") if of == "snapshots" else ("epochs", "keep=[10,20,30]")
        raise RunError(f"run {run.path}: it kept no {what}; train it with --set checkpointing.{setting}")
    return kept


def trained_networks(members: Sequence[Member], counts: Sequence[int]) -> dict[str, Any]:
    """Return how the networks of `members` were trained (see `training_of`), as JSON data.

    Returns:
        `networks`, one for each run, file or ensemble that gave members, with its path; and `pretrained`, whether any
        of those is that counts.

    Raises:
        RunError: a run is damaged.
    """
    given = {str(one.source.path): training_of(one.source, one.provenance) for one in members}
    counting = [given[str(one.source.path)] for one, count in zip(members, counts, strict=True) if count]
    networks = [{"path": path, **trained} for path, trained in given.items()]
    return {"networks": networks, "pretrained": any_pretrained(counting)}


def _sources(paths: Sequence[Path]) -> list[tuple[Source, str]]:
    """Return what lies at `paths`, each with a name that tells it apart."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise PredictionError("ensemble: a member is given twice; give each once")
    return list(zip([Source.open(path) for path in paths], path_labels(paths), strict=True))


def _run(source: Source, of: Of) -> RunDirectory:
    if source.run is None:
        what = "snapshots" if of == "snapshots" else "kept epochs"
        raise PredictionError(f"{source.path}: saved predictions, which have no {what}; give runs")
    return source.run


def _member(source: Source, name: str, splits: Collection[str]) -> Member:
    if source.run is not None:
        stored = {split: find_stored(source.run, split) for split in splits}
        predictions = {split: one for split, one in stored.items() if one is not None}
    elif source.ensemble is not None:
        there = [split for split in splits if split in source.ensemble.splits()]
        predictions = {split: source.ensemble.predictions(split) for split in there}
    else:
        one = Predictions.load(source.path)
        predictions = {one.split: one}
    return Member(name, source.path, predictions, source.class_names(), source)


def _kept_members(source: Source, name: str, splits: Collection[str], of: Of) -> list[Member]:
    run, class_names, found = _run(source, of), source.class_names(), []
    for one in kept_networks(run, of):
        there = [split for split in splits if run.predictions_path(split, one).exists()]
        # Older code stored snapshots that do not say what chose them.
        chosen = choosing_splits(run, one.tag)
        predictions = {split: run.predictions(split, one).with_choice(chosen) for split in there}
        found.append(Member(f"{name}:{one.tag}", run.weights_path(one.tag), predictions, class_names, source))
    return found
