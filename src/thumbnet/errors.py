"""Errors that a user can mend.

Each is raised with one line that says what is wrong, where, and what to do about it, and may have notes, of one line
each (`__notes__`). The command line prints that line, then the notes, and exits with status 1; a program can catch
`ThumbnetError` for all of them or one class for a kind.
"""

import difflib
import textwrap
from collections.abc import Iterable


class ThumbnetError(Exception):
    """Base class of every error that the user can mend."""


class DataError(ThumbnetError):
    """A source or a packed data set that is missing, damaged or not what it says."""


class RecipeError(ThumbnetError):
    """A recipe with an unknown name, a value of the wrong type or range, or an impossible combination."""


class RunError(ThumbnetError):
    """A run directory that is missing, unfinished, damaged or of other data."""


class TrainingError(ThumbnetError):
    """Training that cannot go on: a loss that is not finite, or memory that runs out."""


class PredictionError(ThumbnetError):
    """Saved predictions or a submission that are damaged or do not fit together."""


class ChallengeError(ThumbnetError):
    """A challenge that is set up wrongly, or refuses what it was asked."""


class StorageError(ThumbnetError):
    """A file or folder that cannot be read or written: disk full, read-only, in use."""


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
