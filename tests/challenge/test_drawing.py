"""What pages draw: a team's history, colours, lengths of time."""

import re
from importlib.resources import files
from itertools import product

import numpy as np
import pytest

from tests.colours import contrast, named
from thumbnet.challenge.board import Point
from thumbnet.challenge.submissions.scoring import Accuracy
from thumbnet.challenge.web import plot
from thumbnet.challenge.web.frame import duration


def _points(values: list[tuple[int, int]], private: bool = False) -> list[Point]:
    return [
        Point(place, moment, Accuracy(right, 100), Accuracy(right // 2, 50) if private else None)
        for place, (moment, right) in enumerate(values)
    ]


def test_a_plot_stands_where_its_axes_say() -> None:
    values = [(1000, 40), (5000, 38), (9000, 52), (21_000, 61)]
    drawn = plot.make(_points(values, private=True))
    assert drawn is not None
    ys, levels = zip(*drawn.ticks, strict=True)
    assert 2 <= len(levels) <= 6
    assert list(ys) == sorted(ys, reverse=True)
    np.testing.assert_allclose(np.diff(levels), levels[1] - levels[0])
    xs = [drawn.public[0].x, drawn.public[-1].x]
    for (moment, right), dot, other in zip(values, drawn.public, drawn.private, strict=True):
        assert dot.y == pytest.approx(np.interp(right / 100, levels, ys), abs=0.1)
        assert other.y == pytest.approx(np.interp(right // 2 / 50, levels, ys), abs=0.1)
        assert dot.x == pytest.approx(np.interp(moment, [1000, 21_000], xs), abs=0.1)
        low, high = Accuracy(right, 100).interval or (0, 0)
        assert dot.top == pytest.approx(np.interp(high, levels, ys), abs=0.1)
        assert dot.bottom == pytest.approx(np.interp(low, levels, ys), abs=0.1)
    heights = [float(number) for number in re.findall(r"V([\d.]+)", drawn.best)]
    assert heights == [drawn.public[0].y, drawn.public[2].y, drawn.public[3].y]


@pytest.mark.parametrize("values", [[(5, 0)], [(5, 100)], [(5, 50)], [(5, 0), (5, 100)], [(5, 99), (6, 99)]])
def test_a_plot_holds_whatever_it_is_given(values: list[tuple[int, int]]) -> None:
    drawn = plot.make(_points(values))
    assert drawn is not None
    for dot in drawn.public:
        assert 0 < drawn.left < dot.x < drawn.right < drawn.width
        assert 0 < drawn.top <= dot.top <= dot.y <= dot.bottom <= drawn.bottom < drawn.height
    assert all(0 <= level <= 1 for _, level in drawn.ticks)
    assert plot.make([]) is None


def _colours(style: str, *, dark: bool) -> dict[str, str]:
    blocks = re.findall(r":root[^{]*\{([^}]*)\}", style)
    return named(blocks[0]) | (named(blocks[1]) if dark else {})


def test_colours_can_be_read_and_are_those_of_the_report() -> None:
    own = (files("thumbnet.challenge.web") / "static" / "challenge.css").read_text()
    report = (files("thumbnet.report") / "templates" / "report.css").read_text()
    for dark in (False, True):
        colours, others = _colours(own, dark=dark), _colours(report, dark=dark)
        assert {name: colours[name] for name in colours if name in others} == {
            name: others[name] for name in colours if name in others
        }
        assert len(colours.keys() & others.keys()) >= 11
        pairs = [*product(("text", "muted", "accent", "good", "bad"), ("page", "sheet")), ("text", "note")]
        for ink, paper in [*pairs, ("on-accent", "accent"), ("muted", "cell")]:
            assert contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper, dark)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "no time"), (1, "1 second"), (90, "1 minute 30 seconds"), (7200, "2 hours"), (90_061, "1 day 1 hour")],
)
def test_lengths_of_time_are_written_out(seconds: float, text: str) -> None:
    assert duration(seconds) == text
