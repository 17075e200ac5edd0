"""A team's history as coordinates; a template draws them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from thumbnet.challenge.board import Point
from thumbnet.challenge.moments import iso
from thumbnet.challenge.submissions.scoring import Accuracy

_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25)
_MOST_TICKS = 6
_BESIDE = 9
"""How far a private score stands right of the public one, so that their intervals do not cover each other."""


@dataclass(frozen=True)
class Dot:
    """One score in the drawing, with the ends of its interval; `top` is that of the larger accuracy."""

    x: float
    y: float
    top: float
    bottom: float


@dataclass(frozen=True)
class Plot:
    """What the template draws, in units of the drawing.

    Attributes:
        width: of all of it.
        height: likewise.
        left: where the part between the axes begins.
        right: where it ends.
        top: likewise.
        bottom: likewise.
        ticks: place and accuracy of each line across.
        public: a dot for each submission.
        private: likewise; empty until the scores are revealed.
        best: a path along the best public score so far.
        times: time of the first and of the last submission, ISO 8601.
    """

    width: ClassVar[int] = 640
    height: ClassVar[int] = 300
    left: ClassVar[int] = 52
    right: ClassVar[int] = 624
    top: ClassVar[int] = 14
    bottom: ClassVar[int] = 266
    ticks: Sequence[tuple[float, float]]
    public: Sequence[Dot]
    private: Sequence[Dot]
    best: str
    times: tuple[str, str]


def make(points: Sequence[Point]) -> Plot | None:
    """Return the drawing of `points`, oldest first; `None` where there are none with a score."""
    points = [point for point in points if point.public.interval is not None]
    if not points:
        return None
    private = [(point, point.private) for point in points if point.private is not None and point.private.interval]
    ends = [end for point in points for end in point.public.interval or ()]
    ends += [end for _, accuracy in private for end in accuracy.interval or ()]
    levels = _levels(min(ends), max(ends))
    first, last = points[0].received_at, points[-1].received_at
    across = _scale(first, last, Plot.left + 12, Plot.right - 12)
    up = _scale(levels[0], levels[-1], Plot.bottom, Plot.top)
    public = [_dot(point, point.public, across, up) for point in points]
    return Plot(
        ticks=[(up(level), level) for level in levels],
        public=public,
        private=[_dot(point, accuracy, lambda moment: across(moment) + _BESIDE, up) for point, accuracy in private],
        best=_best(public),
        times=(iso(first), iso(last)),
    )


def _levels(low: float, high: float) -> list[float]:
    """Return at most `_MOST_TICKS` round accuracies that hold `low` and `high` between them."""
    for step in _STEPS:
        start, end = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if end == start:
            end += 1
        if end - start < _MOST_TICKS:
            break
    return [number * step for number in range(start, end + 1)]


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Return the map of `low` to `start` and `high` to `end`; where they are equal, of everything to the middle."""
    if high == low:
        return lambda _value: (start + end) / 2
    return lambda value: round(start + (value - low) / (high - low) * (end - start), 1)


def _dot(point: Point, accuracy: Accuracy, across: Callable[[float], float], up: Callable[[float], float]) -> Dot:
    low, high = accuracy.interval or (0.0, 0.0)
    return Dot(across(point.received_at), up(accuracy.top1 or 0.0), up(high), up(low))


def _best(dots: Sequence[Dot]) -> str:
    # A smaller y is a larger accuracy.
    path, highest = f"M{dots[0].x} {dots[0].y}", dots[0].y
    for dot in dots[1:]:
        highest = min(highest, dot.y)
        path += f"H{dot.x}V{highest}"
    return path
