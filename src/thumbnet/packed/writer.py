"""Writing packed data: sequential, hashed on the way, whole or not at all."""

import contextlib
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from thumbnet import files
from thumbnet.packed.format import FORMAT_VERSION, SIDECAR, ClassInfo, FileFacts, fingerprint


@contextlib.contextmanager
def create(path: Path, *, name: str, image_size: int, classes: Sequence[ClassInfo]) -> "Iterator[DatasetWriter]":
    """Yield the writer of a packed folder that appears at `path` when the block ends well, and not at all otherwise.

    Args:
        path: the folder to make; it must not exist.
        name: what the data set is called.
        image_size: height and width of every image, in pixels.
        classes: the class list, sorted by id.

    Raises:
        StorageError: the folder exists, is being written by another process, or cannot be written.

    Example:
        with create(path, name="shapes", image_size=64, classes=classes) as writer:
            with writer.split("train", ids, labels, boxes=None) as split:
                split.append(images)
            writer.facts["source"] = "shapes"
    """
    with files.atomic_folder(path) as folder:
        writer = DatasetWriter(folder, name=name, image_size=image_size, classes=classes)
        yield writer
        writer.finish()


class SplitWriter:
    """Writes the images of one split in chunks, hashing as it goes; made by `DatasetWriter.split`."""

    def __init__(self, handle: IO[bytes], shape: tuple[int, int, int, int]) -> None:
        self._handle = handle
        self._shape = shape
        self._digest = hashlib.sha256()
        self.written = 0
        npy.write_array_header_1_0(handle, {"descr": "|u1", "fortran_order": False, "shape": shape})

    def append(self, images: NDArray[np.uint8]) -> None:
        """Write the next images, uint8 [B, H, W, 3]."""
        if images.dtype != np.uint8 or images.shape[1:] != self._shape[1:]:
            raise ValueError(f"expected uint8 images [B, {self._shape[1:]}], got {images.dtype} {images.shape}")
        data = np.ascontiguousarray(images).data
        self._handle.write(data)
        self._digest.update(data)
        self.written += len(images)

    def hexdigest(self) -> str:
        """Return the SHA-256 of all the pixels; every image must have been written."""
        if self.written != self._shape[0]:
            raise ValueError(f"{self.written} images were written, {self._shape[0]} were announced")
        return self._digest.hexdigest()


class DatasetWriter:
    """Writes a packed data set into a folder, split by split; made by `create`.

    Plain sequential writes keep the peak of resident memory low, which writing through a memory map does not.

    Attributes:
        facts: what packing found, as JSON values; goes into the sidecar.
    """

    def __init__(self, folder: Path, *, name: str, image_size: int, classes: Sequence[ClassInfo]) -> None:
        ids = [item.id for item in classes]
        if ids != sorted(set(ids)):
            raise ValueError("classes must be sorted by id and unique")
        self.facts: dict[str, Any] = {}
        self._folder = folder
        self._name = name
        self._size = image_size
        self._classes = tuple(classes)
        self._counts: dict[str, int] = {}
        self._files: dict[str, FileFacts] = {}

    @contextlib.contextmanager
    def split(
        self, name: str, image_ids: Sequence[str], labels: NDArray[np.int64], boxes: NDArray[np.int32] | None
    ) -> Iterator[SplitWriter]:
        """Write the ids, labels [N] and boxes [N, 4] of a split and yield the writer of its images.

        Everything must be in the canonical order: by (label, id) in `train`, by id elsewhere.
        """
        keys = list(zip(labels.tolist() if name == "train" else [0] * len(image_ids), image_ids, strict=True))
        if not keys or len(labels) != len(keys) or any(a >= b for a, b in itertools.pairwise(keys)):
            raise ValueError(f"the images of split '{name}' must be unique and in the canonical order")
        self._counts[name] = len(keys)
        self._write_bytes(f"{name}.ids.json", json.dumps(list(image_ids), ensure_ascii=False).encode())
        self._write_array(f"{name}.labels.npy", labels.astype("<i8"))
        if boxes is not None:
            self._write_array(f"{name}.boxes.npy", boxes.astype("<i4"))
        path = self._folder / f"{name}.images.npy"
        with path.open("wb") as handle:
            writer = SplitWriter(handle, (len(keys), self._size, self._size, 3))
            yield writer
            digest = writer.hexdigest()
            files.sync(handle)
        self._describe(path.name, digest)

    def finish(self) -> None:
        """Write the sidecar, last of all."""
        sidecar = {
            "format_version": FORMAT_VERSION,
            "name": self._name,
            "image_size": self._size,
            "fingerprint": fingerprint(self._classes, self._size, self._counts, self._files),
            "counts": self._counts,
            "classes": [{"id": item.id, "name": item.name} for item in self._classes],
            "facts": self.facts,
            "files": {name: {"size": item.size, "sha256": item.sha256} for name, item in self._files.items()},
        }
        files.write_json(self._folder / SIDECAR, sidecar)

    def _write_bytes(self, file_name: str, data: bytes) -> None:
        with (self._folder / file_name).open("wb") as handle:
            handle.write(data)
            files.sync(handle)
        self._describe(file_name, hashlib.sha256(data).hexdigest())

    def _write_array(self, file_name: str, array: NDArray[Any]) -> None:
        with (self._folder / file_name).open("wb") as handle:
            npy.write_array(handle, array, version=(1, 0), allow_pickle=False)
            files.sync(handle)
        self._describe(file_name, hashlib.sha256(np.ascontiguousarray(array).data).hexdigest())

    def _describe(self, file_name: str, digest: str) -> None:
        self._files[file_name] = FileFacts((self._folder / file_name).stat().st_size, digest)
