"""Files that appear whole or not at all, and one line for each way in which storage fails."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from thumbnet.errors import StorageError, ThumbnetError

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

_WRITER = re.compile(r"\.(\d{1,7})\.[^.]+\.tmp")
"""Finds the number of the process that writes a file in the name that this has until it is whole."""


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
        raise storage_error(error, path) from error


def storage_error(error: OSError, path: Path | str) -> StorageError:
    """Return `error` as one line with the remedy; it names the file of `error`, or `path` where that has none."""
    unknown = f"{(error.strerror or str(error)).lower()}; check the path and the disk"
    return StorageError(f"{error.filename or path}: {_REMEDY.get(error.errno or 0, unknown)}")


def is_file(path: Path) -> bool:
    """Return whether a file lies at `path`.

    Raises:
        StorageError: one may not look (`Path.is_file` answers that by Python's version, from 3.14 on with False).
    """
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Return whether a folder lies at `path`.

    Raises:
        StorageError: one may not look (see `is_file`).
    """
    return stat.S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    """Return the mode of what lies at `path`, 0 where nothing does."""
    with storage_errors(path):
        try:
            return path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a name with a null in it
            return 0


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
            prefix = f".{path.name}.{os.getpid()}."
            with tempfile.NamedTemporaryFile(
                mode, dir=path.parent, prefix=prefix, suffix=".tmp", delete=False, encoding=encoding
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


def remove_unfinished(folder: Path) -> None:
    """Remove what killed writers of `atomic_file` left in `folder`, but nothing that another process still writes.

    A process of another machine, or of a container with numbers of its own, cannot be told from a killed one.
    """
    for file in folder.glob(".*.tmp"):
        writer = _WRITER.search(file.name)
        if writer is None or not _is_another(int(writer[1])):
            file.unlink(missing_ok=True)


def _is_another(process: int) -> bool:
    """Return whether the number `process` is that of another process, which lives."""
    if os.name == "nt":  # there the call below would end it
        return False
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, PermissionError)  # another user's
    return process != os.getpid()


@contextlib.contextmanager
def private_file(path: Path) -> Iterator[IO[Any]]:
    """Open a new file as `atomic_file` does, which its owner alone can read from the start.

    Raises:
        StorageError: the place cannot be written or the disk is full.
    """
    with atomic_file(path, permissions=0o600) as handle:
        yield handle


def lock_beside(path: Path) -> Path:
    """Return the hidden file beside `path` that is locked while `path` is written."""
    return path.parent / f".{path.name}.lock"


@contextlib.contextmanager
def locked(file: Path, otherwise: ThumbnetError | Callable[[], None]) -> Iterator[None]:
    """Lock `file`, made where it is not there, for the block; the lock goes with the process that holds it.

    The file stays, for another process may be waiting for it; only within the block may it be removed.

    Args:
        file: what all processes lock that must not meet.
        otherwise: raised where another process holds the lock; or called before it is tried for again, each half a
            second, and free to raise.

    Raises:
        StorageError: the file cannot be made or opened.
    """
    lock, seconds = FileLock(file), 0.0
    while True:
        with storage_errors(file), contextlib.suppress(Timeout):
            lock.acquire(timeout=seconds)
            break
        if isinstance(otherwise, ThumbnetError):
            raise otherwise
        otherwise()
        seconds = 0.5
    try:
        yield
    finally:
        lock.release()


def check_writable(path: Path) -> None:
    """Check that a file can be written to `path`, in place of one that may be there.

    Raises:
        StorageError: it is a folder, or its folder is not there or takes no file.
    """
    with storage_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        try:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:  # it names the trial, not the file
            raise OSError(error.errno, error.strerror, str(path)) from error


def check_absent(path: Path) -> None:
    """Check that nothing lies at `path` yet, not even a link that leads nowhere.

    Raises:
        StorageError: it exists.
    """
    if os.path.lexists(path):
        raise StorageError(f"{path}: exists already and is never overwritten; choose another place or remove it")


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `path` when the block ends well and vanishes when it does not.

    A lock beside `path` keeps a second process out. The block flushes its files (`sync`), this their names.

    Raises:
        StorageError: `path` exists, another process is writing it, or the place cannot be written.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock_file = lock_beside(path)
    in_use = StorageError(f"{path}: another process is writing this folder; wait for it or choose another place")
    with locked(lock_file, in_use):
        try:
            check_absent(path)
            with storage_errors(path), _replacing(path) as temporary:
                yield temporary
        finally:
            lock_file.unlink(missing_ok=True)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Do this with the lock held: first what a killed writer of `path` left is removed, for nobody uses it."""
    # Not a glob: '.run.*.tmp' would take what is being written for a neighbour called 'run.b' too.
    leftover = re.compile(re.escape(f".{path.name}.") + r"[^.]+\.tmp")
    for file in path.parent.iterdir():
        if leftover.fullmatch(file.name):
            shutil.rmtree(file, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
    try:
        temporary.chmod(0o777 & ~_UMASK)
        yield temporary
        for folder, _, _ in os.walk(temporary):
            sync_folder(Path(folder))
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def json_text(value: object) -> str:
    """Return `value` as indented JSON with a final newline.

    JSON has no number that is not finite: null stands for one, with a warning, so that what is finished is kept.
    """
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError:
        finite = json.loads(json.dumps(value), parse_constant=lambda _: None)
    warnings.warn("a number that is not finite, which JSON has not, is written as null", RuntimeWarning, stacklevel=2)
    return json.dumps(finite, indent=2, ensure_ascii=False) + "\n"


def write_json(path: Path, value: object) -> None:
    """Write `value` to `path` as `json_text`, atomically."""
    text = json_text(value)
    with atomic_file(path, "w") as handle:
        handle.write(text)


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


def cache_folder() -> Path:
    """Return the folder that holds what can be computed again: `$THUMBNET_CACHE`, else the user's own."""
    import platformdirs

    chosen = os.environ.get("THUMBNET_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("thumbnet"))


def sha256(path: Path) -> str:
    """Return the SHA-256 of the file at `path` as 64 hexadecimal digits."""
    with storage_errors(path), path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
