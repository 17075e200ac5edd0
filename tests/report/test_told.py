"""What figures tell when pointed at, and by colour, is told in other ways too."""

import html
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from tests.packing import write_packed
from tests.report.made import Made
from tests.report.reading import check, rows_of
from thumbnet.report import Report
from thumbnet.report.charts.scatter import Group, draw_scatter, shape
from thumbnet.report.data_page import make_data_report

NUMBERS = re.compile(r"[+-]?\d[\d,.]*%?")


@pytest.fixture(scope="module")
def data_report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The page of data with uneven classes and with boxes of many sizes."""
    made, random, folder = (
        Made(["ox", "cow", "elk"], [2, 5, 30]),
        np.random.default_rng(0),
        tmp_path_factory.mktemp("told"),
    )
    corners = random.integers(0, 8, (len(made.labels), 2, 2), dtype=np.int32)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    images = random.integers(0, 256, (len(made.labels), 8, 8, 3), dtype=np.uint8)
    data = write_packed(folder / "packed", made.classes, {"val": (images, made.labels, boxes)})
    return make_data_report(data, folder)


@pytest.mark.parametrize("page", ["analyzed_report", "pair_report", "data_report"])
def test_all_that_is_told_when_pointed_at_stands_in_a_table(page: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(page)
    check(report)
    rows = table_rows(report.html)
    tips = [html.unescape(tip) for tip in re.findall(r'data-tip="([^"]+)"', report.html)]
    assert len(tips) > 10
    for tip in tips:
        assert any(numbers(tip) <= row for row in rows), tip


def table_rows(page: str) -> list[set[str]]:
    """Return the numbers of each row of each table, with those of its caption and its heading."""
    found = []
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        head, body = table.split("<tbody>")
        found += [numbers(text_of(head)) | numbers(text_of(row)) for row in body.split("</tr>")]
    return found


def text_of(part: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", part))


def numbers(text: str) -> set[str]:
    return {one.rstrip(".,") for one in NUMBERS.findall(text)}


def test_the_box_sizes_in_the_table_are_those_of_the_figures(data_report: Report) -> None:
    counts = data_report.figures["boxes"]["area_histogram"]
    rows = re.findall(r'<th scope="row">(\d+) to (\d+)%</th><td>(\d+)</td>', data_report.html)
    assert [(int(low), int(high), int(count)) for low, high, count in rows] == [
        (5 * place, 5 * place + 5, count) for place, count in enumerate(counts)
    ]
    assert sum(counts) == 37
    assert np.count_nonzero(counts) > 5


def test_classes_of_the_embedding_have_shapes_of_their_own(analyzed_report: Report) -> None:
    page = analyzed_report.html
    by_class: dict[str, set[str]] = {}
    for name, outline in re.findall(r'class="point" data-tip="([^&"\n]+)[^"]*" d="M[\d.]+ [\d.]+(m[^"]+)"', page):
        by_class.setdefault(name, set()).add(outline)
    assert len(by_class) == 5
    assert all(len(outlines) == 1 for outlines in by_class.values())
    assert len(set.union(*by_class.values())) == 5
    faint = re.findall(r'<marker id="run-1-features-tsne-\d"[^>]*><path d="M0 0(m[^"]+)"', page)
    legend = re.findall(
        r'<path transform="translate\(8 8\)" d="([^"]+)" fill="var\(--c\d\)"/></svg>([^<]+)</li>', page
    )
    assert [name for _, name in legend] == list(by_class)
    for outlines in (faint, [outline for outline, _ in legend], [outlines.pop() for outlines in by_class.values()]):
        # Each in its own size.
        assert [re.sub(r"[\d. -]", "", one) for one in outlines] == [
            re.sub(r"[\d. -]", "", shape(n, 1)) for n in range(5)
        ]


def test_shapes_and_colours_together_tell_64_groups_apart() -> None:
    points = [Group(str(number), [(0, number)], [(1, number, "")]) for number in range(64)]
    drawn = str(draw_scatter("many", points, "many"))
    marks = re.findall(r'class="point" data-tip="" d="M[\d.]+ [\d.]+(m[^"]+)" fill="([^"]+)"', drawn)
    assert len(set(marks)) == 64
    assert len({outline for outline, _ in marks[:8]}) == 8


@pytest.mark.parametrize("number", range(8))
def test_shapes_are_as_large_as_a_circle(number: int) -> None:
    corners = polygon(shape(number, 100))
    if not corners:
        assert shape(number, 100).count("a100 100") == 2
        return
    area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise([*corners, corners[0]])) / 2
    assert abs(area) == pytest.approx(np.pi * 100**2, rel=0.1)
    assert np.mean(corners, axis=0) == pytest.approx([0, 0], abs=0.2)


def polygon(outline: str) -> Sequence[tuple[float, float]]:
    """The corners of an outline; none of a circle."""
    if "a" in outline:
        return []
    steps = [float(one) for one in re.findall(r"-?[\d.]+", outline)]
    return [(float(x), float(y)) for x, y in np.cumsum(np.reshape(steps, (-1, 2)), axis=0)]


def test_the_table_of_points_is_the_embedding(analyzed_report: Report) -> None:
    expected = {
        row["image"]: tuple(f"{float(row[key]):.2f}" for key in ("tsne_1", "tsne_2", "pca_1", "pca_2"))
        for row in rows_of(analyzed_report, "embedding")
        if row["split"] == "val"
    }
    table = analyzed_report.html.split("Points as a table")[1].split("</table>")[0]
    cell = r"<td>(-?[\d.]+)</td>"
    rows = re.findall(rf'<th scope="row">class \d</th><td class="text">([^<]+)</td>{cell * 4}', table)
    assert {image: tuple(places) for image, *places in rows} == expected
    assert len(rows) == 60
