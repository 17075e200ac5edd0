"""Stored submissions: each file named by its SHA-256, written whole or not at all."""

import hashlib
import re
import time
from pathlib import Path

from thumbnet.errors import ChallengeError
from thumbnet.files import atomic_file, storage_errors

_DIGEST = re.compile("[0-9a-f]{64}")
# Writing takes milliseconds; were a slower one cut off, its submission would fail and nothing would be counted.
_TEMPORARY_SECONDS = 10


class StoredFiles:
    """The folder of stored submissions.

    A file is written before the row that names it, so that no row is ever without its file. A file without a row, left
    by a killed process, is removed by `sweep`. `put` is called a second time under the lock that `sweep` holds, so
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
        with atomic_file(path) as handle:
            handle.write(content)
        path.chmod(0o600)

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

    def sweep(self, kept: set[str]) -> list[str]:
        """Remove the files that are not in `kept`, and return them; unfinished ones of killed processes go too."""
        removed = sorted(self.digests() - kept)
        for digest in removed:
            self.path(digest).unlink()
        for path in self.folder.glob("??/.*.tmp"):
            if path.stat().st_mtime < time.time() - _TEMPORARY_SECONDS:
                path.unlink(missing_ok=True)
        return removed
