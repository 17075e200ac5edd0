"""Errors that a user can mend.

Each is raised with one line that says what is wrong, where, and what to do about it, and may have notes, of one line
each (`__notes__`). The command line prints that line, then the notes, and exits with status 1; a program can catch
`ThumbnetError` for all of them or one class for a kind.
"""

import contextlib
import difflib
import errno
import textwrap
from collections.abc import Iterable, Iterator


class ThumbnetError(Exception):
    """Base class of every error that the user can mend."""


class DataError(ThumbnetError):
    """A source or a packed data set that is missing, damaged or not what it says."""


class RecipeError(ThumbnetError):
    """A recipe with an unknown name, a value of the wrong type or range, or an impossible combination."""


class RunError(ThumbnetError):
    """A run directory that is missing, unfinished, damaged or of other data."""


class TrainingError(ThumbnetError):
    """Training that cannot go on: a loss that is not finite, or memory that runs out meanwhile."""


class PredictionError(ThumbnetError):
    """Saved predictions or a submission that are damaged or do not fit together."""


class ChallengeError(ThumbnetError):
    """A challenge that is set up wrongly, or refuses what it was asked."""


class StorageError(ThumbnetError):
    """A file or folder that cannot be read or written: disk full, read-only, in use."""


class OutOfMemoryError(ThumbnetError):
    """Memory that runs out, of this machine or of the device that computes."""


_DEVICE_IS_FULL = ("out of memory", "STATUS_ALLOC_FAILED")
_MACHINE_IS_FULL = ("allocate memory", "not enough memory")
"""What torch's errors say; they are plain `RuntimeError`s but for those of some devices."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether `error` says that memory ran out, on whatever device."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or _says(error, *_DEVICE_IS_FULL, *_MACHINE_IS_FULL)


@contextlib.contextmanager
def memory_errors() -> Iterator[None]:
    """Turn running out of memory into an `OutOfMemoryError` of one line with advice."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_out_of_memory(error):
            raise
        if _says(error, *_DEVICE_IS_FULL):
            advice = "wait until other programs leave it more, or compute on the processor with --device cpu"
            raise OutOfMemoryError(f"the memory of the device ran out ({reason_of(error)}); {advice}") from error
        advice = "end other programs, or take fewer runs, images or threads at a time"
        raise OutOfMemoryError(f"memory ran out ({reason_of(error)}); {advice}") from error


def _says(error: BaseException, *texts: str) -> bool:
    return isinstance(error, RuntimeError) and any(text in str(error) for text in texts)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the known names nearest to `name`, or all of them when none is near."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    return "known: " + ", ".join(names)


def reason_of(error: BaseException) -> str:
    """Return what a library's error says as one line of at most 160 characters, cut between words; never ''."""
    return textwrap.shorten(str(error), 160, placeholder=" ...") or type(error).__name__
