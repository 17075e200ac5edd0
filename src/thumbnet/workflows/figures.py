"""Figures by matplotlib, drawn without a screen and written whole."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from thumbnet.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS = 110
"""An inch, of a PNG."""


@contextlib.contextmanager
def drawn(width: float, height: float, paths: Sequence[Path], name: str) -> "Iterator[Figure]":
    """Yield an empty figure; when the block has drawn it, write it into each of `paths`, atomically.

    Args:
        width: of the figure, in inches.
        height: of the figure, in inches.
        paths: files; the suffix of each says the format.
        name: of what is drawn; drawing the same again gives the same SVG, to the byte.

    Raises:
        StorageError: a file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Without a fixed salt the identifiers of an SVG differ from one drawing to the next.
    with rc_context({"svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        for path in paths:
            kind = path.suffix.removeprefix(".")
            with atomic_file(path) as handle:
                figure.savefig(handle, format=kind, dpi=_DOTS, metadata={"Date": None} if kind == "svg" else None)
