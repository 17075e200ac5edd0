"""Stored submissions: each file named by its SHA-256, written whole or not at all."""

import contextlib
import hashlib
import os
import re
import time
from pathlib import Path

from thumbnet.errors import ChallengeError
from thumbnet.files import private_file, storage_errors

_DIGEST = re.compile("[0-9a-f]{64}")
UNFINISHED_SECONDS = 10
"""A file that is unfinished for so long is no longer being written, which takes milliseconds; were a slower one cut
off, its submission would fail and nothing would be counted."""
_ORPHAN_SECONDS = 86_400
_IDENTITY = "challenge.id"


class StoredFiles:
    """The folder of stored submissions.

    A file is written before the row that names it, so that no row is ever without its file. A file without a row, left
    by a killed process, is put aside by `sweep`. `put` is called a second time under the lock that `sweep` holds, so
    that a file cannot go between the first time and the row.

    Args:
        folder: made with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, digest: str, content: bytes) -> None:
        """Store `content`, whose SHA-256 is `digest`, where it is not stored yet.

        Raises:
            StorageError: the place cannot be written or the disk is full.
        """
        path = self.path(digest)
        if path.exists():
            return
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with private_file(path) as handle:
            handle.write(content)

    def get(self, digest: str) -> bytes:
        """Return the file of this SHA-256.

        Raises:
            ChallengeError: its content is not what its name says.
            StorageError: it cannot be read.
        """
        path = self.path(digest)
        with storage_errors(path):
            content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise ChallengeError(f"{path}: not the file that was submitted; restore it from a backup")
        return content

    def path(self, digest: str) -> Path:
        """Return where the file of this SHA-256 lies."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is no SHA-256")
        return self.folder / digest[:2] / digest

    def digests(self) -> set[str]:
        """Return the SHA-256 of every stored file, by their names."""
        return {path.name for path in self.folder.glob("??/*") if _DIGEST.fullmatch(path.name)}

    def check_unused(self) -> None:
        """Check that the folder is no other challenge's.

        Raises:
            ChallengeError: it has files, or an identity.
        """
        marked = self.folder.with_name(_IDENTITY)
        used = self.digests() or marked.exists()
        if used:
            raise ChallengeError(
                f"{self.folder.parent}: has the files of another challenge, which another database belongs to; "
                "start with that database, or choose another folder for a new challenge"
            )

    def bind(self, identity: str, *, is_fresh: bool) -> None:
        """Check that the folder keeps `identity`; give it to the folder of a fresh challenge, which has no files.

        Raises:
            ChallengeError: it keeps another one, or none.
            StorageError: it cannot be read or written.
        """
        if is_fresh and not self.digests():
            self.mark(identity)
            return
        self._check(identity)

    def mark(self, identity: str) -> None:
        """Make the folder keep `identity`, where it keeps none yet.

        Raises:
            ChallengeError: it keeps another one.
            StorageError: it cannot be written.
        """
        path = self.folder.with_name(_IDENTITY)
        with storage_errors(path):
            _write_new(path, identity)
        self._check(identity)

    def _check(self, identity: str) -> None:
        path = self.folder.with_name(_IDENTITY)
        with storage_errors(path):
            found = path.read_text("utf-8").strip() if path.is_file() else ""
        if found != identity:
            raise ChallengeError(
                f"{path}: {'not the one' if found else 'missing'}, so these are not the stored files of this "
                "database; give the folder and the database that belong together"
            )

    def sweep(self, kept: set[str]) -> list[str]:
        """Put aside the files that are not in `kept` and a day old, and return them.

        They go to the folder '.orphans'. Unfinished ones of killed processes are removed after `UNFINISHED_SECONDS`.
        """
        oldest = time.time() - _ORPHAN_SECONDS
        moved = [digest for digest in sorted(self.digests() - kept) if self.path(digest).stat().st_mtime < oldest]
        aside = self.folder / ".orphans"
        if moved:
            aside.mkdir(exist_ok=True, mode=0o700)
        for digest in moved:
            self.path(digest).replace(aside / digest)
        for path in self.folder.glob("??/.*.tmp"):
            # A server that runs may give it its name at any moment.
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - UNFINISHED_SECONDS:
                    path.unlink()
        return moved


def _write_new(path: Path, content: str) -> None:
    """Write a file for its owner alone, where there is none: of several processes, the first one's stays."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(content + "\n", "utf-8")
    temporary.chmod(0o600)
    try:
        # A link is made whole, and not over a file that is there.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
