"""The official Tiny ImageNet archive, downloaded once: resumed where it stopped, and checked by its SHA-256."""

import http.client
import urllib.error
import urllib.request
from pathlib import Path

from thumbnet import files
from thumbnet.errors import DataError, StorageError
from thumbnet.watch import Watch, silent

URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
SIZE = 248_100_043
SHA256 = "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821"
TIMEOUT = 30.0
"""Seconds without a byte after which the server counts as gone."""

_CHUNK = 1 << 20


def download(
    folder: Path | None = None,
    *,
    url: str = URL,
    size: int = SIZE,
    sha256: str = SHA256,
    watch: Watch = silent,
) -> Path:
    """Return the archive's path, after downloading what is not there yet.

    The unfinished file stays as `<name>.part`, and the next call goes on from its end.

    Args:
        folder: where the archive is kept; by default `files.cache_folder()`.
        url: where it comes from.
        size: its length in bytes.
        sha256: its SHA-256; the connection is not encrypted, so this is what proves the archive.
        watch: is told the progress, in bytes.

    Raises:
        DataError: it cannot be downloaded, or what came is not the archive.
        StorageError: the folder cannot be written, or another process is downloading.
    """
    folder = folder or files.cache_folder()
    archive = folder / url.rpartition("/")[2]
    part = archive.with_name(archive.name + ".part")
    with files.storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    in_use = StorageError(f"{archive}: another process is downloading this; wait for it")
    with files.locked(files.lock_beside(archive), in_use):
        if not archive.is_file():
            if not part.is_file() or part.stat().st_size != size:
                _fetch(url, part, size, watch)
            _check(part, url, size, sha256)
            with files.storage_errors(archive):
                part.replace(archive)
        else:
            _check(archive, url, size, sha256)
    return archive


def _fetch(url: str, part: Path, size: int, watch: Watch) -> None:
    present = part.stat().st_size if part.is_file() else 0
    if present > size:
        present = 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={present}-"} if present else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            # A server that ignores the range answers 200 and sends everything.
            if response.status != http.client.PARTIAL_CONTENT:
                present = 0
            _save(response, part, present, size, watch)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise DataError(_advice(url, str(reason))) from error
    if part.stat().st_size < size:
        raise DataError(_advice(url, f"the connection ended after {part.stat().st_size:,} of {size:,} bytes"))


def _save(response: http.client.HTTPResponse, part: Path, present: int, size: int, watch: Watch) -> None:
    with files.storage_errors(part), part.open("r+b" if present else "wb") as handle:
        handle.seek(present)
        while present <= size and (chunk := _next_chunk(response)):
            handle.write(chunk)
            present += len(chunk)
            watch("downloading", present, size)
        handle.truncate()
        files.sync(handle)


def _next_chunk(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException):
        # The connection broke: what came so far is kept, and the length, checked by the caller, tells the rest.
        return b""


def _advice(url: str, reason: str) -> str:
    return (
        f"cannot download {url} ({reason}); run the command again to go on, or get the archive by other means "
        "and run `thumbnet data pack FILE`"
    )


def _check(path: Path, url: str, size: int, sha256: str) -> None:
    """Remove a file that is not the archive."""
    if path.stat().st_size == size and files.sha256(path) == sha256:
        return
    with files.storage_errors(path):
        path.unlink()
    raise DataError(
        f"{path}: not the archive of {url} (its SHA-256 or size differs), removed; run the command again, or get the "
        "archive by other means and run `thumbnet data pack FILE`"
    )
