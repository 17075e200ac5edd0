"""The figure of an ensemble: its accuracy against its size."""

from pathlib import Path
from typing import Any

import numpy as np

from thumbnet.errors import PredictionError
from thumbnet.metrics import Accuracy
from thumbnet.workflows.ensembling.ensemble import Ensemble, order_text
from thumbnet.workflows.figures import drawn

_KINDS = ("png", "svg", "pdf")


def check_figure(path: Path) -> None:
    """Check that a figure can be drawn into `path`.

    Raises:
        PredictionError: its suffix names no format of pictures.
    """
    if path.suffix.removeprefix(".") not in _KINDS:
        raise PredictionError(f"{path}: not a file for a figure; give one that ends in .png, .svg or .pdf")


def draw_curve(made: Ensemble, path: Path) -> None:
    """Draw the accuracy of the ensembles of 1, 2, ... members with its 95% interval, and that of each member alone.

    Raises:
        PredictionError: the judged split has no labels, or the suffix of `path` names no format of pictures.
        StorageError: the file cannot be written.
    """
    check_figure(path)
    if made.curve is None or made.right is None:
        raise PredictionError(f"split {made.wish.split!r} has no labels, so there is no curve; leave out --curve")
    with drawn(6.4, 4.4, [path], "ensemble") as figure:
        _draw(figure.subplots(), made)


def _draw(axes: Any, made: Ensemble) -> None:
    from matplotlib.ticker import MaxNLocator

    assert made.curve is not None
    assert made.right is not None
    sizes, found = np.arange(1, len(made.curve) + 1), [Accuracy.of(right) for right in made.curve]
    low, high = zip(*(one.top1_interval for one in found), strict=True)
    axes.fill_between(sizes, 100 * np.array(low), 100 * np.array(high), alpha=0.15, linewidth=0)
    axes.plot(
        sizes, [100 * one.top1 for one in found], marker="o", markersize=4, label="ensemble, with its 95% interval"
    )
    alone = 100 * made.right.mean(axis=1)
    if made.wish.select is None:
        axes.plot(sizes, alone, ".", color="grey", label="the member that joins, alone")
    axes.axhline(alone.max(), color="grey", linewidth=0.8, linestyle="--", label="the best member alone")
    axes.set(xlabel=order_text(made.wish.select, made.ordered_by), ylabel=f"{made.wish.split} top-1 (%)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=9)
