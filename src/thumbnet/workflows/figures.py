"""Figures by matplotlib, drawn without a screen and written whole."""

import contextlib
import math
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thumbnet.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS = 110
"""An inch, of a PNG."""

COLUMNS = 3
"""Panels in a row of a figure."""

_TITLE = 60
"""Characters of a title over each column."""


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


@contextlib.contextmanager
def panels(
    count: int,
    size: tuple[float, float],
    paths: Sequence[Path],
    name: str,
    title: Sequence[str],
    *,
    sharey: bool = False,
) -> Iterator[list[Any]]:
    """Yield the axes of `count` panels, in rows of `COLUMNS`; then write their figure as `drawn` does.

    Args:
        count: how many panels, 1 or more.
        size: width and height of each, in inches.
        paths: files; the suffix of each says the format.
        name: of what is drawn.
        title: lines above all panels; what is too long for the figure's width goes on in a line of its own.
        sharey: whether all have one vertical axis.

    Raises:
        StorageError: a file cannot be written.
    """
    columns = min(COLUMNS, count)
    rows = math.ceil(count / columns)
    with drawn(max(6.4, size[0] * columns), size[1] * rows + 0.6, paths, name) as figure:
        grid: Any = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
        for axes in grid.flat[count:]:
            axes.axis("off")
        yield list(grid.flat[:count])
        lines = [part for line in title for part in textwrap.wrap(line, _TITLE * columns)]
        figure.suptitle("\n".join(lines), fontsize=12)
