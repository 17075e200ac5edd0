"""Reading packed data: the sidecar first, the arrays when they are asked for."""

import contextlib
import hashlib
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from thumbnet import arrays, files
from thumbnet.errors import DataError, StorageError, nearest
from thumbnet.packed.format import (
    DEFAULT_NAME,
    FORMAT_VERSION,
    SIDECAR,
    ClassInfo,
    FileFacts,
    fingerprint,
    split_files,
)

_AGAIN = "pack it again with `thumbnet data pack`"
_PART_IMAGES = 2048
_PART_BYTES = 24 * 2**20


@dataclass(frozen=True, eq=False)
class PackedSplit:
    """One split of a packed data set.

    Attributes:
        name: `train`, `val` or `test`.
        images: uint8 [N, H, W, 3], RGB, memory-mapped copy-on-write: reading is shared, the file is never written.
        labels: int64 [N], positions in the data set's class list, -1 where the label is unknown.
        image_ids: N names, unique within the split.
        boxes: int32 [N, 4] as x0, y0, x1, y1 in pixels of the source image, -1 where unknown; None without boxes.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    image_ids: tuple[str, ...]
    boxes: NDArray[np.int32] | None

    def __len__(self) -> int:
        return len(self.image_ids)

    def parts(self) -> Iterator[slice]:
        """Yield the positions of the images in parts, in order, for work that must not hold the pixels of all at once.

        A part is of at most 2,048 images and 24 MiB of pixels (2,048 images of 64 x 64), and of one image at least.
        """
        count = min(_PART_IMAGES, max(1, _PART_BYTES // math.prod(self.images.shape[1:])))
        for start in range(0, len(self), count):
            yield slice(start, min(start + count, len(self)))


@dataclass(frozen=True, eq=False)
class PackedDataset:
    """A packed data set: what its sidecar says. The arrays are opened by `split`.

    Attributes:
        path: the packed folder.
        name: what the data set is called.
        image_size: height and width of every image, in pixels.
        classes: the class list, sorted by id; a label is a position in it.
        counts: number of images of each split.
        fingerprint: 64 hexadecimal digits that identify the content: class ids, image ids, labels and pixels.
        facts: what packing found (source, conversions, identical files, ...), as JSON values.
    """

    path: Path
    name: str
    image_size: int
    classes: tuple[ClassInfo, ...]
    counts: Mapping[str, int]
    fingerprint: str
    facts: Mapping[str, Any]
    _files: Mapping[str, FileFacts] = field(repr=False)

    @property
    def split_names(self) -> tuple[str, ...]:
        """Names of the splits, in the order train, val, test where they exist."""
        return tuple(self.counts)

    def described(self) -> dict[str, Any]:
        """Return what a run states of the data that it trains on, as JSON data."""
        return {
            "name": self.name,
            "path": str(self.path.resolve()),
            "fingerprint": self.fingerprint,
            "image_size": self.image_size,
            "classes": [{"id": info.id, "name": info.name} for info in self.classes],
            "counts": dict(self.counts),
        }

    def split(self, name: str, verify: bool = True) -> PackedSplit:
        """Open one split.

        Args:
            name: one of `split_names`.
            verify: compare the content of each file with its SHA-256 in the sidecar first.

        Raises:
            DataError: no such split, or a file that is damaged.
        """
        if name not in self.counts:
            raise DataError(f"{self.path}: no split named '{name}'; {nearest(name, self.counts)}")
        if verify:
            for file_name in split_files(name):
                expected = self._files.get(file_name)
                if expected is not None and _content_sha256(self.path / file_name) != expected.sha256:
                    raise _damaged(self.path / file_name)
        count, size = self.counts[name], self.image_size
        images = self._array(f"{name}.images.npy", "|u1", (count, size, size, 3))
        labels = self._array(f"{name}.labels.npy", "<i8", (count,))
        has_boxes = f"{name}.boxes.npy" in self._files
        boxes = self._array(f"{name}.boxes.npy", "<i4", (count, 4)) if has_boxes else None
        return PackedSplit(name, images, labels, self._ids(name), boxes)

    def _array(self, file_name: str, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
        path = self.path / file_name
        with files.storage_errors(path), _header_errors(path):
            # Mode "c" gives a writable array over an unwritten file; torch.from_numpy warns of read-only arrays.
            array = npy.open_memmap(path, mode="c")
        if array.dtype != np.dtype(dtype) or array.shape != shape:
            raise _damaged(path)
        return np.asarray(array)

    def _ids(self, split: str) -> tuple[str, ...]:
        path = self.path / f"{split}.ids.json"
        try:
            ids = files.read_json(path)
        except StorageError as error:
            raise _damaged(path) from error
        if not isinstance(ids, list) or len(ids) != self.counts[split]:
            raise _damaged(path)
        return tuple(str(item) for item in ids)


def is_at(path: Path) -> bool:
    """Return whether a packed folder, whole or damaged, lies at `path`.

    Raises:
        StorageError: the place may not be entered.
    """
    return files.is_file(path / SIDECAR)


def load(path: Path) -> PackedDataset:
    """Read the sidecar of the packed folder at `path` and check that its files are there, each of the right size.

    Raises:
        DataError: no such folder, not a packed folder, another format version, or a missing or wrongly sized file.
        StorageError: the place may not be entered.
    """
    if not is_at(path):
        if files.is_folder(path):
            raise DataError(f"{path}: not a packed folder (no {SIDECAR}); make one with `thumbnet data pack {path}`")
        raise DataError(
            f"{path}: no such folder; make packed data there with `thumbnet data pack SOURCE --out {path}`"
        )
    sidecar = path / SIDECAR
    try:
        value = files.read_json(sidecar)
    except StorageError as error:
        raise _damaged(sidecar) from error
    version = value.get("format_version") if isinstance(value, dict) else None
    if version != FORMAT_VERSION:
        raise DataError(f"{path}: packed in format version {version}, this thumbnet reads {FORMAT_VERSION}; {_AGAIN}")
    try:
        dataset = _from_sidecar(path, value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(sidecar) from error
    for file_name, expected in dataset._files.items():
        _check_size(path / file_name, expected.size)
    return dataset


def _from_sidecar(path: Path, value: dict[str, Any]) -> PackedDataset:
    classes = tuple(ClassInfo(str(item["id"]), str(item["name"])) for item in value["classes"])
    counts = {str(name): int(count) for name, count in value["counts"].items()}
    # Only names that follow from the splits are opened, whatever a sidecar from elsewhere may list.
    described = {
        name: FileFacts(int(value["files"][name]["size"]), str(value["files"][name]["sha256"]))
        for split in counts
        for name in split_files(split)
        if name in value["files"] or not name.endswith(".boxes.npy")
    }
    size = int(value["image_size"])
    if value["fingerprint"] != fingerprint(classes, size, counts, described):
        raise ValueError("the fingerprint does not follow from the digests")
    return PackedDataset(
        path=path,
        name=str(value["name"]),
        image_size=size,
        classes=classes,
        counts=MappingProxyType(counts),
        fingerprint=value["fingerprint"],
        facts=MappingProxyType(dict(value["facts"])),
        _files=MappingProxyType(described),
    )


def _check_size(path: Path, expected: int) -> None:
    if not path.is_file():
        raise DataError(f"{path}: this file of the packed data is missing; {_AGAIN}")
    size = path.stat().st_size
    if size != expected:
        raise DataError(f"{path}: has {size:,} bytes instead of {expected:,}; {_AGAIN}")


def _damaged(path: Path) -> DataError:
    return DataError(f"{path}: this file of the packed data is damaged; {_AGAIN}")


def default_path(name: str = DEFAULT_NAME) -> Path:
    """Return the packed folder used when none is given: `$THUMBNET_DATA`, else `name` in the cache folder."""
    chosen = os.environ.get("THUMBNET_DATA")
    return Path(chosen) if chosen else files.cache_folder() / name


def _content_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content; of an array, of the bytes after the header, which is checked apart."""
    with files.storage_errors(path), path.open("rb") as handle:
        if path.suffix == ".npy":
            with _header_errors(path):
                npy.read_magic(handle)
                npy.read_array_header_1_0(handle)
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextlib.contextmanager
def _header_errors(path: Path) -> Iterator[None]:
    """Turn each way in which numpy objects to a damaged header into a `DataError`; an `OSError` stays."""
    try:
        with arrays.array_errors(OSError), warnings.catch_warnings():
            # numpy only warns when a header parses after it is mended as one of Python 2.
            warnings.simplefilter("error", UserWarning)
            yield
    except ValueError as error:
        raise _damaged(path) from error
