"""The files of a source, by name: a zip archive read in place, or a folder."""

import errno
import os
import struct
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from thumbnet.errors import DataError
from thumbnet.files import storage_errors

LARGEST_FILE = 256 * 2**20
"""Bytes. No image file is larger; what claims to be is a mistake or an attack on the memory."""

_LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
_ENCRYPTED = 0x1
_UTF_8 = 0x800


class FileSource(Protocol):
    """What packing needs of a source: bytes by name, and the words that lead a person to a file."""

    def read(self, name: str) -> bytes:
        """Return the content of the file; safe to call from several threads."""
        ...

    def where(self, name: str) -> str:
        """Return how a message names the file."""
        ...


class FileTree(ABC):
    """The names of a source's files, with a single enclosing folder taken off, as in `tiny-imagenet-200/train`.

    Hidden files, `__MACOSX` and `Thumbs.db` are left out, and so are names that are absolute or climb with `..`.

    Attributes:
        source: the archive or folder.
        prefix: the enclosing folder that was taken off, with its final `/`, or nothing.
        contents: folder (`""` is the top) to the sorted names of the files directly in it.
    """

    def __init__(self, source: Path, names: Iterable[str], folders: Iterable[str] = ()) -> None:
        kept = [name for name in names if _is_wanted(name)]
        known = {folder for folder in folders if _is_wanted(folder)}
        self.source = source
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


class ZipTree(FileTree):
    """The members of a zip archive, read in place: nothing is unpacked to the disk.

    The central directory is read by `zipfile`. The members' bytes are read at their offsets, because opening 120,000
    members one by one through `zipfile` takes longer than decoding them, and holds the interpreter lock.
    """

    def __init__(self, source: Path) -> None:
        self._members = _central_directory(source)
        with storage_errors(source):
            self._handle = source.open("rb", buffering=0)
            self._size = os.fstat(self._handle.fileno()).st_size
        self._lock = threading.Lock()
        files = [name for name in self._members if not name.endswith("/")]
        super().__init__(source, files, (name[:-1] for name in self._members if name.endswith("/")))

    def close(self) -> None:
        """Close the archive."""
        self._handle.close()

    def read(self, name: str) -> bytes:
        """Return the content of the member `name`, its checksum checked.

        Raises:
            DataError: the member is damaged, encrypted, or compressed in a way that is not read here.
            StorageError: the archive cannot be read.
        """
        member = self._members[self.prefix + name]
        if member.flag_bits & _ENCRYPTED:
            raise DataError(f"{self.where(name)}: encrypted; make an archive without a password")
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise DataError(f"{self.where(name)}: compression method {member.compress_type} is not read; use deflate")
        if member.file_size > LARGEST_FILE:
            raise DataError(f"{self.where(name)}: larger than {LARGEST_FILE:,} bytes; this cannot be an image")
        data = _inflate(self._raw(member), member)
        if data is None or len(data) != member.file_size or zlib.crc32(data) != member.CRC:
            raise DataError(f"{self.where(name)}: this member of the archive is damaged; get the archive again")
        return data

    def _raw(self, member: zipfile.ZipInfo) -> bytes:
        """Return the stored bytes of a member, short where its header or the archive is damaged."""
        if not 0 <= member.header_offset <= self._size - member.compress_size:
            return b""
        # The local header repeats the name, and an extra field that may be longer than the central one: one read with
        # room for both is enough for nearly all members.
        room = _LOCAL_HEADER.size + len(member.filename.encode()) + len(member.extra) + 64
        block = self._read_at(member.header_offset, room + member.compress_size)
        if len(block) < _LOCAL_HEADER.size or not block.startswith(b"PK\x03\x04"):
            return b""
        header = _LOCAL_HEADER.unpack_from(block)
        start = _LOCAL_HEADER.size + header[-2] + header[-1]
        name = block[_LOCAL_HEADER.size : _LOCAL_HEADER.size + header[-2]]
        if name != member.orig_filename.encode("utf-8" if member.flag_bits & _UTF_8 else "cp437"):
            return b""
        if start + member.compress_size > len(block):
            return self._read_at(member.header_offset + start, member.compress_size)
        return block[start : start + member.compress_size]

    def _read_at(self, offset: int, size: int) -> bytes:
        with storage_errors(self.source), self._lock:
            self._handle.seek(offset)
            return self._handle.read(size) or b""


def open_tree(source: Path) -> FileTree:
    """Open the archive or folder `source`; use the result as a context manager.

    Raises:
        DataError: there is no such file or folder, or it is not an archive, or the archive is damaged.
        StorageError: it cannot be read.
    """
    with storage_errors(source):
        if not os.path.lexists(source):
            raise DataError(f"{source}: no such file or folder; give an archive, a folder of images, or 'digits'")
        if source.is_dir():
            return FolderTree(source)
        if not source.is_file():
            raise DataError(f"{source}: neither a file nor a folder; give an archive or a folder of images")
        return ZipTree(source)


def _central_directory(source: Path) -> dict[str, zipfile.ZipInfo]:
    with storage_errors(source), source.open("rb") as handle:
        start = handle.read(4)
    if not start:
        raise DataError(f"{source}: the file is empty; get the archive again")
    if not start.startswith(b"PK") and not zipfile.is_zipfile(source):
        raise DataError(f"{source}: not a zip archive; give a .zip file, or unpack it and give the folder")
    with storage_errors(source):
        try:
            with zipfile.ZipFile(source) as archive:
                infos = archive.infolist()
        # Of damaged bytes zipfile says three things: BadZipFile; UnicodeDecodeError where a name that is marked as
        # UTF-8 is not; and a RuntimeError where the version, once damaged, is one that it cannot read.
        except (zipfile.BadZipFile, UnicodeDecodeError, RuntimeError) as error:
            raise DataError(f"{source}: the archive is cut off or damaged; get it again") from error
    members = {info.filename: info for info in infos}
    if len(members) != len(infos):
        name, _ = Counter(info.filename for info in infos).most_common(1)[0]
        raise DataError(f"{source}: two members are named {name}; make the archive again")
    return members


def _inflate(raw: bytes, member: zipfile.ZipInfo) -> bytes | None:
    """Return the inflated bytes, at most one more than the directory states, or None where they are damaged."""
    if member.compress_type == zipfile.ZIP_STORED:
        return raw
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, member.file_size + 1)
    except zlib.error:
        return None


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
