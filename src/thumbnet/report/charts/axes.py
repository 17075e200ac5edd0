"""Axes of an SVG figure: scales, round ticks, grid and labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

LEFT, RIGHT, TOP, BOTTOM = 62, 12, 10, 40
"""Margins around the plot, in units of the figure."""


@dataclass(frozen=True)
class Scale:
    """Numbers from `low` to `high` on places from `start` to `end`; with `log`, both must be positive."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of `value`."""
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(max(value, self.low))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """Return round numbers within the scale: about `count`, or powers of ten."""
        if self.log:
            powers = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            if len(powers) >= 2:
                return [10.0**power for power in powers]
        step = _round_step((self.high - self.low) / count)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Axes:
    """A plot of `width` by `height` units with a scale across and a scale up."""

    width: float
    height: float
    x: Scale
    y: Scale


def make_axes(
    x: tuple[float, float], y: tuple[float, float], *, width: float = 560, height: float = 300, log_y: bool = False
) -> Axes:
    """Return axes for the ranges `x` and `y`; a range of no length is widened."""
    (x0, x1), (y0, y1) = _wide(x), _wide(y)
    return Axes(width, height, Scale(x0, x1, LEFT, width - RIGHT), Scale(y0, y1, height - BOTTOM, TOP, log_y))


def padded(values: Sequence[float], share: float = 0.05) -> tuple[float, float]:
    """Return the range of `values`, with a share of it more at both ends."""
    low, high = min(values), max(values)
    rest = (high - low) * share
    return low - rest, high + rest


def frame(axes: Axes, across: str, up: str, *, percent: bool = False) -> Markup:
    """Return grid, ticks and names of both axes."""
    left, right, bottom = axes.x.start, axes.x.end, axes.y.start
    parts = []
    for value in axes.y.ticks():
        place = axes.y(value)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{place:.1f}" y2="{place:.1f}"/>')
        text = f"{100 * value:.4g}%" if percent else number(value)
        parts.append(f'<text class="tick" x="{left - 6}" y="{place + 4:.1f}" text-anchor="end">{text}</text>')
    for value in axes.x.ticks():
        place = axes.x(value)
        parts.append(f'<line class="axis" x1="{place:.1f}" x2="{place:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        text = number(value)
        parts.append(f'<text class="tick" x="{place:.1f}" y="{bottom + 17}" text-anchor="middle">{text}</text>')
    parts.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    middle = (left + right) / 2
    parts.append(f'<text class="name" x="{middle}" y="{axes.height - 6}" text-anchor="middle">{escape(across)}</text>')
    y = (axes.y.start + axes.y.end) / 2
    turned = f'transform="rotate(-90 12 {y})"'
    parts.append(f'<text class="name" x="12" y="{y}" text-anchor="middle" {turned}>{escape(up)}</text>')
    return Markup("").join(Markup(part) for part in parts)


def svg(axes: Axes, title: str, content: Markup, *, kind: str = "", data: str = "") -> Markup:
    """Return the whole figure, named `title` for those who cannot see it.

    Args:
        axes: of the figure.
        title: what it shows.
        content: all that is drawn.
        kind: a class for the page's script, such as 'lines'.
        data: text for the script, in the attribute `data-chart`.
    """
    extra = Markup(' data-chart="{}"').format(data) if data else ""
    head = Markup('<svg class="chart {}" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}"{}>').format(
        kind, axes.width, axes.height, title, extra
    )
    return head + content + Markup("</svg>")


def number(value: float) -> str:
    """Return a number in a few characters: '0.01', '1,500', '1e-05'."""
    if value and (abs(value) < 1e-3 or abs(value) >= 1e6):
        return f"{value:.3g}"
    return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:,.0f}"


def _wide(ends: tuple[float, float]) -> tuple[float, float]:
    low, high = ends
    if high > low:
        return low, high
    return (low - 0.5, high + 0.5) if low == 0 else (low - abs(low) * 0.1, high + abs(high) * 0.1)


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.7)
