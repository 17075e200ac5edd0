"""Points of several groups in a plane without units, such as an embedding."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from thumbnet.report.charts.axes import padded
from thumbnet.report.charts.lines import colour

_WIDTH, _HEIGHT, _MARGIN = 560, 440, 10


@dataclass(frozen=True)
class Group:
    """Points of one colour.

    Args:
        name: of the group.
        faint: (x, y) of points in the background.
        clear: (x, y, text) of points in the foreground; the page shows the text of each.
    """

    name: str
    faint: Sequence[tuple[float, float]]
    clear: Sequence[tuple[float, float, str]]


def draw_scatter(title: str, groups: Sequence[Group]) -> Markup:
    """Return a figure of `groups`, of which at least one has points; `title` is for those who cannot see it."""
    points = [point for group in groups for point in (*group.faint, *((x, y) for x, y, _ in group.clear))]
    x0, x1 = padded([x for x, _ in points], 0.02)
    y0, y1 = padded([y for _, y in points], 0.02)

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = (x - x0) / ((x1 - x0) or 1), (y - y0) / ((y1 - y0) or 1)
        return _MARGIN + across * (_WIDTH - 2 * _MARGIN), _HEIGHT - _MARGIN - up * (_HEIGHT - 2 * _MARGIN)

    drawn = []
    for number, group in enumerate(groups):
        # One path of lines of no length, with round ends, takes a tenth of the bytes of as many circles.
        path = "".join("M{:.1f} {:.1f}h0".format(*place(x, y)) for x, y in group.faint)
        drawn.append(Markup('<path class="cloud" d="{}" stroke="{}"/>').format(path, colour(number)))
    for number, group in enumerate(groups):
        for x, y, text in group.clear:
            across, up = place(x, y)
            drawn.append(
                Markup('<circle class="point" data-tip="{}" cx="{:.1f}" cy="{:.1f}" r="3.6" fill="{}"/>').format(
                    text, across, up, colour(number)
                )
            )
    names = ", ".join(group.name for group in groups)
    head = Markup('<svg class="chart scatter" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
        _WIDTH, _HEIGHT, f"{title}, by class: {names}"
    )
    return head + Markup("").join(drawn) + Markup("</svg>")
