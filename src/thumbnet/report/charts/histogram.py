"""Bars of counts over equal ranges."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from thumbnet.report.charts.axes import frame, make_axes, svg


@dataclass(frozen=True)
class Histogram:
    """Counts in equal ranges.

    Args:
        counts: at least one.
        ends: where the first range begins and the last one ends.
        percent: whether the ranges are told as percentages.
    """

    counts: Sequence[int]
    ends: tuple[float, float]
    percent: bool = False

    @property
    def edges(self) -> list[float]:
        """Where the ranges begin, and where the last one ends."""
        low, high = self.ends
        return [low + place * (high - low) / len(self.counts) for place in range(len(self.counts) + 1)]

    @property
    def rows(self) -> list[tuple[str, int]]:
        """Each range in words, '5 to 10%', with its count."""
        scale, unit = (100, "%") if self.percent else (1, "")
        texts = [f"{scale * start:.4g} to {scale * end:.4g}{unit}" for start, end in pairwise(self.edges)]
        return list(zip(texts, self.counts, strict=True))


def draw_histogram(title: str, across: str, up: str, found: Histogram) -> Markup:
    """Return a figure of a histogram.

    Args:
        title: what the figure shows, for those who cannot see it.
        across: the name of the value.
        up: the name of what is counted.
        found: what is drawn; the page shows each range with its count.
    """
    axes = make_axes(found.ends, (0.0, float(max(*found.counts, 1))))
    bars = []
    for (start, end), (text, count) in zip(pairwise(found.edges), found.rows, strict=True):
        x, y = axes.x(start), axes.y(float(count))
        bars.append(
            Markup('<rect class="bar" data-tip="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                f"{text}: {count:,}", x + 0.5, y, axes.x(end) - x - 1, axes.y.start - y
            )
        )
    return svg(axes, title, frame(axes, across, up) + Markup("").join(bars))
