"""What a person names as a source, and opening it."""

import os
from pathlib import Path
from typing import Literal

from thumbnet.errors import DataError
from thumbnet.files import is_file, is_folder
from thumbnet.packed import SIDECAR
from thumbnet.sources.archive import ZipTree
from thumbnet.sources.tree import FileTree, FolderTree


def source_of(given: Path | str | None) -> Path | Literal["digits"] | None:
    """Return the source that `given` names: a path, or the word `digits` for scikit-learn's; `None` stays.

    Raises:
        DataError: `digits` names something in the current folder too, other than packed data.
    """
    if given != "digits":
        return None if given is None else Path(given)
    here = Path("digits")
    if os.path.lexists(here) and not is_file(here / SIDECAR):
        raise DataError(
            "digits: the word for scikit-learn's digits, but something here has this name too; "
            "give ./digits for that, or run this in another folder for scikit-learn's"
        )
    return "digits"


def open_tree(source: Path) -> FileTree:
    """Open the archive or folder `source`; use the result as a context manager.

    Raises:
        DataError: there is no such file or folder, or it is not an archive, or the archive is damaged.
        StorageError: it cannot be read.
    """
    if is_folder(source):
        return FolderTree(source)
    if is_file(source):
        return ZipTree(source)
    if os.path.lexists(source):
        raise DataError(f"{source}: neither a file nor a folder; give an archive or a folder of images")
    raise DataError(f"{source}: no such file or folder; give an archive, a folder of images, or 'digits'")
