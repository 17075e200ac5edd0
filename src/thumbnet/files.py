"""Files that appear whole or not at all, and one line for each way in which storage fails."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from thumbnet.errors import StorageError, reason_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REMEDY = {
    errno.ENOSPC: "the disk is full; free some space and run the command again",
    errno.EDQUOT: "the disk quota is used up; free some space and run the command again",
    errno.EFBIG: "the file grows beyond the largest size allowed here; raise the limit or choose another place",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.EACCES: "permission denied; choose a place that you may use",
    errno.EPERM: "permission denied; choose a place that you may use",
    errno.ENOENT: "no such file or folder; check the path",
    errno.ENOTDIR: "a part of the path is a file, not a folder; check the path",
    errno.EISDIR: "this is a folder, not a file; check the path",
    errno.EIO: "the disk reports an input/output error; check the disk",
}


def _umask() -> int:
    """Return the process's umask, which can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


# Read once, before there are threads: of two that read it at once, one could leave it at 0.
_UMASK = _umask()


@contextlib.contextmanager
def storage_errors(path: Path | str) -> Iterator[None]:
    """Turn an `OSError` of the block into a `StorageError` of one line that names `path` and the remedy."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        unknown = f"{(error.strerror or str(error)).lower()}; check the path and the disk"
        raise StorageError(f"{where}: {_REMEDY.get(error.errno or 0, unknown)}") from error


def sync(handle: IO[Any]) -> None:
    """Flush `handle` down to the disk."""
    handle.flush()
    os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable (a rename survives a power cut only after this)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_file(path: Path, mode: str = "wb", *, permissions: int = 0o666) -> Iterator[IO[Any]]:
    """Open a new file that replaces `path` when the block ends well, and leaves `path` alone when it does not.

    Args:
        path: the file.
        mode: as of `open`.
        permissions: of the file, less what the process masks.

    Raises:
        StorageError: the place cannot be written or the disk is full.
    """
    encoding = None if "b" in mode else "utf-8"
    temporary: Path | None = None
    with storage_errors(path):
        try:
            with tempfile.NamedTemporaryFile(
                mode, dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False, encoding=encoding
            ) as handle:
                temporary = Path(handle.name)
                yield handle
                sync(handle)
            temporary.chmod(permissions & ~_UMASK)
            temporary.replace(path)
            sync_folder(path.parent)
        except BaseException:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def private_file(path: Path) -> Iterator[IO[Any]]:
    """Open a new file as `atomic_file` does, which its owner alone can read from the start.

    Raises:
        StorageError: the place cannot be written or the disk is full.
    """
    with atomic_file(path, permissions=0o600) as handle:
        yield handle


def check_absent(path: Path) -> None:
    """Check that nothing lies at `path` yet.

    Raises:
        StorageError: it exists.
    """
    if path.exists():
        raise StorageError(f"{path}: exists already and is never overwritten; choose another place or remove it")


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `path` when the block ends well and vanishes when it does not.

    A lock beside `path` keeps a second process out; the lock goes with the process that holds it.

    Raises:
        StorageError: `path` exists, another process is writing it, or the place cannot be written.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock_path = path.parent / f".{path.name}.lock"
    lock = FileLock(lock_path, timeout=0)
    with storage_errors(path):
        try:
            lock.acquire()
        except Timeout as error:
            raise StorageError(
                f"{path}: another process is writing this folder; wait for it or choose another place"
            ) from error
    try:
        check_absent(path)
        with storage_errors(path):
            _remove_leftovers(path)
            temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
            try:
                temporary.chmod(0o777 & ~_UMASK)
                yield temporary
                temporary.replace(path)
                sync_folder(path.parent)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
    finally:
        lock_path.unlink(missing_ok=True)
        lock.release()


def write_json(path: Path, value: object) -> None:
    """Write `value` to `path` as indented JSON with a final newline, atomically."""
    with atomic_file(path, "w") as handle:
        handle.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the JSON value in `path`.

    Raises:
        StorageError: the file cannot be read, or is not JSON.
    """
    with storage_errors(path):
        text = path.read_bytes()
    try:
        return json.loads(text)
    except ValueError as error:
        raise StorageError(f"{path}: not valid JSON ({error}); the file is damaged or not ours") from error


def read_arrays(path: Path) -> "dict[str, NDArray[Any]]":
    """Return the arrays of the npz file at `path` by their names; nothing pickled is read.

    Raises:
        FileNotFoundError: there is no such file.
        PermissionError: it may not be read.
        ValueError: it is no such file, or damaged; one line says how.
    """
    import numpy as np

    with _array_errors(), path.open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise TypeError("a single array")
        return {name: archive[name] for name in archive.files}


def read_array(path: Path) -> "NDArray[Any]":
    """Return the array of the npy file at `path`; nothing pickled is read, and errors are those of `read_arrays`."""
    import numpy as np

    with _array_errors(), path.open("rb") as file:
        found: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return found


@contextlib.contextmanager
def _array_errors() -> Iterator[None]:
    """Turn what zip and array readers raise of damaged bytes into a `ValueError` of one line."""
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    # A dozen kinds, none of them documented, and no base class of theirs but this one: struct.error, zlib.error,
    # tokenize's, numpy's, ...
    except Exception as error:
        raise ValueError(reason_of(error)) from error


def cache_folder() -> Path:
    """Return the folder that holds what can be computed again: `$THUMBNET_CACHE`, else the user's own."""
    import platformdirs

    chosen = os.environ.get("THUMBNET_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("thumbnet"))


def sha256(path: Path) -> str:
    """Return the SHA-256 of the file at `path` as 64 hexadecimal digits."""
    with storage_errors(path), path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _remove_leftovers(path: Path) -> None:
    """Remove what a killed writer of `path` left behind (called with the lock held, so that nobody uses it)."""
    # Not a glob: '.run.*.tmp' would take what is being written for a neighbour called 'run.b' too.
    name = re.compile(re.escape(f".{path.name}.") + r"[^.]+\.tmp")
    for leftover in path.parent.iterdir():
        if name.fullmatch(leftover.name):
            shutil.rmtree(leftover, ignore_errors=True)
