"""Accuracy by severity: one line a corruption, from the clean figure on."""

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from thumbnet.report.charts.axes import frame, make_axes, svg
from thumbnet.report.charts.lines import Key, colour, dash
from thumbnet.report.words import percent
from thumbnet.text import interval

Values = Sequence[tuple[int, float, tuple[float, float]]]
"""Severity (from 1), accuracy and its interval."""


def severity_keys(names: Iterable[str]) -> list[Key]:
    """Return the legend of a figure of these corruptions."""
    return [Key(name, colour(number), dash(number)) for number, name in enumerate(names)]


def draw_severities(title: str, clean: float, found: Mapping[str, Values]) -> Markup:
    """Return a figure of accuracies by severity.

    Args:
        title: what the figure shows, for those who cannot see it.
        clean: the accuracy without corruption.
        found: by corruption.
    """
    high = max([clean, *(end for values in found.values() for _, _, (_, end) in values)])
    axes = make_axes((0, 5), (0, min(1.0, high * 1.08)))
    level = axes.y(clean)
    drawn = [
        Markup('<line class="level" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(
            axes.x(0), axes.x(5), level, level
        )
    ]
    for key, (name, values) in zip(severity_keys(found), found.items(), strict=True):
        points = " ".join(
            f"{axes.x(at):.1f},{axes.y(value):.1f}" for at, value in [(0, clean), *((at, v) for at, v, _ in values)]
        )
        drawn.append(
            Markup('<polyline class="line" points="{}" stroke="{}" stroke-dasharray="{}"/>').format(
                points, key.colour, key.dash
            )
        )
        for at, value, ends in values:
            text = f"{name} {at}\n{percent(value)} ({interval(ends)})"
            drawn.append(
                Markup('<circle data-tip="{}" cx="{:.1f}" cy="{:.1f}" r="4" fill="{}"/>').format(
                    text, axes.x(at), axes.y(value), key.colour
                )
            )
    spoken = "; ".join(
        f"{name} {percent(values[-1][1])} at the worst severity" for name, values in found.items() if values
    )
    content = frame(axes, "severity (0 is clean)", "accuracy", percent=True) + Markup("").join(drawn)
    return svg(axes, f"{title}. Clean {percent(clean)}; {spoken}", content)
