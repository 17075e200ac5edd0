"""Bars of counts over equal ranges."""

from collections.abc import Sequence

from markupsafe import Markup

from thumbnet.report.charts.axes import frame, make_axes, svg


def draw_histogram(
    title: str, across: str, up: str, counts: Sequence[int], ends: tuple[float, float], *, percent: bool = False
) -> Markup:
    """Return a figure of `counts` in equal ranges from `low` to `high`.

    Args:
        title: what the figure shows, for those who cannot see it.
        across: the name of the value.
        up: the name of what is counted.
        counts: at least one.
        ends: where the first range begins and the last one ends.
        percent: whether the texts on the bars give the value as a percentage.
    """
    low, high = ends
    axes = make_axes((low, high), (0.0, float(max(*counts, 1))))
    step = (high - low) / len(counts)
    bars = []
    for place, count in enumerate(counts):
        start, end = low + place * step, low + (place + 1) * step
        x, y = axes.x(start), axes.y(float(count))
        scale, unit = (100.0, "%") if percent else (1.0, "")
        text = f"{scale * start:.4g} to {scale * end:.4g}{unit}: {count:,}"
        bars.append(
            Markup('<rect class="bar" data-tip="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                text, x + 0.5, y, axes.x(end) - x - 1, axes.y.start - y
            )
        )
    return svg(axes, title, frame(axes, across, up) + Markup("").join(bars))
