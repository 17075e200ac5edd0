"""Arrays in files: nothing pickled is read, and all ways in which bytes can be damaged are one error."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import reason_of


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of the npz file at `path` by their names; nothing pickled is read.

    Raises:
        FileNotFoundError: there is no such file.
        PermissionError: it may not be read.
        ValueError: it is no such file, or damaged; one line says how.
    """
    with array_errors(FileNotFoundError, PermissionError), path.open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise TypeError("a single array")
        return {name: archive[name] for name in archive.files}


def read_array(path: Path) -> NDArray[Any]:
    """Return the array of the npy file at `path`; nothing pickled is read, and errors are those of `read_arrays`."""
    with array_errors(FileNotFoundError, PermissionError), path.open("rb") as file:
        found: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return found


@contextlib.contextmanager
def array_errors(*passed: type[OSError]) -> Iterator[None]:
    """Turn what zip and array readers raise of damaged bytes into a `ValueError` of one line.

    Args:
        passed: errors that say nothing of the bytes, which are left as they are.
    """
    try:
        yield
    except passed:
        raise
    # A dozen kinds, none of them documented, and no base class of theirs but this one: struct.error, zlib.error,
    # tokenize's, numpy's, ...
    except Exception as error:
        raise ValueError(reason_of(error)) from error
