"""Drawn as HTML: curves of all runs, one figure a quantity."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from thumbnet.report.charts.lines import Curve, Key, Mark, colour, dash, draw_lines, smooth
from thumbnet.report.facts.curves import Curves, RunCurves, make_curves
from thumbnet.report.section import Scene, Section

_FAR, _FAR_PHASES = 8, 50
"""How many times the peak of one run, and of one phase of a run, is that of another on a logarithmic scale."""


class Panel(NamedTuple):
    """One figure with its title and legend."""

    title: str
    figure: Markup
    legend: Sequence[Key]


_SPLITS = {
    "val": "val",
    "eval_train": "train, evaluation mode",
    "running_train": "train, running",
    "holdout": "holdout",
}
"""What each prefix of a stored figure is called; the order decides colours and line styles."""


def draw(facts: Curves, scene: Scene) -> Markup:
    """Return the figures that have a curve, and the phase changes in words."""
    found = [
        _over_splits(facts, "loss", "Loss", percent=False),
        _over_splits(facts, "top1", "Top-1 accuracy", percent=True),
        _iterations(facts),
        _single(facts, "lr", "Learning rate", steps=True),
        _single(facts, "images_per_second", "Images per second", steps=False),
    ]
    changes = [(run.label, change) for run in facts.runs for change in run.changes]
    return scene.render("curves.html", panels=[one for one in found if one.figure], changes=changes, facts=facts)


def _over_splits(facts: Curves, figure: str, title: str, *, percent: bool) -> Panel:
    several = len(facts.runs) > 1
    curves = [
        Curve(
            f"{run.label}: {text}" if several else text,
            run.series(f"{prefix}_{figure}"),
            number if several else place,
            place,
        )
        for number, run in enumerate(facts.runs)
        for place, (prefix, text) in enumerate(_SPLITS.items())
    ]
    return _panel(facts, title, figure.replace("top1", "accuracy"), curves, percent=percent)


def _iterations(facts: Curves) -> Panel:
    curves = []
    for number, run in enumerate(facts.runs):
        points = run.steps("loss")
        averaged = smooth(points)
        if len(points) > len(averaged):
            curves.append(Curve(f"{run.label}, each iteration", points, number, faint=True))
        curves.append(Curve(run.label, averaged, number))
    return _panel(facts, "Loss of each iteration, with its mean", "loss", curves)


def _single(facts: Curves, key: str, title: str, *, steps: bool) -> Panel:
    curves = [
        Curve(run.label, run.steps(key) if steps else run.series(key), number) for number, run in enumerate(facts.runs)
    ]
    phases = [_peaks(one.points, run) for one, run in zip(curves, facts.runs, strict=True) if one.points]
    # What lies far apart shares a figure only on a logarithmic scale, over three powers below the lowest peak.
    wide = _far_apart([max(one) for one in phases], _FAR) or any(_far_apart(one, _FAR_PHASES) for one in phases)
    floor = min(min(one) for one in phases) / 1000 if wide else None
    return _panel(facts, title + (" (logarithmic)" if wide else ""), title.lower(), curves, floor=floor)


def _peaks(points: Sequence[tuple[float, float]], run: RunCurves) -> list[float]:
    """Return the highest value of each phase of `run` that has a point; what ends a phase belongs to it."""
    starts = [change.epoch for change in run.changes]
    phases: dict[int, float] = {}
    for epoch, value in points:
        phase = bisect_left(starts, epoch)
        phases[phase] = max(value, phases.get(phase, value))
    return list(phases.values())


def _far_apart(peaks: Sequence[float], far: float) -> bool:
    return bool(peaks) and 0 < far * min(peaks) < max(peaks)


def _panel(
    facts: Curves, title: str, up: str, curves: Sequence[Curve], *, percent: bool = False, floor: float | None = None
) -> Panel:
    several = len(facts.runs) > 1
    marks = [
        Mark(change.epoch, f"{run.label}, {change.text}" if several else change.text, number if several else None)
        for number, run in enumerate(facts.runs)
        for change in run.changes
    ]
    figure = draw_lines(title, up, curves, marks, percent=percent, floor=floor)
    return Panel(title, figure, _legend(facts, [one for one in curves if one.points and not one.faint]))


def _legend(facts: Curves, curves: Sequence[Curve]) -> list[Key]:
    """Return an entry for each curve; of several runs, one for each colour and one for each line style."""
    if len(facts.runs) == 1:
        return [Key(one.label, colour(one.colour), dash(one.dash)) for one in curves]
    shown = {one.colour for one in curves}
    runs = [Key(run.label, colour(number), "") for number, run in enumerate(facts.runs) if number in shown]
    styles = sorted({one.dash for one in curves})
    texts = list(_SPLITS.values())
    return runs + [Key(texts[place], "var(--text)", dash(place)) for place in styles if len(styles) > 1]


SECTION = Section("curves", "Training curves", "all", lambda scene: make_curves(scene.subjects), draw)
