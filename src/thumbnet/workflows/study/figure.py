"""The figure of a study: its panels side by side, as a PNG and an SVG."""

from collections.abc import Sequence
from pathlib import Path

from thumbnet.workflows.figures import panels
from thumbnet.workflows.study.panels import draw_panel
from thumbnet.workflows.study.result import StudyResult

_PANEL = (5.2, 4.2)
"""Width and height, in inches."""


def draw_study(result: StudyResult, paths: Sequence[Path]) -> None:
    """Draw the panels that a study names into each of `paths`, atomically, in the format that its suffix says.

    Raises:
        RunError: a run's files are missing or damaged.
        StorageError: a file cannot be written.
    """
    study = result.study
    source = f" ({study.source})" if study.source else ""
    title = [study.name, study.text.removesuffix(".") + source]
    with panels(len(study.panels), _PANEL, paths, study.name, title) as grid:
        for axes, panel in zip(grid, study.panels, strict=True):
            draw_panel(panel, axes, result)
