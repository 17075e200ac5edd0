"""One dot a class with its interval, sorted; and bars of differences."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from thumbnet.report.charts.axes import Axes, frame, make_axes, svg

_HEIGHT = 240


@dataclass(frozen=True)
class Dot:
    """A value in [-1, 1], the ends of its interval, and the text that the page shows for it."""

    value: float
    interval: tuple[float, float]
    text: str


def draw_dots(
    title: str, across: str, up: str, dots: Sequence[Dot], *, low: float = 0, line: float | None = None
) -> Markup:
    """Return a figure of `dots` side by side, in their order.

    Args:
        title: what the figure shows, for those who cannot see it.
        across: what the order is.
        up: the name of the value.
        dots: at least one.
        low: the lower end of the scale, whose upper end is 1 (or `-low`, where it is negative).
        line: a value that a line is drawn at.
    """
    high = -low if low < 0 else 1.0
    axes = make_axes((0, len(dots)), (low, high), width=920, height=_HEIGHT)
    radius = max(1.2, min(4.0, 300 / len(dots)))
    drawn = [_dot(axes, place, one, radius) for place, one in enumerate(dots)]
    if line is not None:
        y = axes.y(line)
        drawn.insert(
            0,
            Markup('<line class="level" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
                axes.x.start, axes.x.end, y, y
            ),
        )
    return svg(axes, title, frame(axes, across, up, percent=True) + Markup("").join(drawn), kind="dots wide")


def _dot(axes: Axes, place: int, dot: Dot, radius: float) -> Markup:
    x = axes.x(place + 0.5)
    low, high = (axes.y(end) for end in dot.interval)
    line = Markup('<line x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(x, x, low, high)
    return Markup('<g data-tip="{}">{}<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}"/></g>').format(
        dot.text, line, x, axes.y(dot.value), radius
    )
