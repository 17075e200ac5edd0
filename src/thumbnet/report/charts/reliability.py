"""Reliability diagrams: accuracy against confidence, bin by bin, over a histogram of the confidences."""

import math

from markupsafe import Markup

from thumbnet.metrics import Reliability
from thumbnet.report.charts.axes import Axes, frame, make_axes, svg
from thumbnet.report.words import percent


def draw_reliability(title: str, found: Reliability) -> Markup:
    """Return the diagram; perfect calibration is the diagonal, and the gap to it is marked in each bin."""
    axes = make_axes((0, 1), (0, 1), width=420, height=360)
    bins = len(found.counts)
    drawn = [
        Markup('<line class="level" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(
            axes.x(0), axes.x(1), axes.y(0), axes.y(1)
        )
    ]
    drawn += [_bar(axes, found, place) for place in range(bins) if found.counts[place]]
    content = frame(axes, "confidence", "accuracy", percent=True) + Markup("").join(drawn)
    name = f"{title}. Expected calibration error {percent(found.ece, 2)} over {bins} bins"
    return svg(axes, name, content, kind="reliability")


def _bar(axes: Axes, found: Reliability, place: int) -> Markup:
    bins, images, most = len(found.counts), int(found.counts.sum()), int(found.counts.max())
    left, right = axes.x(place / bins) + 1, axes.x((place + 1) / bins) - 1
    count, confidence = int(found.counts[place]), float(found.confidence[place])
    accuracy = float(found.accuracy[place])
    assert math.isfinite(accuracy)
    top, base, said = axes.y(accuracy), axes.y(0), axes.y(confidence)
    tip = (
        f"{place / bins:.2%} to {(place + 1) / bins:.2%}: {count:,} of {images:,} images, "
        f"confidence {percent(confidence)}, accuracy {percent(accuracy)}"
    )
    return Markup(
        '<g data-tip="{}"><rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
        '<rect class="gap" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
        '<rect class="share" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/></g>'
    ).format(
        tip,
        *(left, top, right - left, base - top),
        *(left, min(top, said), right - left, abs(top - said)),
        *(left, base - 40 * count / most, right - left, 40 * count / most),
    )
