"""The files of a source, by name, and those of a folder."""

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from thumbnet.errors import DataError
from thumbnet.files import is_folder, storage_errors

LARGEST_FILE = 256 * 2**20
"""Bytes. No image file is larger; what claims to be is a mistake or an attack on the memory."""


class FileSource(Protocol):
    """What packing needs of a source: bytes by name, and the words that lead a person to a file."""

    def read(self, name: str) -> bytes:
        """Return the content of the file; safe to call from several threads."""
        ...

    def where(self, name: str) -> str:
        """Return how a message names the file."""
        ...


def source_name(source: Path | Literal["digits"]) -> str:
    """Return what a source is called: an archive without its suffix, a folder by its whole name.

    Raises:
        StorageError: the place may not be entered.
    """
    if source == "digits":
        return source
    place = source.resolve()
    return place.name if is_folder(place) else place.stem


class FileTree(ABC):
    """The names of a source's files, with a single enclosing folder taken off, as in `tiny-imagenet-200/train`.

    Hidden files, `__MACOSX` and `Thumbs.db` are left out, and so are names that are absolute or climb with `..`.

    Attributes:
        source: the archive or folder.
        prefix: the enclosing folder that was taken off, with its final `/`, or nothing.
        contents: folder (`""` is the top) to the sorted names of the files directly in it.
        notes: what a person should know of how the names were read.
    """

    def __init__(self, source: Path, names: Iterable[str], folders: Iterable[str] = ()) -> None:
        kept = [name for name in names if _is_wanted(name)]
        known = {folder for folder in folders if _is_wanted(folder)}
        self.source = source
        self.notes: Sequence[str] = ()
        self.prefix = _enclosing(kept, known)
        start = len(self.prefix)
        self.contents: dict[str, list[str]] = {"": []}
        for folder in known:
            self._add_folder(folder[start:])
        for name in kept:
            folder, _, base = name[start:].rpartition("/")
            if folder not in self.contents:
                self._add_folder(folder)
            self.contents[folder].append(base)
        for bases in self.contents.values():
            bases.sort()

    def _add_folder(self, folder: str) -> None:
        while folder not in self.contents:
            self.contents[folder] = []
            folder = folder.rpartition("/")[0]

    def __contains__(self, name: str) -> bool:
        folder, _, base = name.rpartition("/")
        return base in self.contents.get(folder, ())

    def folders(self, parent: str) -> list[str]:
        """Return the sorted names of the folders directly in `parent`."""
        start = parent + "/" if parent else ""
        inner = (folder[len(start) :] for folder in self.contents if folder.startswith(start) and folder != parent)
        return sorted(name for name in inner if "/" not in name)

    def walk(self, parent: str) -> Iterator[str]:
        """Yield the names of all files at any depth below `parent`, relative to it, sorted."""
        start = parent + "/" if parent else ""
        found = []
        for folder, bases in self.contents.items():
            if folder == parent or folder.startswith(start):
                inner = folder[len(start) :]
                found += [f"{inner}/{base}" if inner else base for base in bases]
        yield from sorted(found)

    def where(self, name: str) -> str:
        """Return how a message names a file: the source, then the name within it."""
        full = self.prefix + name
        # A message is one line, whatever a file is called.
        return f"{self.source}: {full if full.isprintable() else ascii(full)}"

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the content of the file `name`."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FolderTree(FileTree):
    """The files below a folder; symbolic links are followed, and one that leads in a circle is refused."""

    def __init__(self, source: Path) -> None:
        names: list[str] = []
        folders: list[str] = []
        with storage_errors(source):
            _scan(source, "", (), names, folders)
        super().__init__(source, names, folders)

    def read(self, name: str) -> bytes:
        """Return the content of the file `name`.

        Raises:
            DataError: it is larger than any image.
            StorageError: it cannot be read.
        """
        path = self.source / (self.prefix + name)
        with storage_errors(path), path.open("rb") as handle:
            data = handle.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise DataError(f"{self.where(name)}: larger than {LARGEST_FILE:,} bytes; this cannot be an image")
        return data

    def close(self) -> None:
        """Do nothing: each file is closed as soon as it is read."""


def _scan(path: Path, name: str, above: tuple[tuple[int, int], ...], names: list[str], folders: list[str]) -> None:
    """Collect the names of files and folders below `path`; `above` identifies the folders on the way here."""
    status = path.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        raise DataError(f"{path}: a symbolic link that leads back to a folder above it; remove the link")
    with os.scandir(path) as entries:
        for entry in entries:
            inner = f"{name}/{entry.name}" if name else entry.name
            if not _is_wanted(inner):
                continue
            _check_name(entry)
            if entry.is_dir():
                folders.append(inner)
                _scan(Path(entry.path), inner, (*above, here), names, folders)
            else:
                names.append(inner)


def _check_name(entry: os.DirEntry[str]) -> None:
    try:
        entry.name.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{entry.path!a}: the name is not valid UTF-8; rename the file") from error
    try:
        entry.stat()
    except OSError as error:
        if entry.is_symlink() and error.errno in {errno.ENOENT, errno.ELOOP}:
            raise DataError(f"{entry.path}: a symbolic link that leads nowhere; remove the link") from error
        raise


def _is_wanted(name: str) -> bool:
    # Nearly all of an archive's 120,000 names pass at the first line.
    if name and name[0] not in "./_T" and not any(sign in name for sign in ("/.", "//", "/__", "/T")):
        return True
    return all(part and part[0] != "." and part not in {"__MACOSX", "Thumbs.db"} for part in name.split("/"))


def _enclosing(names: list[str], folders: set[str]) -> str:
    """Return the folder, with its final `/`, that encloses everything and holds folders, or nothing."""
    holders = {name.rpartition("/")[0] for name in names}
    every = holders | folders
    prefix = ""
    while prefix[:-1] not in holders:
        tops = {folder[len(prefix) :].partition("/")[0] for folder in every if folder.startswith(prefix)}
        top = tops.pop() if len(tops) == 1 else ""
        if top in {"", "train", "val", "test"} or not any(name.startswith(f"{prefix}{top}/") for name in every):
            break
        prefix += f"{top}/"
    return prefix
