"""Run directories: the only module that knows the names of the files in one."""

import contextlib
import errno
import json
import math
import os
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self, cast

from filelock import FileLock, Timeout

from thumbnet import recipe as recipes
from thumbnet.errors import RecipeError, RunError, StorageError
from thumbnet.files import atomic_file, atomic_folder, read_json, storage_errors, write_json
from thumbnet.recipe import Recipe

State = Literal["running", "interrupted", "failed", "complete"]

_RECIPE, _DATA, _ENVIRONMENT, _STATUS = "recipe.json", "data.json", "environment.json", "status.json"
_RESULT, _METRICS, _LOCK = "result.json", "metrics.jsonl", ".lock"
_REPORT, _COMPARISON = "report.html", "comparison.html"
_CHECKPOINTS, _FILTERS, _PREDICTIONS, _TENSORBOARD = "checkpoints", "filters", "predictions", "tensorboard"
_ANALYSIS = "analysis"
_FOLDERS = (_CHECKPOINTS, _FILTERS, _PREDICTIONS, _ANALYSIS)
_EPOCH_TAG = re.compile(r"epoch-\d{4,}")
_SNAPSHOT_TAG = re.compile(r"snapshot-(\d{7,})")
_SPLIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


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


def snapshot_tag(step: int) -> str:
    """Return the tag of the snapshot taken after `step` optimiser steps: 'snapshot-0001234'."""
    return f"snapshot-{step:07d}"


