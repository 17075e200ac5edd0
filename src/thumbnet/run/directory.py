"""Run directories: made, opened, read and kept from two writers at once."""

import contextlib
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self, cast

from thumbnet import recipe as recipes
from thumbnet.errors import PredictionError, RecipeError, RunError, StorageError
from thumbnet.files import (
    atomic_folder,
    is_file,
    is_folder,
    locked,
    read_json,
    remove_unfinished,
    storage_errors,
    write_json,
)
from thumbnet.predictions import Predictions
from thumbnet.recipe import Recipe
from thumbnet.run.places import (
    ANALYSIS,
    CHECKPOINTS,
    DATA,
    ENVIRONMENT,
    FILTERS,
    FOLDERS,
    LOCK,
    PREDICTIONS,
    RECIPE,
    RESULT,
    STATUS,
    KeptEpoch,
    Places,
    Snapshot,
)

State = Literal["running", "interrupted", "failed", "complete"]


@dataclass(frozen=True)
class RunDirectory(Places):
    """The folder of one training run. Make one with `create` or `open`."""

    @classmethod
    def create(
        cls,
        path: Path,
        recipe: Recipe,
        data: Mapping[str, Any],
        environment: Mapping[str, Any],
        command: str,
        *,
        fill: Callable[[Self], None] | None = None,
    ) -> Self:
        """Make the run directory `path` whole, or not at all, also where the process is killed.

        Args:
            path: a folder that does not exist yet.
            recipe: everything that decides the run.
            data: `name`, `path`, `fingerprint`, `image_size` (pixels), `classes` (a list of `{id, name}`, in label
                order) and `counts` (images by split).
            environment: as `thumbnet.environment.describe` gives it.
            command: the command line that started the run.
            fill: writes what else the run directory holds from its first moment; what it raises leaves nothing.

        Raises:
            StorageError: `path` exists, the place cannot be written, or another process is making this run directory.
        """
        with atomic_folder(path) as folder:
            for name in (CHECKPOINTS, FILTERS, PREDICTIONS):
                (folder / name).mkdir()
            write_json(folder / RECIPE, recipes.to_json(recipe))
            write_json(folder / DATA, dict(data))
            write_json(folder / ENVIRONMENT, {"sessions": [_session(environment, command)]})
            write_json(folder / STATUS, {"state": "running", "step": 0, "total_steps": None, "message": "created"})
            if fill is not None:
                fill(cls(folder))
        return cls(path)

    @classmethod
    def is_at(cls, path: Path) -> bool:
        """Return whether a run directory, whole or damaged, lies at `path`.

        Raises:
            StorageError: the place may not be entered.
        """
        return is_file(path / RECIPE)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return the run directory `path`.

        Raises:
            RunError: there is no such folder, or it is not a run directory.
            StorageError: the place may not be entered.
        """
        if not is_folder(path):
            raise RunError(
                f"{path}: no such run directory; check the path, or start a run with: thumbnet train RECIPE"
            )
        for name in (RECIPE, DATA, ENVIRONMENT, STATUS):
            if not is_file(path / name):
                raise RunError(f"{path}: not a run directory ({name} is missing); give the folder of a run")
        return cls(path)

    @classmethod
    def behind(cls, path: Path) -> Self | None:
        """Return the run that `path` names as its folder or as a file of its weights; `None` for any other file.

        Raises:
            RunError: a folder that is no run, or a run that is damaged.
            StorageError: the place may not be entered.
        """
        found = cls.weights_behind(path)
        return None if found is None else found[0]

    @classmethod
    def weights_behind(cls, path: Path) -> tuple[Self, str] | None:
        """Return the same with what the run calls these weights: of a folder its 'last', of a file such as 'best'.

        Raises:
            RunError: a folder that is no run, or a run that is damaged.
            StorageError: the place may not be entered.
        """
        if is_folder(path):
            return cls.open(path), "last"
        for file in (path.absolute(), path.resolve()):
            if file.parent.name == CHECKPOINTS and cls.is_at(file.parent.parent):
                return cls.open(file.parent.parent), file.stem
        return None

    def recipe(self) -> Recipe:
        """Return the recipe, fully resolved.

        Raises:
            RunError: the file is damaged or of another version.
        """
        try:
            return recipes.from_json(self._read(RECIPE))
        except RecipeError as error:
            raise RunError(f"{self.path / RECIPE}: {error}; the file is damaged or of another version") from error

    def data(self) -> dict[str, Any]:
        """Return the data set's description (see `create`).

        Raises:
            RunError: the file is damaged.
        """
        data = self._read(DATA)
        if not {"name", "path", "fingerprint", "image_size", "classes", "counts"} <= data.keys():
            raise RunError(f"{self.path / DATA}: a field is missing; the file is damaged, train again")
        return data

    def class_ids(self) -> tuple[str, ...]:
        """Return the ids of the classes, in label order.

        Raises:
            RunError: the file is damaged.
        """
        return tuple(info["id"] for info in self.data()["classes"])

    def sessions(self) -> list[dict[str, Any]]:
        """Return each session's environment with its `command` and `started` (ISO 8601, UTC), in order of time.

        Raises:
            RunError: the file is damaged.
        """
        sessions = self._read(ENVIRONMENT).get("sessions")
        if not isinstance(sessions, list) or not sessions or not all(isinstance(one, dict) for one in sessions):
            raise RunError(f"{self.path / ENVIRONMENT}: holds no sessions; the file is damaged, train again")
        return sessions

    def add_session(self, environment: Mapping[str, Any], command: str) -> None:
        """Record that the run goes on in `environment`, by `command`, from now."""
        write_json(self.path / ENVIRONMENT, {"sessions": [*self.sessions(), _session(environment, command)]})

    def status(self) -> dict[str, Any]:
        """Return `state`, `step`, `total_steps` (`None` before training begins) and `message`, as last written.

        A run that was killed keeps the state 'running'.
        """
        status = self._read(STATUS)
        if not {"state", "step", "total_steps", "message"} <= status.keys():
            raise RunError(f"{self.path / STATUS}: a field is missing; the file is damaged, train again")
        return status

    def write_status(self, state: State, step: int, total_steps: int, message: str = "") -> None:
        """Record how far the run is, in optimiser steps."""
        write_json(self.path / STATUS, {"state": state, "step": step, "total_steps": total_steps, "message": message})

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
        """Keep other processes from training in this run directory, or adding to it, until the block ends.

        The lock goes with the process that holds it. What a killed writer left half-written is removed.

        Raises:
            RunError: another process holds it.
        """
        in_use = RunError(f"run {self.path} is in use by another process; wait until that one ends")
        with locked(self.path / LOCK, in_use):
            for folder in (self.path, *(self.path / name for name in FOLDERS)):
                remove_unfinished(folder)
            yield

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots that are kept, in order of their steps.

        While a run trains, or after it was killed, one that no checkpoint knows of yet may be among them.

        Raises:
            RunError: the recipe or the metrics are damaged.
        """
        steps, key = set(self.snapshot_steps()), f"{self.recipe().selected_on}_top1"
        rows = (row for row in self.metrics.read() if row.get("step") in steps and key in row) if steps else ()
        return [Snapshot(row["step"], row["epoch"], row[key]) for row in rows]

    def predictions(self, split: str, kept: Snapshot | KeptEpoch | None = None, *, views: bool = False) -> Predictions:
        """Return the stored predictions for `split`; the arguments are those of `predictions_path`.

        Raises:
            RunError: none are stored, or they are damaged.
        """
        try:
            return Predictions.load(self.predictions_path(split, kept, views=views))
        except PredictionError as error:
            raise RunError(
                f"run {self.path}: its stored predictions for {split!r} are missing or damaged; have the network "
                f"compute them with --data {shlex.quote(str(self.data()['path']))}, or train again"
            ) from error

    def make_analysis_folder(self) -> None:
        """Make the folder of the analyses where it is not there yet.

        Raises:
            StorageError: the run directory cannot be written.
        """
        with storage_errors(self.path / ANALYSIS):
            (self.path / ANALYSIS).mkdir(exist_ok=True)

    def result(self) -> dict[str, Any]:
        """Return the run's result, as `write_result` was given it.

        Raises:
            RunError: there is none yet, or the file is damaged.
        """
        if not (self.path / RESULT).exists():
            self.require_complete()
        return self._read(RESULT)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Store the run's result, as JSON data."""
        write_json(self.path / RESULT, dict(result))

    def _read(self, name: str) -> dict[str, Any]:
        try:
            value = read_json(self.path / name)
        except StorageError as error:
            raise RunError(str(error)) from error
        if not isinstance(value, dict):
            raise RunError(f"{self.path / name}: not an object with named fields; the file is damaged, train again")
        return cast(dict[str, Any], value)


def _session(environment: Mapping[str, Any], command: str) -> dict[str, Any]:
    return {**environment, "command": command, "started": datetime.now(UTC).isoformat(timespec="seconds")}
