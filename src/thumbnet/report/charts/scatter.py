"""Points of several groups in a plane without units, such as an embedding."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from thumbnet.report.charts.axes import padded
from thumbnet.report.charts.lines import colour

_WIDTH, _HEIGHT, _MARGIN = 560, 440, 10
_FAINT, _CLEAR = 1.9, 3.8


@dataclass(frozen=True)
class Group:
    """Points of one colour and one shape.

    Args:
        name: of the group.
        faint: (x, y) of points in the background.
        clear: (x, y, text) of points in the foreground; the page shows the text of each.
    """

    name: str
    faint: Sequence[tuple[float, float]]
    clear: Sequence[tuple[float, float, str]]


def draw_scatter(title: str, groups: Sequence[Group], key: str) -> Markup:
    """Return a figure of `groups`.

    Args:
        title: what the figure shows, for those who cannot see it.
        groups: at least one has points.
        key: begins the ids of the figure's parts; no other figure of the page has it.
    """
    points = [point for group in groups for point in (*group.faint, *((x, y) for x, y, _ in group.clear))]
    x0, x1 = padded([x for x, _ in points], 0.02)
    y0, y1 = padded([y for _, y in points], 0.02)

    def place(x: float, y: float) -> str:
        across, up = (x - x0) / ((x1 - x0) or 1), (y - y0) / ((y1 - y0) or 1)
        left, top = _MARGIN + across * (_WIDTH - 2 * _MARGIN), _HEIGHT - _MARGIN - up * (_HEIGHT - 2 * _MARGIN)
        return f"{left:.1f} {top:.1f}"

    drawn = [_cloud(f"{key}-{n}", n, [place(x, y) for x, y in group.faint]) for n, group in enumerate(groups)]
    for number, group in enumerate(groups):
        outline = shape(number, _CLEAR)
        drawn += [
            Markup('<path class="point" data-tip="{}" d="M{}{}" fill="{}"/>').format(
                text, place(x, y), outline, colour(number)
            )
            for x, y, text in group.clear
        ]
    names = ", ".join(group.name for group in groups)
    head = Markup('<svg class="chart scatter" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
        _WIDTH, _HEIGHT, f"{title}, by class: {names}"
    )
    return head + Markup("").join(drawn) + Markup("</svg>")


def _cloud(key: str, number: int, places: Sequence[str]) -> Markup:
    """Return the points of the background; markers at the corners of a line take a fifth of the bytes of elements."""
    return Markup(
        '<marker id="{}" markerUnits="userSpaceOnUse" overflow="visible"><path d="{}" fill="{}"/></marker>'
        '<polyline class="cloud" points="{}" style="marker:url(#{})"/>'
    ).format(key, "M0 0" + shape(number, _FAINT), colour(number), " ".join(places), key)


def shape(number: int, radius: float) -> str:
    """Return the outline of the shape of the group with this number, as an SVG path relative to its middle.

    There are eight shapes, each as large as a circle of `radius`. Shape and colour repeat together after 64 groups.
    """
    kind = (number + number // len(_POLYGONS)) % len(_POLYGONS)
    corners = [(radius * x, radius * y) for x, y in _POLYGONS[kind]]
    if not corners:
        return (
            f"m{-radius:.1f} 0a{radius} {radius} 0 1 0 {2 * radius:.1f} 0a{radius} {radius} 0 1 0 {-2 * radius:.1f} 0z"
        )
    steps = [(x1 - x0, y1 - y0) for (x0, y0), (x1, y1) in pairwise(corners)]
    first, *rest = (f"{x:.1f} {y:.1f}" for x, y in (corners[0], *steps))
    return f"m{first}l{' '.join(rest)}z"


Polygon = Sequence[tuple[float, float]]


def _regular(corners: int, turn: float = 0, inner: float = 1) -> Polygon:
    """Return a regular polygon of the area of the unit circle, its first corner up.

    Args:
        corners: their number.
        turn: by which it is turned, in degrees.
        inner: radius of every other corner, as a share of that of the first; below 1 it is a star.
    """
    radius = math.sqrt(2 * math.pi / (corners * inner * math.sin(2 * math.pi / corners)))
    radii = [radius * (inner if place % 2 else 1) for place in range(corners)]
    angles = [math.radians(turn) + 2 * math.pi * place / corners for place in range(corners)]
    return [(one * math.sin(angle), -one * math.cos(angle)) for one, angle in zip(radii, angles, strict=True)]


def _cross(arm: float, width: float) -> Polygon:
    """Return a cross with arms of the length `arm` from its middle, and of half the width `width`."""
    return [
        *((-width, -arm), (width, -arm), (width, -width), (arm, -width), (arm, width), (width, width)),
        *((width, arm), (-width, arm), (-width, width), (-arm, width), (-arm, -width), (-width, -width)),
    ]


_PLUS = _cross(1.4, 0.35)
_POLYGONS: Sequence[Polygon] = (
    (),
    _regular(3),
    _regular(4, 45),
    _PLUS,
    _regular(4),
    _regular(3, 180),
    _regular(10, inner=0.45),
    [((x - y) / math.sqrt(2), (x + y) / math.sqrt(2)) for x, y in _PLUS],
)
"""Corners of the shapes in units of their size; the first, without corners, is the circle."""
