"""One folder of cached features: written in chunks, resumable, verified when it is opened.

It holds `features.json` (what decides the features), `features.npy` and, while it is written, `progress.json` with
the CRC-32 of each chunk that is safely on the disk; `complete.json` with those of all chunks marks the end. A folder
that is not what its files say is refused, never repaired.
"""

import contextlib
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from thumbnet.errors import DataError, StorageError
from thumbnet.features.description import CHUNK, Description
from thumbnet.files import lock_beside, locked, read_json, storage_errors, sync, write_json
from thumbnet.watch import Watch

DESCRIPTION, ARRAY, PROGRESS, COMPLETE = "features.json", "features.npy", "progress.json", "complete.json"

Features = NDArray[np.floating[Any]]
"""Features f16[N,D] or f32[N,D]."""

_verified: set[tuple[Path, int, int, int]] = set()
"""Arrays whose content this process has compared with its checksums: path, inode, size and time of change."""


@dataclass(frozen=True)
class Entry:
    """The folder `folder` for the features that `description` describes."""

    folder: Path
    description: Description

    def open(self) -> Features | None:
        """Return the features, memory-mapped (copy-on-write: the file is never changed), or `None` if unfinished.

        The content is compared with its checksums once in a process.

        Raises:
            DataError: the folder is damaged or holds other features.
        """
        if not (self.folder / COMPLETE).exists():
            return None
        self._check_description()
        checksums = self._checksums(COMPLETE)
        if len(checksums) != self.chunks:
            self._refuse(f"{COMPLETE} lists {len(checksums)} chunks instead of {self.chunks}")
        self._verify(checksums)
        shape, dtype = self.description.shape, np.dtype(self.description.dtype)
        with storage_errors(self._array):
            mapped = np.memmap(self._array, dtype, mode="c", offset=len(self._header()), shape=shape)
        return cast(Features, np.asarray(mapped))

    def fill(self, compute: Callable[[range], Features], watch: Watch) -> Features:
        """Return the features, computed and written as far as they are not there yet.

        Args:
            compute: gives the features of some positions, a pure function of these.
            watch: is told when another process has to be waited for.

        Raises:
            DataError: the folder is damaged or holds other features.
            StorageError: the disk is full or the place cannot be written.
        """
        found = self.open()
        if found is not None:
            return found
        with self._lock(watch):
            found = self.open()  # another process may have finished it just now
            if found is None:
                self._write(compute)
                found = self.open()
        assert found is not None
        return found

    @property
    def chunks(self) -> int:
        """In how many chunks the features are written."""
        return -(-self.description.shape[0] // CHUNK)

    @property
    def _array(self) -> Path:
        return self.folder / ARRAY

    def _write(self, compute: Callable[[range], Features]) -> None:
        checksums = self._begin()
        with storage_errors(self._array), self._array.open("r+b" if checksums else "wb") as handle:
            if not checksums:
                handle.write(self._header())
            handle.truncate(self._end_of(len(checksums)))
            handle.seek(0, io.SEEK_END)
            for chunk in range(len(checksums), self.chunks):
                content = self._content(compute(self._positions(chunk)))
                handle.write(content)
                sync(handle)
                checksums.append(zlib.crc32(content))
                write_json(self.folder / PROGRESS, {"crc32": checksums})
        write_json(self.folder / COMPLETE, {"crc32": checksums})
        with storage_errors(self.folder):
            (self.folder / PROGRESS).unlink(missing_ok=True)

    def _begin(self) -> list[int]:
        """Make the folder, or check what an earlier process left in it; return the checksums of finished chunks."""
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for leftover in self.folder.glob(".*.tmp"):
                leftover.unlink()
        if not (self.folder / DESCRIPTION).exists():
            if any(self.folder.iterdir()):
                self._refuse(f"{DESCRIPTION} is missing")
            write_json(self.folder / DESCRIPTION, self.description.to_json())
        self._check_description()
        if not (self.folder / PROGRESS).exists():
            return []
        checksums = self._checksums(PROGRESS)
        if not 0 < len(checksums) <= self.chunks or not self._array.is_file():
            self._refuse(f"{PROGRESS} does not fit {ARRAY}")
        self._check_content(checksums)
        return checksums

    def _check_description(self) -> None:
        try:
            found = read_json(self.folder / DESCRIPTION)
        except StorageError:
            self._refuse(f"{DESCRIPTION} is missing or damaged")
        if found != self.description.to_json():
            self._refuse(f"{DESCRIPTION} describes other features")

    def _checksums(self, name: str) -> list[int]:
        try:
            found = read_json(self.folder / name)
        except StorageError:
            self._refuse(f"{name} is damaged")
        checksums = found.get("crc32") if isinstance(found, dict) else None
        if not isinstance(checksums, list) or not all(type(checksum) is int for checksum in checksums):
            self._refuse(f"{name} is damaged")
        return checksums

    def _verify(self, checksums: list[int]) -> None:
        """Compare size, header and content of the array with what they should be; the content once in a process."""
        if not self._array.is_file():
            self._refuse(f"{ARRAY} is missing")
        facts = self._array.stat()
        if facts.st_size != self._end_of(self.chunks):
            self._refuse(f"{ARRAY} has {facts.st_size:,} bytes instead of {self._end_of(self.chunks):,}")
        seen = (self._array.resolve(), facts.st_ino, facts.st_size, facts.st_mtime_ns)
        if seen not in _verified:
            self._check_content(checksums)
            _verified.add(seen)

    def _check_content(self, checksums: list[int]) -> None:
        with storage_errors(self._array), self._array.open("rb") as handle:
            header = self._header()
            if handle.read(len(header)) != header:
                self._refuse(f"the header of {ARRAY} is damaged, or of another shape or type")
            for chunk, checksum in enumerate(checksums):
                if _crc32(handle, self._end_of(chunk + 1) - self._end_of(chunk)) != checksum:
                    self._refuse(f"{ARRAY} is damaged")

    def _content(self, features: Features) -> memoryview:
        return np.ascontiguousarray(features, dtype=self.description.dtype).data.cast("B")

    def _header(self) -> bytes:
        """Return the bytes that come before the features."""
        buffer = io.BytesIO()
        descriptor = npy.dtype_to_descr(np.dtype(self.description.dtype))
        npy.write_array_header_1_0(
            buffer, {"descr": descriptor, "fortran_order": False, "shape": self.description.shape}
        )
        return buffer.getvalue()

    def _positions(self, chunk: int) -> range:
        return range(chunk * CHUNK, min((chunk + 1) * CHUNK, self.description.shape[0]))

    def _end_of(self, chunks: int) -> int:
        """Return the byte of the file at which so many chunks end."""
        images, width = self.description.shape
        row = width * np.dtype(self.description.dtype).itemsize
        return len(self._header()) + min(chunks * CHUNK, images) * row

    @contextlib.contextmanager
    def _lock(self, watch: Watch) -> Iterator[None]:
        """Keep other processes from writing this folder; wait while one does. The lock goes with its process."""

        def wait() -> None:
            watch("waiting for another process that computes the same features", 0, self.description.shape[0])

        with storage_errors(self.folder):
            self.folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(lock_beside(self.folder), wait):
            yield

    def _refuse(self, reason: str) -> NoReturn:
        raise DataError(
            f"{self.folder}: cached features that cannot be used ({reason}); delete this folder, then go on"
        )


def read_description(folder: Path) -> Mapping[str, Any] | None:
    """Return what `folder` says that its features are, or `None` where that cannot be read."""
    try:
        found = json.loads((folder / DESCRIPTION).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _crc32(handle: IO[bytes], size: int) -> int | None:
    """Return the CRC-32 of the next `size` bytes, or `None` where there are fewer."""
    checksum = 0
    while size:
        block = handle.read(min(size, 1 << 20))
        if not block:
            return None
        checksum = zlib.crc32(block, checksum)
        size -= len(block)
    return checksum
