"""What a page costs: each split is read once, images take what is left, and what is too much is refused."""

import functools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.made_analyses import analyze

from tests.cli.calling import Shell
from tests.report.made import make_data, make_run, simple
from tests.report.reading import check
from thumbnet.errors import DataError
from thumbnet.packed import PackedDataset, PackedSplit
from thumbnet.quality.stored import ensure_duplicates
from thumbnet.report import Report, make_report
from thumbnet.report.data_page import make_data_report
from thumbnet.run import RunDirectory


def test_each_split_is_checked_once_a_page_and_only_where_it_is_shown(
    pair: list[RunDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    from thumbnet.report.facts import quality

    opened: list[str] = []
    whole = PackedDataset.split

    def split(self: PackedDataset, name: str, verify: bool = True) -> PackedSplit:
        opened.extend([name] * verify)
        return whole(self, name, verify)

    monkeypatch.setattr(PackedDataset, "split", split)
    monkeypatch.setattr(quality, "_SOON", (0, 0))
    make_report(pair)
    assert opened == ["val"]


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> list[RunDirectory]:
    """Ten runs on images of 64 pixels that do not compress; all are analysed but for the second."""
    folder, made = tmp_path_factory.mktemp("noise"), simple(size=64)
    data = make_data(made, folder / "packed")
    ensure_duplicates(data)
    runs = [make_run(made, folder / f"run {number}", data, seed=number) for number in range(10)]
    for run in (runs[0], *runs[2:]):
        analyze(run, data)
    return runs


def images_by_section(report: Report) -> dict[str, tuple[int, int]]:
    """Return how many images each section shows, and how many it says were left out."""
    sections = re.findall(r'<section id="([^"]+)"(.*?)</section>', report.html, re.DOTALL)
    said = {key: re.search(r"([\d,]+) of this section's images w", html) for key, html in sections}
    return {
        key: (html.count("data:image"), 0 if (found := said[key]) is None else int(found[1].replace(",", "")))
        for key, html in sections
    }


@pytest.fixture(scope="module")
def whole(noise: list[RunDirectory]) -> Callable[[tuple[int, ...]], Report]:
    """Return the report of the chosen runs with room for every image; made once."""

    @functools.cache
    def make(chosen: tuple[int, ...]) -> Report:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("thumbnet.report.page.PAGE_BYTES", 10**9)
            return make_report([noise[number] for number in chosen])

    return make


@pytest.mark.parametrize(
    ("chosen", "share"), [((0, 2), 0.9), ((0, 2), 0.5), ((0, 1), 0.7), ((1, 2), 0.3), (tuple(range(10)), None)]
)
def test_sections_share_the_bytes_of_a_page(
    chosen: tuple[int, ...],
    share: float | None,
    noise: list[RunDirectory],
    whole: Callable[[tuple[int, ...]], Report],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a section or a run leaves goes to others, and no section is without images for the sake of another."""
    full = whole(chosen)
    assert "left out" not in full.html
    room = 9_700_000 if share is None else round(share * len(full.html))
    monkeypatch.setattr("thumbnet.report.page.PAGE_BYTES", room)
    less = make_report([noise[number] for number in chosen])
    check(less)
    assert 0.93 * room < len(less.html.encode()) <= room
    before, after = images_by_section(full), images_by_section(less)
    assert before.keys() == after.keys()
    for key, (images, left_out) in after.items():
        assert images + left_out == before[key][0], key
        assert images >= min(1, before[key][0]), key
    assert f"{sum(left_out for _, left_out in after.values())} images were left out" in less.html
    assert less.tables == full.tables


def test_each_of_ten_runs_has_a_colour_of_its_own(whole: Callable[[tuple[int, ...]], Report]) -> None:
    found = whole(tuple(range(10))).html
    curves = dict(re.findall(r'<polyline class="line" data-label="(run \d): val"[^>]* stroke="([^"]+)"', found))
    legend = dict(re.findall(r'stroke="([^"]+)" stroke-width="2.5" stroke-dasharray=""/></svg>(run \d)</li>', found))
    assert {run: colour for colour, run in legend.items()} == curves
    assert len(curves) == len(legend) == 10


def test_a_page_whose_text_alone_is_too_large_is_refused(
    pair: list[RunDirectory], data: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.setattr("thumbnet.report.page.PAGE_BYTES", 100_000)
    said = shell.error("report", pair[0].path, pair[1].path, "--out", tmp_path / "page.html")
    assert re.search(
        r"the page of these 2 runs takes 0\.[2-9] MB without any image, and a page at most 0\.1 MB;", said
    )
    assert said.endswith("; give fewer runs (about 1 fit)")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("thumbnet.report.page.PAGE_BYTES", 20_000)
    with pytest.raises(DataError, match=r"the page 'first' takes .*its data has too many classes to be shown"):
        make_report(pair[:1])
    with pytest.raises(DataError, match=r"the data' takes .*its data has too many classes to be shown"):
        make_data_report(data)


def test_many_runs_show_fewer_channels(noise: list[RunDirectory]) -> None:
    assert "at most 16 of them" in make_report(noise[:3]).html
