"""Where the packed data of a run lies now."""

from pathlib import Path

from thumbnet import packed
from thumbnet.errors import DataError, StorageError
from thumbnet.packed import PackedDataset
from thumbnet.run.directory import RunDirectory


def find_data(run: RunDirectory) -> PackedDataset:
    """Return the packed data at the place that a run names, or at the default place where the run's has come to lie.

    At the place that the run names other data may lie by now; at the default place its fingerprint is the run's.

    Raises:
        DataError: it is in neither place, or damaged.
        StorageError: the place that the run names may not be entered.
        RunError: what the run says of its data is damaged.
    """
    about = run.data()
    place = Path(about["path"])
    try:
        return packed.load(place)
    except (DataError, StorageError):
        moved = _default_data(about["fingerprint"])
        if moved is not None:
            return moved
        if packed.is_at(place):
            raise
    raise DataError(f"{place}: the packed data of run {run.path} is gone from there; give its place with --data")


def _default_data(fingerprint: str) -> PackedDataset | None:
    """Return the packed data at the default place, where it has this fingerprint."""
    try:
        found = packed.load(packed.default_path())
    except (DataError, StorageError):
        return None
    return found if found.fingerprint == fingerprint else None
