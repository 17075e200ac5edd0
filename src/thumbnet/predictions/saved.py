"""Predictions of one split, in memory and in a file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.arrays import read_arrays
from thumbnet.errors import PredictionError
from thumbnet.files import atomic_file

_KEYS = ("split", "image_ids", "logits", "labels", "classes", "provenance")
_REMEDY = "thumbnet predict RUN --split SPLIT --out FILE.npz"


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one network says about every image of a split.

    Args:
        split: name of the split ('holdout', 'val', 'test').
        image_ids: N names of images, all different, in the order of the rows.
        logits: f32[N,K], unnormalised log-probabilities.
        labels: i64[N], class indices, -1 where unknown.
        classes: K class ids, all different, in the order of the columns.
        provenance: where the predictions come from, as JSON data.

    Raises:
        PredictionError: types or shapes that do not agree, an id given twice, or a label that is no class.
    """

    split: str
    image_ids: tuple[str, ...]
    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    provenance: Mapping[str, Any]

    def __post_init__(self) -> None:
        images, classes = len(self.image_ids), len(self.classes)
        _check_array("logits", self.logits, np.dtype(np.float32), (images, classes))
        _check_array("labels", self.labels, np.dtype(np.int64), (images,))
        _check_ids("image_ids", self.image_ids)
        _check_ids("classes", self.classes)
        if images and (self.labels.min() < -1 or self.labels.max() >= classes):
            raise PredictionError(
                f"predictions: labels range from {self.labels.min()} to {self.labels.max()}, "
                f"not in -1 to {classes - 1}; use class indices, -1 for unknown"
            )

    def with_choice(self, splits: Sequence[str]) -> Self:
        """Return these predictions with the `splits` whose images chose their network stated, if any did."""
        return replace(self, provenance={**self.provenance, "selected_on": list(splits)}) if splits else self

    def save(self, path: Path) -> None:
        """Write the predictions to `path` in numpy's npz format, atomically, without pickle.

        Raises:
            StorageError: the place cannot be written or the disk is full.
        """
        with atomic_file(path) as handle:
            np.savez(
                handle,
                split=np.array(self.split, dtype=np.str_),
                image_ids=np.array(self.image_ids, dtype=np.str_),
                logits=self.logits,
                labels=self.labels,
                classes=np.array(self.classes, dtype=np.str_),
                provenance=np.array(json.dumps(dict(self.provenance)), dtype=np.str_),
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the predictions in the file `path`.

        Raises:
            PredictionError: the file is missing, damaged, holds pickled objects, or its arrays do not fit together.
        """
        arrays = _read_arrays(path)
        try:
            return cls(
                split=_text(arrays, "split"),
                image_ids=_texts(arrays, "image_ids"),
                logits=arrays["logits"],
                labels=arrays["labels"],
                classes=_texts(arrays, "classes"),
                provenance=_provenance(arrays),
            )
        except PredictionError as error:
            raise PredictionError(f"{path}: {error}") from error

    def probabilities(self) -> NDArray[np.float64]:
        """Return the class probabilities, f64[N,K].

        Raises:
            PredictionError: there are no images, or a logit is not finite.
        """
        return metrics.softmax(self.logits)

    def predicted(self) -> NDArray[np.int64]:
        """Return the index of the highest logit of each image, i64[N]; of equal ones the lowest index."""
        return np.asarray(np.argmax(self.logits, axis=1), dtype=np.int64)

    def scores(self) -> metrics.Scores:
        """Return accuracy, likelihood and calibration error.

        Raises:
            PredictionError: there are no images, a label is unknown, or a logit is not finite.
        """
        try:
            return metrics.score(self.logits, self.labels)
        except PredictionError as error:
            raise PredictionError(f"predictions for {self.split!r}: {error}") from error


def _check_array(name: str, array: NDArray[Any], dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    if array.dtype != dtype:
        raise PredictionError(f"predictions: {name} are {array.dtype}, not {dtype}; convert them first")
    if array.shape != shape:
        raise PredictionError(
            f"predictions: {name} have the shape {array.shape}, but the ids ask for {shape}; "
            "give one row an image and one column a class"
        )


def _check_ids(name: str, ids: tuple[str, ...]) -> None:
    if len(set(ids)) != len(ids):
        twice = next(one for i, one in enumerate(ids) if one in ids[:i])
        raise PredictionError(f"predictions: {name} hold {twice!r} twice; every id must be unique")
    # numpy drops NUL characters at the end of a text.
    if any("\0" in one for one in ids):
        raise PredictionError(f"predictions: {name} hold a NUL character; rename the image or class")


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        arrays = read_arrays(path)
    except FileNotFoundError as error:
        raise PredictionError(f"{path}: no such file; check the path, or make predictions with: {_REMEDY}") from error
    except PermissionError as error:
        raise PredictionError(f"{path}: permission denied; choose a file that you may read") from error
    except ValueError as error:
        raise PredictionError(
            f"{path}: not saved predictions, or damaged ({error}); make them again with: {_REMEDY}"
        ) from error
    missing = [key for key in _KEYS if key not in arrays]
    if missing:
        raise PredictionError(f"{path}: no predictions in this file ({missing[0]!r} is missing); check the path")
    return arrays


def _texts(arrays: Mapping[str, NDArray[Any]], key: str) -> tuple[str, ...]:
    array = arrays[key]
    if array.dtype.kind != "U" or array.ndim != 1:
        raise PredictionError(f"predictions: {key} are not a list of texts; the file is damaged or not ours")
    return tuple(array.tolist())


def _text(arrays: Mapping[str, NDArray[Any]], key: str) -> str:
    array = arrays[key]
    if array.dtype.kind != "U" or array.ndim != 0:
        raise PredictionError(f"predictions: {key} is not a text; the file is damaged or not ours")
    return str(array.item())


def _provenance(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    try:
        value = json.loads(_text(arrays, "provenance"))
    except ValueError as error:
        raise PredictionError("predictions: provenance is not JSON; the file is damaged or not ours") from error
    if not isinstance(value, dict):
        raise PredictionError("predictions: provenance is not an object; the file is damaged or not ours")
    return value
