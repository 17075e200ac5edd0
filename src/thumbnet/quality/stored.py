"""Duplicates that were found once, kept in the user's cache by the fingerprint of their data."""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from thumbnet.arrays import read_arrays
from thumbnet.errors import DataError, reason_of
from thumbnet.files import atomic_file, cache_folder, storage_errors
from thumbnet.packed import PackedDataset
from thumbnet.quality.duplicates import Duplicates, find_duplicates
from thumbnet.watch import Watch, silent

VERSION = 2
"""Of the search and of the file: raised when either changes, so that older files are not read."""

_ARRAYS = ("first_split", "first", "second_split", "second", "agreement", "identical")


def duplicates_path(dataset: PackedDataset, cache: Path | None = None) -> Path:
    """Return the file for the duplicates of `dataset`.

    It is in `duplicates` in `cache` where that is given, else in `$THUMBNET_CACHE`, else in the user's cache folder.
    """
    return (cache or cache_folder()) / "duplicates" / f"{dataset.fingerprint[:32]}-{VERSION}.npz"


def stored_duplicates(dataset: PackedDataset, cache: Path | None = None) -> Duplicates | None:
    """Return the duplicates that were found in `dataset` before; `None` where none are at hand.

    So it is where none were searched, and where they lie in a cache that one may not enter.

    Raises:
        DataError: the file is damaged or of other data.
    """
    path = duplicates_path(dataset, cache)
    with contextlib.suppress(PermissionError):
        if path.exists():
            return _load(path, dataset)
    return None


def ensure_duplicates(dataset: PackedDataset, cache: Path | None = None, watch: Watch = silent) -> Duplicates:
    """Return the duplicates in `dataset`, searched and stored where they are not yet.

    Raises:
        DataError: the packed data or the stored file is damaged.
        StorageError: they cannot be stored.
    """
    found = stored_duplicates(dataset, cache)
    if found is not None:
        return found
    path = duplicates_path(dataset, cache)
    with storage_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    found = find_duplicates(dataset, watch)
    with atomic_file(path) as handle:
        np.savez_compressed(handle, **{**dataclasses.asdict(found), "splits": np.array(found.splits, dtype=np.str_)})
    return found


def _load(path: Path, dataset: PackedDataset) -> Duplicates:
    try:
        values = read_arrays(path)
        found = Duplicates(
            fingerprint=str(values["fingerprint"].item()),
            splits=tuple(str(one) for one in values["splits"].tolist()),
            threshold=float(values["threshold"]),
            radius=int(values["radius"]),
            random_pairs=int(values["random_pairs"]),
            **{name: values[name] for name in _ARRAYS},
        )
        _check(found, dataset)
    except (OSError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{path}: the stored duplicates are damaged or of other data ({reason_of(error)}); "
            "delete this file, then go on"
        ) from error
    return found


def _check(found: Duplicates, dataset: PackedDataset) -> None:
    """Raise a `ValueError` where the arrays do not fit together or the data."""
    kinds: dict[str, Any] = dict.fromkeys(_ARRAYS, np.int64) | {"agreement": np.float32, "identical": np.bool_}
    for name, kind in kinds.items():
        array = getattr(found, name)
        if array.dtype != kind or array.shape != (len(found.first),):
            raise ValueError(f"{name} is {array.dtype} of the shape {array.shape}")
    if found.fingerprint != dataset.fingerprint or found.splits != dataset.split_names:
        raise ValueError("other data")
    counts = np.array(list(dataset.counts.values()))
    for splits, rows in ((found.first_split, found.first), (found.second_split, found.second)):
        if len(rows) and (splits.min() < 0 or splits.max() >= len(counts) or rows.min() < 0):
            raise ValueError("a pair is out of range")
        if (rows >= counts[splits]).any():
            raise ValueError("a pair is out of range")
