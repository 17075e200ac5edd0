"""The folder of an ensemble: its predictions for each split, and how it was made. Only this module knows its names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from thumbnet.errors import PredictionError, StorageError
from thumbnet.files import atomic_folder, is_file, read_json, write_json
from thumbnet.predictions import Predictions, is_split

_ABOUT, _PREDICTIONS = "ensemble.json", "predictions"


@dataclass(frozen=True)
class EnsembleFolder:
    """The folder of one ensemble. Make one with `create` or `open`."""

    path: Path

    @classmethod
    def create(cls, path: Path, about: Mapping[str, Any], predictions: Mapping[str, Predictions]) -> Self:
        """Make the folder `path` whole, or not at all.

        Args:
            path: a folder that does not exist yet.
            about: what is averaged (`over`), the `members` (`name`, `path`, `count` and `provenance` of each), how
                they were chosen, the `classes` (a list of `{id, name}`) and the `command`, as JSON data.
            predictions: the ensemble's, by split.

        Raises:
            StorageError: `path` exists, or the place cannot be written.
        """
        with atomic_folder(path) as folder:
            (folder / _PREDICTIONS).mkdir()
            for split, one in predictions.items():
                one.save(folder / _PREDICTIONS / f"{split}.npz")
            write_json(folder / _ABOUT, dict(about))
        return cls(path)

    @classmethod
    def is_at(cls, path: Path) -> bool:
        """Return whether `path` is the folder of an ensemble.

        Raises:
            StorageError: the place may not be entered.
        """
        return is_file(path / _ABOUT)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return the ensemble in the folder `path`.

        Raises:
            PredictionError: it is none.
        """
        if not cls.is_at(path):
            raise PredictionError(f"{path}: not the folder of an ensemble ({_ABOUT} is missing); check the path")
        return cls(path)

    def about(self) -> dict[str, Any]:
        """Return how the ensemble was made (see `create`).

        Raises:
            PredictionError: the file is damaged.
        """
        try:
            about = read_json(self.path / _ABOUT)
        except StorageError as error:
            raise PredictionError(str(error)) from error
        if not isinstance(about, dict) or not {"over", "members", "classes"} <= about.keys():
            raise PredictionError(f"{self.path / _ABOUT}: a field is missing; make the ensemble again")
        return about

    def splits(self) -> list[str]:
        """Return the names of the splits that it has predictions for."""
        return sorted(file.stem for file in (self.path / _PREDICTIONS).glob("*.npz"))

    def predictions(self, split: str) -> Predictions:
        """Return the ensemble's predictions for `split`.

        Raises:
            PredictionError: there are none, or the file is damaged.
        """
        if not is_split(split) or split not in self.splits():
            have = ", ".join(self.splits()) or "none"
            raise PredictionError(
                f"ensemble {self.path}: no predictions for {split!r}; it has {have}, the splits that its members share"
            )
        return Predictions.load(self.path / _PREDICTIONS / f"{split}.npz")
