"""Where things lie in a run directory: the names of its files, and tags of weights and filters."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from thumbnet.errors import RunError
from thumbnet.files import storage_errors
from thumbnet.predictions import is_split
from thumbnet.run.metrics import MetricsFile

RECIPE, DATA, ENVIRONMENT, STATUS = "recipe.json", "data.json", "environment.json", "status.json"
RESULT, METRICS, LOCK = "result.json", "metrics.jsonl", ".lock"
REPORT, COMPARISON = "report.html", "comparison.html"
CHECKPOINTS, FILTERS, PREDICTIONS, TENSORBOARD = "checkpoints", "filters", "predictions", "tensorboard"
ANALYSIS = "analysis"
FOLDERS = (CHECKPOINTS, FILTERS, PREDICTIONS, ANALYSIS)
_EPOCH_TAG = re.compile(r"epoch-\d{4,}")
_SNAPSHOT_TAG = re.compile(r"snapshot-(\d{7,})")


def epoch_tag(epoch: int) -> str:
    """Return the tag of the weights or filters at the end of `epoch` (the first is 1): 'epoch-0007'."""
    return f"epoch-{epoch:04d}"


@dataclass(frozen=True)
class Snapshot:
    """A network kept at a new best: the step it came after, the epochs done, and its top-1 on the selecting split."""

    step: int
    epoch: float
    top1: float

    @property
    def tag(self) -> str:
        """The tag of its weights and predictions."""
        return snapshot_tag(self.step)


@dataclass(frozen=True)
class KeptEpoch:
    """A network kept because the recipe asks for it at the end of `epoch` (the first is 1)."""

    epoch: int

    @property
    def tag(self) -> str:
        """The tag of its weights and predictions."""
        return epoch_tag(self.epoch)


def snapshot_tag(step: int) -> str:
    """Return the tag of the snapshot taken after `step` optimiser steps: 'snapshot-0001234'."""
    return f"snapshot-{step:07d}"


def is_selected(tag: str) -> bool:
    """Return whether the weights called `tag` were kept because an evaluation was the best so far."""
    return tag == "best" or _SNAPSHOT_TAG.fullmatch(tag) is not None


@dataclass(frozen=True)
class Places:
    """The files of the run directory `path`, whether they are there or not."""

    path: Path

    @property
    def metrics(self) -> MetricsFile:
        """What was measured, a row each."""
        return MetricsFile(self.path / METRICS)

    @property
    def state_path(self) -> Path:
        """Checkpoint from which training resumes."""
        return self.path / CHECKPOINTS / "state.pt"

    @property
    def recipe_path(self) -> Path:
        """The resolved recipe, which `thumbnet train` takes in place of a name."""
        return self.path / RECIPE

    @property
    def report_path(self) -> Path:
        """The page of the run's report, beside which its figures lie."""
        return self.path / REPORT

    @property
    def comparison_path(self) -> Path:
        """The page that compares the run with others, unless they name another place."""
        return self.path / COMPARISON

    @property
    def tensorboard_path(self) -> Path:
        """Folder of TensorBoard's event files."""
        return self.path / TENSORBOARD

    def weights_path(self, tag: str) -> Path:
        """Return the file of the weights called `tag`.

        Args:
            tag: 'first', 'last', 'best', or as `epoch_tag` and `snapshot_tag` give it.

        Raises:
            RunError: `tag` has another form.
        """
        if not _SNAPSHOT_TAG.fullmatch(tag):
            _check_tag(tag, ("first", "last", "best"), f", or a snapshot such as {snapshot_tag(1200)}")
        return self.path / CHECKPOINTS / f"{tag}.pt"

    def stored_weights(self, tag: str) -> Path:
        """Return the file of the weights called `tag`, which is there.

        Raises:
            RunError: `tag` has another form, or the run has no such weights; the message names those that it has.
        """
        file, there = self.weights_path(tag), self.weights_tags()
        if tag not in there:
            raise RunError(
                f"run {self.path}: has no weights {tag!r} (best is kept where selected_on names a split, epochs where "
                f"checkpointing.keep names them); use one that it has: {', '.join(there) or 'none yet'}"
            )
        return file

    def weights_tags(self) -> list[str]:
        """Return the tags of the weights that are stored: first, epochs and snapshots in order, best, last."""
        tags = {file.stem for file in (self.path / CHECKPOINTS).glob("*.pt")}
        snapshots = [snapshot_tag(step) for step in self.snapshot_steps()]
        return [tag for tag in ("first", *_epoch_tags(tags), *snapshots, "best", "last") if tag in tags]

    def keep_snapshots(self, steps: Collection[int]) -> None:
        """Remove the weights and predictions of every snapshot but those taken after `steps`."""
        tags = {snapshot_tag(step) for step in steps}
        with storage_errors(self.path):
            for folder in (CHECKPOINTS, PREDICTIONS):
                for file in (self.path / folder).glob("snapshot-*"):
                    if file.stem.partition(".")[0] not in tags:
                        file.unlink(missing_ok=True)

    def snapshot_steps(self) -> list[int]:
        """Return the steps after which the snapshots that are kept were taken, in order."""
        found = (_SNAPSHOT_TAG.fullmatch(file.stem) for file in (self.path / CHECKPOINTS).glob("snapshot-*.pt"))
        return sorted(int(match[1]) for match in found if match is not None)

    def kept_epochs(self) -> list[KeptEpoch]:
        """Return the epochs whose weights are kept, in order."""
        return [KeptEpoch(int(tag[6:])) for tag in self.weights_tags() if _EPOCH_TAG.fullmatch(tag)]

    def filters_path(self, tag: str) -> Path:
        """Return the file of first-layer filters called `tag`: 'initial', 'last' or as `epoch_tag` gives it.

        Raises:
            RunError: `tag` has another form.
        """
        _check_tag(tag, ("initial", "last"))
        return self.path / FILTERS / f"{tag}.npy"

    def predictions_path(self, split: str, kept: Snapshot | KeptEpoch | None = None, *, views: bool = False) -> Path:
        """Return the file of predictions for `split`: the last weights', or those of a network that is `kept`.

        With `views`, those of the last weights with the test-time views that the recipe names.

        Raises:
            RunError: `split` is no plain name.
        """
        if not is_split(split):
            raise RunError(f"split {split!r} is not a plain name; use 'holdout', 'val' or 'test'")
        kind = "views." if views else "" if kept is None else f"{kept.tag}."
        return self.path / PREDICTIONS / f"{kind}{split}.npz"

    def filters_tags(self) -> list[str]:
        """Return the tags of the first-layer filters that are stored: initial, epochs in order, last."""
        tags = {file.stem for file in (self.path / FILTERS).glob("*.npy")}
        return [tag for tag in ("initial", *_epoch_tags(tags), "last") if tag in tags]

    def analysis_path(self, part: str) -> Path:
        """Return the file of an analysis: of its part that is called `part`.

        Raises:
            RunError: `part` is no plain name.
        """
        if not is_split(part):
            raise RunError(f"analysis {part!r} is not a plain name; see docs/analysis.md for what there is")
        return self.path / ANALYSIS / f"{part}.npz"

    @property
    def impossible_path(self) -> Path:
        """The file that says which parts of an analysis are impossible for the run."""
        return self.path / ANALYSIS / "impossible.json"


def _epoch_tags(tags: Collection[str]) -> list[str]:
    return sorted((tag for tag in tags if _EPOCH_TAG.fullmatch(tag)), key=lambda tag: int(tag[6:]))


def _check_tag(tag: str, names: tuple[str, ...], others: str = "") -> None:
    if tag not in names and not _EPOCH_TAG.fullmatch(tag):
        raise RunError(f"tag {tag!r} is unknown; use {', '.join(names)}, an epoch such as {epoch_tag(7)}{others}")
