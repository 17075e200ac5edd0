"""The figure of a study: its panels side by side, as a PNG and an SVG."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thumbnet.workflows.figures import drawn
from thumbnet.workflows.study.panels import draw_panel
from thumbnet.workflows.study.result import StudyResult

_COLUMNS = 3
_WIDTH, _HEIGHT = 5.2, 4.2
"""Of a panel, in inches."""


def draw_study(result: StudyResult, paths: Sequence[Path]) -> None:
    """Draw the panels that a study names into each of `paths`, atomically, in the format that its suffix says.

    Raises:
        RunError: a run's files are missing or damaged.
        StorageError: a file cannot be written.
    """
    panels = result.study.panels
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    with drawn(max(6.4, _WIDTH * columns), _HEIGHT * rows + 0.6, paths, result.study.name) as figure:
        grid: Any = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.axis("off")
        for axes, panel in zip(grid.flat, panels, strict=False):
            draw_panel(panel, axes, result)
        figure.suptitle(_title(result, columns), fontsize=12)


def _title(result: StudyResult, columns: int) -> str:
    """Return the study's name, and what it shows, in lines that fit over `columns` panels."""
    source = f" ({result.study.source})" if result.study.source else ""
    about = result.study.text.removesuffix(".") + source
    return "\n".join([result.study.name, *textwrap.wrap(about, 60 * max(columns, 1))])
