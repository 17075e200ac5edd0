"""The files of a zip archive, read in place."""

import os
import struct
import threading
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from thumbnet.errors import DataError
from thumbnet.files import storage_errors
from thumbnet.sources.tree import LARGEST_FILE, FileTree

_LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
_ENCRYPTED = 0x1
_UTF_8 = 0x800


class ZipTree(FileTree):
    """The members of a zip archive, read in place: nothing is unpacked to the disk.

    The central directory is read by `zipfile`. The members' bytes are read at their offsets, because opening 120,000
    members one by one through `zipfile` takes longer than decoding them, and holds the interpreter lock.
    """

    def __init__(self, source: Path) -> None:
        self._members, unmarked = _central_directory(source)
        with storage_errors(source):
            self._handle = source.open("rb", buffering=0)
            self._size = os.fstat(self._handle.fileno()).st_size
        self._lock = threading.Lock()
        files = [name for name in self._members if not name.endswith("/")]
        super().__init__(source, files, (name[:-1] for name in self._members if name.endswith("/")))
        if unmarked:
            self.notes = (
                "the archive does not say how its names are encoded: they are read as UTF-8, which they fit",
            )

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


def _central_directory(source: Path) -> tuple[dict[str, zipfile.ZipInfo], bool]:
    """Return the members by name, and whether names are read as UTF-8 that are not marked so."""
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
    names, unmarked = _names(infos)
    members = dict(zip(names, infos, strict=True))
    if len(members) != len(infos):
        name, _ = Counter(names).most_common(1)[0]
        raise DataError(f"{source}: two members are named {name}; make the archive again")
    return members, unmarked


def _names(infos: Sequence[zipfile.ZipInfo]) -> tuple[list[str], bool]:
    """Return the names of the members, and whether some are of UTF-8 without the mark of it.

    By the standard such a name is of code page 437, as `zipfile` reads it. But many programs leave the mark out, and
    what was written in another code page is hardly ever UTF-8 throughout.
    """
    read = [info.filename for info in infos]
    try:
        names = [
            name if info.flag_bits & _UTF_8 else name.encode("cp437").decode()
            for name, info in zip(read, infos, strict=True)
        ]
    except UnicodeError:
        return read, False
    return names, names != read


def _inflate(raw: bytes, member: zipfile.ZipInfo) -> bytes | None:
    """Return the inflated bytes, at most one more than the directory states, or None where they are damaged."""
    if member.compress_type == zipfile.ZIP_STORED:
        return raw
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, member.file_size + 1)
    except zlib.error:
        return None
