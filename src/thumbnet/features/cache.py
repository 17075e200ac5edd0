"""The place of cached features on this machine: where it is, what lies there, and how to remove it."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thumbnet.errors import DataError, StorageError
from thumbnet.features.entry import COMPLETE, read_description
from thumbnet.files import cache_folder, is_folder, lock_beside, locked, storage_errors

_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Stored:
    """One folder of cached features: its key, size in bytes, whether it is finished, and what it says it holds."""

    key: str
    bytes: int
    complete: bool
    description: dict[str, Any] | None


def features_folder(cache: Path | None) -> Path:
    """Return the folder of all cached features.

    It is `features` in `cache` where that is given, else in `$THUMBNET_CACHE`, else in the user's cache folder.
    """
    return (cache or cache_folder()) / "features"


def stored_features(folder: Path, keys: Sequence[str] = ()) -> list[Stored]:
    """Return what lies in `folder`, sorted by key; a folder that is damaged has no description.

    Args:
        folder: of all cached features.
        keys: only those whose keys begin with one of these; all without any.

    Raises:
        DataError: one of `keys` begins no key.
        StorageError: the folder cannot be read.
    """
    stored: list[Stored] = []
    if is_folder(folder):
        with storage_errors(folder):
            places = sorted(place for place in folder.iterdir() if _KEY.fullmatch(place.name) and place.is_dir())
            stored = [_stored(place) for place in places]
    for key in keys:
        if not any(one.key.startswith(key) for one in stored):
            raise DataError(f"{folder}: no features of key {key!r}; see what is there with: thumbnet features")
    return [one for one in stored if not keys or one.key.startswith(tuple(keys))]


def remove_features(folder: Path, keys: Sequence[str] = ()) -> list[Stored]:
    """Remove the features of these keys (or beginnings of keys) from `folder`, or all of them; return what went.

    Raises:
        DataError: a key names none.
        StorageError: another process is writing some of them, or they cannot be removed; the others are gone then.
    """
    chosen, kept = stored_features(folder, keys), []
    for one in chosen:
        try:
            _remove(folder / one.key)
        except StorageError as error:
            kept.append(str(error))
    if not keys and is_folder(folder):
        with storage_errors(folder):
            for leftover in folder.glob(".*.removed"):  # by a process that was killed while it removed them
                shutil.rmtree(leftover)
    if kept:
        rest = f", and {len(kept) - 1} more" if len(kept) > 1 else ""
        raise StorageError(f"{kept[0]}{rest}; the other {len(chosen) - len(kept)} are removed")
    return chosen


def _stored(place: Path) -> Stored:
    description = read_description(place)
    size = sum(file.stat().st_size for file in place.iterdir() if file.is_file())
    return Stored(place.name, size, (place / COMPLETE).exists(), None if description is None else dict(description))


def _remove(place: Path) -> None:
    """Remove one folder: first its name, so that nobody finds it half-removed."""
    in_use = StorageError(f"{place}: another process is writing these features; wait for it or stop it")
    with locked(lock_beside(place), in_use), storage_errors(place):
        unnamed = place.with_name(f".{place.name}.removed")
        shutil.rmtree(unnamed, ignore_errors=True)
        place.rename(unnamed)
        shutil.rmtree(unnamed)
        lock_beside(place).unlink(missing_ok=True)
