"""Curves over epochs, several in one figure, with marks and with values that the page's script shows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from thumbnet.report import words
from thumbnet.report.charts.axes import Axes, frame, make_axes, padded, svg

_POINTS = 500
"""Points up to which a curve is drawn whole; a longer one keeps the extremes of each of as many parts."""

_DASHES = ("", "6 3", "2 3", "8 3 2 3", "12 4")
_COLOURS = 8
_MIXED = 60
"""Share in per cent that a colour has of itself, the text's making up the rest, when it is taken a second time."""


@dataclass(frozen=True)
class Curve:
    """One curve.

    Args:
        label: its name.
        points: (x, y), ascending in x.
        colour: number of its colour.
        dash: number of its line style.
        faint: whether it is drawn thin, as a background to another.
    """

    label: str
    points: Sequence[tuple[float, float]]
    colour: int
    dash: int = 0
    faint: bool = False


@dataclass(frozen=True)
class Mark:
    """A vertical line at `x` with a text, drawn in the colour with this number or in a neutral one."""

    x: float
    text: str
    colour: int | None = None


class Key(NamedTuple):
    """One entry of a legend of lines: its text, colour and dash pattern."""

    text: str
    colour: str
    dash: str


def draw_lines(
    title: str,
    up: str,
    curves: Sequence[Curve],
    marks: Sequence[Mark] = (),
    *,
    percent: bool = False,
    floor: float | None = None,
) -> Markup:
    """Return a figure of `curves` over epochs; empty where no curve has a point.

    Args:
        title: what the figure shows, for those who cannot see it.
        up: the name of the figure that is drawn.
        curves: of which those without points are left out.
        marks: vertical lines with a text each.
        percent: whether fractions are written as percentages.
        floor: a positive number makes the scale up logarithmic, from there or from the lowest value above it.
    """
    curves = [one for one in curves if one.points]
    if not curves:
        return Markup("")
    values = [y for one in curves for _, y in one.points]
    low, high = padded(values) if floor is None else (max(min(values), floor), max(values))
    if min(values) >= 0:
        low = max(0.0, low)
    end = max(x for one in curves for x, _ in one.points)
    axes = make_axes((0, end), (low, high), log_y=floor is not None)
    drawn = [_mark(axes, one) for one in marks]
    drawn += [_line(axes, one) for one in sorted(curves, key=lambda one: not one.faint)]
    drawn.append(Markup('<g class="cursor"></g>'))
    name = f"{title}. " + "; ".join(_spoken(one, percent) for one in curves if not one.faint)
    content = frame(axes, "epoch", up, percent=percent) + Markup("").join(drawn)
    return svg(axes, name, content, kind="lines", data=_data(axes, percent))


def thin(points: Sequence[tuple[float, float]], count: int = _POINTS) -> list[tuple[float, float]]:
    """Return `points`, or of more than `count` the lowest and highest of each of `count` / 2 parts, in order."""
    if len(points) <= count:
        return list(points)
    kept: list[int] = []
    values = np.array([y for _, y in points])
    for part in np.array_split(np.arange(len(points)), count // 2):
        kept += sorted({int(part[values[part].argmin()]), int(part[values[part].argmax()])})
    return [points[place] for place in kept]


def smooth(points: Sequence[tuple[float, float]], parts: int = 60) -> list[tuple[float, float]]:
    """Return the mean point of each of `parts` parts of `points`; all points where there are fewer."""
    if len(points) <= parts:
        return list(points)
    return [(float(part[:, 0].mean()), float(part[:, 1].mean())) for part in np.array_split(np.array(points), parts)]


def colour(place: int) -> str:
    """Return the CSS colour with this number: eight of the style sheet, then the same nearer to that of the text.

    They repeat after sixteen.
    """
    named = f"var(--c{place % _COLOURS})"
    return f"color-mix(in srgb, {named} {_MIXED}%, var(--text))" if place // _COLOURS % 2 else named


def dash(place: int) -> str:
    """Return the dash pattern of the line style with this number."""
    return _DASHES[place % len(_DASHES)]


def _line(axes: Axes, curve: Curve) -> Markup:
    points = thin(curve.points)
    places = " ".join(f"{axes.x(x):.1f},{min(axes.y(y), axes.y.start):.1f}" for x, y in points)
    dots = Markup("")
    if len(points) <= 40 and not curve.faint:
        dots = Markup("").join(
            Markup('<circle cx="{:.1f}" cy="{:.1f}" r="2.4" fill="{}"/>').format(
                axes.x(x), axes.y(y), colour(curve.colour)
            )
            for x, y in points
        )
    return (
        Markup(
            '<polyline class="line{}" data-label="{}" data-points="{}" points="{}" stroke="{}" stroke-dasharray="{}"/>'
        ).format(
            *(" faint" if curve.faint else "", curve.label, "" if curve.faint else _values(points), places),
            *(colour(curve.colour), dash(curve.dash)),
        )
        + dots
    )


def _mark(axes: Axes, mark: Mark) -> Markup:
    place = axes.x(mark.x)
    stroke = "var(--muted)" if mark.colour is None else colour(mark.colour)
    line = Markup('<line x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}" stroke="{}"/>').format(
        place, place, axes.y.end, axes.y.start, stroke
    )
    text = Markup("")
    if mark.colour is None:  # those of several runs would lie on each other
        text = Markup('<text x="{:.1f}" y="{}" text-anchor="end">{}</text>').format(
            place - 4, axes.y.end + 10, mark.text.split(":")[0]
        )
    return Markup('<g class="mark"><title>{}</title>{}{}</g>').format(mark.text, line, text)


def _spoken(curve: Curve, percent: bool) -> str:
    last = curve.points[-1][1]
    return f"{curve.label} ends at {words.percent(last) if percent else f'{last:.4g}'}"


def _values(points: Sequence[tuple[float, float]]) -> str:
    """Return the points themselves, '1,0.5 2,0.6', as the script tells them."""
    return " ".join(f"{x:.7g},{y:.7g}" for x, y in points)


def _data(axes: Axes, percent: bool) -> str:
    """Return what the script needs besides the points, as JSON: the scale across, and the ends of the plot."""
    x, y = axes.x, axes.y
    return json.dumps({"x": [x.low, x.high, x.start, x.end], "y": [y.start, y.end], "percent": percent})
