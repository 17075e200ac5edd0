"""The figure of a search: the best so far, and the value against each parameter, as a PNG and an SVG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thumbnet.studies.search import SPLIT
from thumbnet.studies.space import Choice, Parameter
from thumbnet.workflows.figures import COLUMNS, panels
from thumbnet.workflows.tuning.result import SearchResult, Trial

Axes = Any
"""Of matplotlib."""

_PANEL = (4.6, 3.8)
"""Width and height, in inches."""

_STYLES: Mapping[str, Mapping[str, Any]] = {
    "complete": {"marker": "o", "color": "tab:blue", "s": 16, "alpha": 0.7},
    "pruned": {"marker": "x", "color": "tab:gray", "s": 16, "alpha": 0.6},
    "failed": {"marker": "v", "color": "tab:red", "s": 16, "alpha": 0.7},
}
_NAMES = {"complete": "complete", "pruned": "ended early", "failed": "failed"}


def draw_search(result: SearchResult, paths: Sequence[Path]) -> None:
    """Draw what a search found into each of `paths`, atomically, in the format that its suffix says.

    Raises:
        StorageError: a file cannot be written.
    """
    space = result.search.space
    title = [f"{result.search.name}: {len(result.trials)} trials"]
    with panels(1 + len(space), _PANEL, paths, result.search.name, title, sharey=True) as grid:
        draw_progress(grid[0], result)
        for axes, parameter in zip(grid[1:], space, strict=True):
            draw_parameter(axes, result, parameter)
        for axes in grid[::COLUMNS]:
            axes.set_ylabel(f"top-1 accuracy on the {SPLIT} (%)")


def draw_progress(axes: Axes, result: SearchResult) -> None:
    """Every trial's value in order, the best so far, and what the search started from."""
    for state, name in _NAMES.items():
        found = [trial for trial in result.trials if trial.state == state and trial.value is not None]
        _scatter(axes, [trial.number for trial in found], found, state, name)
    places, heights = best_so_far(result.trials)
    axes.step(places, [100 * height for height in heights], where="post", color="tab:blue", label="best so far")
    if result.started is not None and result.started.value is not None:
        axes.axhline(100 * result.started.value, color="black", linestyle=":", linewidth=1, label="start")
    _star(axes, result.best.number, result.best)
    axes.set_xlabel("trial")
    axes.set_title("the best so far", fontsize=11)
    axes.legend(fontsize=8, loc="lower right")
    axes.grid(alpha=0.3)


def draw_parameter(axes: Axes, result: SearchResult, parameter: Parameter) -> None:
    """Every trial's value against one parameter, on a logarithmic axis where it is searched so; the best marked."""
    place = _places(parameter)
    for state in _NAMES:
        found = [trial for trial in result.trials if trial.state == state and trial.value is not None]
        _scatter(axes, [place(trial.values[parameter.name]) for trial in found], found, state)
    _star(axes, place(result.best.values[parameter.name]), result.best)
    domain = parameter.domain
    if isinstance(domain, Choice):
        axes.set_xticks(range(len(domain.values)), [_short(text) for text in domain.values])
        axes.set_xlim(-0.5, len(domain.values) - 0.5)
    elif domain.log:
        axes.set_xscale("log")
    share = result.importances.get(parameter.name)
    axes.set_xlabel("\n+ ".join(parameter.keys))
    axes.set_title("" if share is None else f"importance {share:.0%}", fontsize=11)
    axes.grid(alpha=0.3)


def best_so_far(trials: Sequence[Trial]) -> tuple[list[int], list[float]]:
    """Return the numbers of the trials, from the first complete one on, and the best complete value up to each."""
    places: list[int] = []
    heights: list[float] = []
    for trial in sorted(trials, key=lambda one: one.number):
        if trial.state == "complete" and trial.value is not None:
            heights.append(max(trial.value, *heights[-1:]) if heights else trial.value)
        elif heights:
            heights.append(heights[-1])
        else:
            continue
        places.append(trial.number)
    return places, heights


def _places(parameter: Parameter) -> Any:
    domain = parameter.domain
    return domain.values.index if isinstance(domain, Choice) else float


def _scatter(axes: Axes, places: Sequence[float], trials: Sequence[Trial], state: str, label: str = "") -> None:
    if trials:
        heights = 100 * np.array([trial.value for trial in trials], dtype=float)
        axes.scatter(places, heights, label=label or None, **_STYLES[state])


def _star(axes: Axes, place: float, best: Trial) -> None:
    height = 100 * (best.value or 0.0)
    axes.scatter([place], [height], marker="*", s=160, color="tab:orange", edgecolor="black", zorder=3, label="best")


def _short(text: str) -> str:
    return text if len(text) <= 14 else f"{text[:13]}…"