@dataclass(frozen=True)
class RunDirectory:
    """The folder of one training run. Make one with `create` or `open`."""

    path: Path

    @classmethod
    def create(
        cls,
        path: Path,
        recipe: Recipe,
        data: Mapping[str, Any],
        environment: Mapping[str, Any],
        command: str,
    ) -> Self:
        """Make the run directory `path` whole, or not at all.

        Args:
            path: a folder that does not exist yet.
            recipe: everything that decides the run.
            data: `name`, `path`, `fingerprint`, `image_size` (pixels), `classes` (a list of `{id, name}`, in label
                order) and `counts` (images by split).
            environment: as `thumbnet.environment.describe` gives it.
            command: the command line that started the run.

        Raises:
            RunError: `path` exists.
            StorageError: the place cannot be written, or another process is making this run directory.
        """
        with cls.making(path, recipe, data, environment, command):
            pass
        return cls(path)

    @classmethod
    @contextlib.contextmanager
    def making(
        cls,
        path: Path,
        recipe: Recipe,
        data: Mapping[str, Any],
        environment: Mapping[str, Any],
        command: str,
    ) -> Iterator[Self]:
        """Yield a run directory that becomes `path`, with what the block wrote, when the block ends well.

        Nothing is left where it does not, or where the process is killed. Arguments and errors are those of `create`.
        """
        if path.exists() or path.is_symlink():
            raise RunError(f"{path}: exists already and is never overwritten; choose another folder with --out")
        with atomic_folder(path) as folder:
            for name in (_CHECKPOINTS, _FILTERS, _PREDICTIONS):
                (folder / name).mkdir()
            write_json(folder / _RECIPE, recipes.to_json(recipe))
            write_json(folder / _DATA, dict(data))
            write_json(folder / _ENVIRONMENT, {"sessions": [_session(environment, command)]})
            write_json(folder / _STATUS, {"state": "running", "step": 0, "total_steps": None, "message": "created"})
            yield cls(folder)

    @classmethod
    def is_at(cls, path: Path) -> bool:
        """Return whether a run directory, whole or damaged, lies at `path`."""
        return (path / _RECIPE).is_file()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return the run directory `path`.

        Raises:
            RunError: there is no such folder, or it is not a run directory.
        """
        if not path.is_dir():
            raise RunError(
                f"{path}: no such run directory; check the path, or start a run with: thumbnet train RECIPE"
            )
        for name in (_RECIPE, _DATA, _ENVIRONMENT, _STATUS):
            if not (path / name).is_file():
                raise RunError(f"{path}: not a run directory ({name} is missing); give the folder of a run")
        return cls(path)

    def recipe(self) -> Recipe:
        """Return the recipe, fully resolved.

        Raises:
            RunError: the file is damaged or of another version.
        """
        try:
            return recipes.from_json(self._read(_RECIPE))
        except RecipeError as error:
            raise RunError(f"{self.path / _RECIPE}: {error}; the file is damaged or of another version") from error

    def data(self) -> dict[str, Any]:
        """Return the data set's description (see `create`).

        Raises:
            RunError: the file is damaged.
        """
        data = self._read(_DATA)
        if not {"name", "path", "fingerprint", "image_size", "classes", "counts"} <= data.keys():
            raise RunError(f"{self.path / _DATA}: a field is missing; the file is damaged, train again")
        return data

    def sessions(self) -> list[dict[str, Any]]:
        """Return each session's environment with its `command` and `started` (ISO 8601, UTC), in order of time.

        Raises:
            RunError: the file is damaged.
        """
        sessions = self._read(_ENVIRONMENT).get("sessions")
        if not isinstance(sessions, list) or not sessions or not all(isinstance(one, dict) for one in sessions):
            raise RunError(f"{self.path / _ENVIRONMENT}: holds no sessions; the file is damaged, train again")
        return sessions

    def add_session(self, environment: Mapping[str, Any], command: str) -> None:
        """Record that the run goes on in `environment`, by `command`, from now."""
        write_json(self.path / _ENVIRONMENT, {"sessions": [*self.sessions(), _session(environment, command)]})

    def status(self) -> dict[str, Any]:
        """Return `state`, `step`, `total_steps` (`None` before training begins) and `message`, as last written.

        A run that was killed keeps the state 'running'.
        """
        status = self._read(_STATUS)
        if not {"state", "step", "total_steps", "message"} <= status.keys():
            raise RunError(f"{self.path / _STATUS}: a field is missing; the file is damaged, train again")
        return status

    def write_status(self, state: State, step: int, total_steps: int, message: str = "") -> None:
        """Record how far the run is, in optimiser steps."""
        write_json(self.path / _STATUS, {"state": state, "step": step, "total_steps": total_steps, "message": message})

    @property
    def is_complete(self) -> bool:
        """Whether training has reached its end and everything is written."""
        return bool(self.status()["state"] == "complete")

    def require_complete(self) -> None:
        """Check that the run is complete.

        Raises:
            RunError: it is not; the message says how far it is and how to finish it.
        """
        status = self.status()
        if status["state"] != "complete":
            total = "" if status["total_steps"] is None else f" of {status['total_steps']}"
            raise RunError(
                f"run {self.path} is unfinished (step {status['step']}{total}); "
                f"finish it with: thumbnet resume {shlex.quote(str(self.path))}"
            )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from training in this run directory until the block ends.

        The lock goes with the process that holds it. What a killed writer left half-written is removed.

        Raises:
            RunError: another process holds it.
        """
        lock = FileLock(self.path / _LOCK, timeout=0)
        with storage_errors(self.path / _LOCK):
            try:
                lock.acquire()
            except Timeout as error:
                raise RunError(f"run {self.path} is in use by another process; wait until that one ends") from error
        try:
            self._remove_leftovers()
            yield
        finally:
            lock.release()

    @property
    def metrics_path(self) -> Path:
        """File of JSON lines, one measurement each."""
        return self.path / _METRICS

    @property
    def state_path(self) -> Path:
        """Checkpoint from which training resumes."""
        return self.path / _CHECKPOINTS / "state.pt"

    @property
    def recipe_path(self) -> Path:
        """The resolved recipe, which `thumbnet train` takes in place of a name."""
        return self.path / _RECIPE

    @property
    def report_path(self) -> Path:
        """The page of the run's report, beside which its figures lie."""
        return self.path / _REPORT

    @property
    def comparison_path(self) -> Path:
        """The page that compares the run with others, unless they name another place."""
        return self.path / _COMPARISON

    @property
    def tensorboard_path(self) -> Path:
        """Folder of TensorBoard's event files."""
        return self.path / _TENSORBOARD

    def weights_path(self, tag: str) -> Path:
        """Return the file of the weights called `tag`.

        Args:
            tag: 'first', 'last', 'best', or as `epoch_tag` and `snapshot_tag` give it.

        Raises:
            RunError: `tag` has another form.
        """
        if not _SNAPSHOT_TAG.fullmatch(tag):
            _check_tag(tag, ("first", "last", "best"), f", or a snapshot such as {snapshot_tag(1200)}")
        return self.path / _CHECKPOINTS / f"{tag}.pt"

    def weights_tags(self) -> list[str]:
        """Return the tags of the weights that are stored: first, epochs and snapshots in order, best, last."""
        tags = {file.stem for file in (self.path / _CHECKPOINTS).glob("*.pt")}
        numbered = sorted((tag for tag in tags if _EPOCH_TAG.fullmatch(tag)), key=lambda tag: int(tag[6:]))
        snapshots = [snapshot_tag(step) for step in self._snapshot_steps()]
        return [tag for tag in ("first", *numbered, *snapshots, "best", "last") if tag in tags]

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots that are kept, in order of their steps.

        While a run trains, or after it was killed, one that no checkpoint knows of yet may be among them.

        Raises:
            RunError: the recipe or the metrics are damaged.
        """
        steps, key = set(self._snapshot_steps()), f"{self.recipe().selected_on}_top1"
        rows = (row for row in self.read_metrics() if row.get("step") in steps and key in row) if steps else ()
        return [Snapshot(row["step"], row["epoch"], row[key]) for row in rows]

    def keep_snapshots(self, steps: Collection[int]) -> None:
        """Remove the weights and predictions of every snapshot but those taken after `steps`."""
        tags = {snapshot_tag(step) for step in steps}
        with storage_errors(self.path):
            for folder in (_CHECKPOINTS, _PREDICTIONS):
                for file in (self.path / folder).glob("snapshot-*"):
                    if file.stem.partition(".")[0] not in tags:
                        file.unlink(missing_ok=True)

    def _snapshot_steps(self) -> list[int]:
        found = (_SNAPSHOT_TAG.fullmatch(file.stem) for file in (self.path / _CHECKPOINTS).glob("snapshot-*.pt"))
        return sorted(int(match[1]) for match in found if match is not None)

    def filters_path(self, tag: str) -> Path:
        """Return the file of first-layer filters called `tag`: 'initial', 'last' or as `epoch_tag` gives it.

        Raises:
            RunError: `tag` has another form.
        """
        _check_tag(tag, ("initial", "last"))
        return self.path / _FILTERS / f"{tag}.npy"

    def predictions_path(self, split: str, snapshot: Snapshot | None = None, *, views: bool = False) -> Path:
        """Return the file of predictions for `split`: the last weights', or those of `snapshot`.

        With `views`, those of the last weights with the test-time views that the recipe names.

        Raises:
            RunError: `split` is no plain name.
        """
        if not _SPLIT.fullmatch(split):
            raise RunError(f"split {split!r} is not a plain name; use 'holdout', 'val' or 'test'")
        kind = "views." if views else "" if snapshot is None else f"{snapshot.tag}."
        return self.path / _PREDICTIONS / f"{kind}{split}.npz"

    def filters_tags(self) -> list[str]:
        """Return the tags of the first-layer filters that are stored: initial, epochs in order, last."""
        tags = {file.stem for file in (self.path / _FILTERS).glob("*.npy")}
        numbered = sorted((tag for tag in tags if _EPOCH_TAG.fullmatch(tag)), key=lambda tag: int(tag[6:]))
        return [tag for tag in ("initial", *numbered, "last") if tag in tags]

    def analysis_path(self, part: str) -> Path:
        """Return the file of an analysis: of its part that is called `part`.

        Raises:
            RunError: `part` is no plain name.
        """
        if not _SPLIT.fullmatch(part):
            raise RunError(f"analysis {part!r} is not a plain name; see docs/analysis.md for what there is")
        return self.path / _ANALYSIS / f"{part}.npz"

    def make_analysis_folder(self) -> None:
        """Make the folder of the analyses where it is not there yet.

        Raises:
            StorageError: the run directory cannot be written.
        """
        with storage_errors(self.path / _ANALYSIS):
            (self.path / _ANALYSIS).mkdir(exist_ok=True)

    def result(self) -> dict[str, Any]:
        """Return the run's result, as `write_result` was given it.

        Raises:
            RunError: there is none yet, or the file is damaged.
        """
        if not (self.path / _RESULT).exists():
            self.require_complete()
        return self._read(_RESULT)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Store the run's result, as JSON data."""
        write_json(self.path / _RESULT, dict(result))

    def append_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append `rows` to the metrics, each a JSON object on its line, in one write.

        A number that is not finite is stored as null, for JSON has no such number. Durable only after `sync_metrics`.

        Raises:
            StorageError: the disk is full or the place cannot be written; no part of `rows` is left then.
        """
        block = "".join(json.dumps(_finite(row), allow_nan=False) + "\n" for row in rows).encode()
        with storage_errors(self.metrics_path):
            descriptor = os.open(self.metrics_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                before = os.fstat(descriptor).st_size
                if os.write(descriptor, block) != len(block):
                    os.ftruncate(descriptor, before)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.metrics_path))
            finally:
                os.close(descriptor)

    def sync_metrics(self) -> None:
        """Flush the metrics down to the disk."""
        with storage_errors(self.metrics_path):
            descriptor = os.open(self.metrics_path, os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return all rows of the metrics, in order.

        A last line without its newline is what a killed writer leaves, and is not read.

        Raises:
            RunError: another line is damaged; the message names it.
        """
        return [row for _, row in self._metric_lines()]

    def truncate_metrics(self, step: int) -> None:
        """Drop every row whose `step` is greater than `step`, and a torn last line, atomically.

        Raises:
            RunError: a line is damaged; the message names it.
        """
        if not self.metrics_path.exists():
            return
        lines = self._metric_lines()
        kept = b"".join(line + b"\n" for line, row in lines if row.get("step", 0) <= step)
        with atomic_file(self.metrics_path) as handle:
            handle.write(kept)

    def _metric_lines(self) -> list[tuple[bytes, dict[str, Any]]]:
        if not self.metrics_path.exists():
            return []
        with storage_errors(self.metrics_path):
            lines = self.metrics_path.read_bytes().split(b"\n")[:-1]
        return [(line, self._metric_row(line, number)) for number, line in enumerate(lines, start=1)]

    def _metric_row(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("step", 0), int):
            raise RunError(
                f"{self.metrics_path}, line {number}: not a row of metrics; the file is damaged, train again"
            )
        return row

    def _read(self, name: str) -> dict[str, Any]:
        try:
            value = read_json(self.path / name)
        except StorageError as error:
            raise RunError(str(error)) from error
        if not isinstance(value, dict):
            raise RunError(f"{self.path / name}: not an object with named fields; the file is damaged, train again")
        return cast(dict[str, Any], value)

    def _remove_leftovers(self) -> None:
        for folder in (self.path, *(self.path / name for name in _FOLDERS)):
            for leftover in folder.glob(".*.tmp"):
                leftover.unlink(missing_ok=True)


def _session(environment: Mapping[str, Any], command: str) -> dict[str, Any]:
    return {**environment, "command": command, "started": datetime.now(UTC).isoformat(timespec="seconds")}


def _check_tag(tag: str, names: tuple[str, ...], others: str = "") -> None:
    if tag not in names and not _EPOCH_TAG.fullmatch(tag):
        raise RunError(f"tag {tag!r} is unknown; use {', '.join(names)}, an epoch such as {epoch_tag(7)}{others}")


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()
    }
