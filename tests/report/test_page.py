"""The page for all kinds of runs: what is missing is said, what is hostile is escaped, and it stays small."""

import functools
import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from benchmarks.made_analyses import analyze

from tests.cli.calling import Shell
from tests.helpers import copy_of, forbid
from tests.report.made import HOSTILE, Made, make_data, make_run, on_everything, simple
from tests.report.reading import Reader, check
from thumbnet.errors import DataError, RunError, StorageError
from thumbnet.files import read_json
from thumbnet.packed import PackedDataset, PackedSplit, load
from thumbnet.predictions import Predictions
from thumbnet.quality.stored import ensure_duplicates
from thumbnet.report import Report, make_report, write_report
from thumbnet.report.data_page import make_data_report
from thumbnet.report.subject import short_names
from thumbnet.report.words import amount, brief, percent
from thumbnet.run import RunDirectory


def test_a_page_of_one_run_and_of_two(single_report: Report, pair_report: Report) -> None:
    page = check(single_report)
    assert {"main", "nav", "header", "footer"} <= {tag for tag, _ in page.tags}
    assert sum(tag == "h1" for tag, _ in page.tags) == 1
    assert sum(tag == "table" for tag, _ in page.tags) == sum(tag == "caption" for tag, _ in page.tags) >= 4
    assert "compare" not in single_report.figures["sections"]
    assert check(pair_report).values("id").count("pair-compare") == 1


def test_three_runs_are_overlaid_without_a_comparison(
    made: Made, data: PackedDataset, pair: list[RunDirectory], tmp_path: Path
) -> None:
    third = make_run(made, tmp_path / "third", data, seed=3)
    report = make_report([*pair, third])
    check(report)
    assert "compare" not in report.figures["sections"]
    assert set(report.figures["sections"]["per-class"]) == {"first", "second", "third"}
    assert {"first", "second", "third"} <= set(re.findall(r'polyline class="line" data-label="(\w+)"', report.html))
    with pytest.raises(RunError, match="given twice"):
        make_report([third, third])
    with pytest.raises(RunError, match="no run"):
        make_report([])


def test_hostile_names_are_shown_as_they_are(hostile: RunDirectory) -> None:
    report = make_report([hostile])
    page = check(report)
    for name in HOSTILE[:-1]:
        assert any(name.partition(",")[0] in text for text in page.texts), name
    for bad in ("<script>alert", "<img src=x", "</script><b>", "<i>run", "{{ 7 * 7 }}, second name</option>49"):
        assert bad not in report.html
    assert [tag for tag, found in page.tags if tag == "script" and "type" not in found] == ["script"]
    # A class without images has no accuracy, and does not count in the means.
    last = report.figures["sections"]["per-class"][hostile.path.name]["classes"][-1]
    assert last["accuracy"] is None
    assert last["images"] == 0
    assert "No image of the split shows" in report.html


def test_without_val_the_holdout_is_judged_or_the_lack_is_said(
    made: Made, data: PackedDataset, tmp_path: Path
) -> None:
    held = make_report([make_run(made, tmp_path / "held", data, splits=("holdout",))])
    check(held)
    assert "so the holdout is judged" in held.html
    assert "would flatter it" in held.html
    seen = make_run(made, tmp_path / "seen", data, splits=("holdout",), recipe=on_everything())
    report = make_report([seen])
    check(report)
    assert report.figures["sections"]["per-class"]["seen"]["missing"].startswith("the run stored no predictions")
    for section in ("per-class", "confusions", "errors", "calibration"):
        assert "missing" in report.figures["sections"][section]["seen"]
    assert report.html.count("Nothing to show") >= 4


def test_where_the_data_has_no_val_that_is_said(tmp_path: Path) -> None:
    made = simple(val=0)
    report = make_report([make_run(made, tmp_path / "run", make_data(made, tmp_path / "packed"), splits=("holdout",))])
    (note,) = report.figures["sections"]["overview"]["runs"][0]["notes"]
    assert note == ("There is no labelled val split, so the holdout is judged, on which the run may have been chosen.")
    assert note in check(report).texts


@pytest.mark.parametrize("gone", [("val",), ("val", "holdout")])
def test_predictions_that_are_gone_are_said_to_be_so_with_how_to_get_them(
    gone: Sequence[str], run: RunDirectory, tmp_path: Path, shell: Shell
) -> None:
    bare = copy_of(run, tmp_path / "a run")
    whole = make_report([bare])
    for split in gone:
        bare.predictions_path(split).unlink()
    lacking = make_report([bare])
    assert "no labelled val split" not in lacking.html
    command = f"thumbnet predict '{bare.path}' --split val --out '{bare.predictions_path('val')}'"
    assert any(f"make them with: {command} and then" in text for text in check(lacking).texts)
    shell.text(*shlex.split(command)[1:], "--threads", 1)
    assert make_report([bare]).tables["images.csv"] == whole.tables["images.csv"]


def test_where_all_predictions_are_gone_their_folder_is_made_too(run: RunDirectory, tmp_path: Path) -> None:
    bare = copy_of(run, tmp_path / "a run")
    shutil.rmtree(bare.predictions_path("val").parent)
    making = f"mkdir '{bare.path}/predictions' && thumbnet predict '{bare.path}' --split val"
    assert any(making in text for text in check(make_report([bare])).texts)


def test_where_the_holdouts_predictions_are_gone_that_is_said(run: RunDirectory, tmp_path: Path) -> None:
    bare = copy_of(run, tmp_path / "run")
    bare.predictions_path("holdout").unlink()
    lacking = make_report([bare]).figures["sections"]["calibration"]["run"]["scaled"]
    assert lacking["missing"].endswith("or their file is gone")
    assert f"--split holdout --out {bare.predictions_path('holdout')} and" in lacking["remedy"]


def test_trained_on_the_holdout_there_is_no_temperature(made: Made, data: PackedDataset, tmp_path: Path) -> None:
    report = make_report([make_run(made, tmp_path / "run", data, recipe=on_everything())])
    check(report)
    assert "trained on the holdout" in report.figures["sections"]["calibration"]["run"]["scaled"]["missing"]
    assert "calibrated-images.csv" not in report.tables


def test_an_unfinished_run_shows_its_curves(
    made: Made, data: PackedDataset, pair: list[RunDirectory], tmp_path: Path
) -> None:
    run = make_run(made, tmp_path / "run", data, complete=False)
    report = make_report([run, pair[0]])
    page = check(report)
    assert "interrupted at step 10 of 20" in report.html
    assert any("thumbnet resume" in text for text in page.texts)
    assert "missing" in report.figures["sections"]["compare"]
    assert 'polyline class="line' in report.html


def test_data_that_is_gone_or_other(made: Made, data: PackedDataset, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(data.path, moved)
    folder = tmp_path / "gone"
    shutil.copytree(data.path, folder)
    run = make_run(made, tmp_path / "run", load(folder))
    shutil.rmtree(folder)
    report = make_report([run])
    check(report)
    assert "the packed data is not at hand" in report.html
    assert "data:image/jpeg" not in report.html
    assert "missing" in report.figures["sections"]["data"]["run"]
    whole = make_report([run], [moved])
    assert "not at hand" not in whole.html
    assert whole.html.count("data:image/png") > 20
    other = make_data(simple(3), tmp_path / "other")
    with pytest.raises(DataError, match="other data than the runs were made from"):
        make_report([run], [moved, other.path])
    shutil.copytree(other.path, folder)
    assert "holds other data now" in make_report([run]).html


def test_data_that_one_may_not_look_at_is_as_good_as_gone(
    made: Made, data: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(made, tmp_path / "run", data)
    forbid(monkeypatch, data.path.parent)
    report = make_report([run])
    check(report)
    assert "the packed data is not at hand" in report.html
    assert "data:image/jpeg" not in report.html


def test_runs_on_data_that_has_moved_take_their_own_of_several(
    made: Made, pair: list[RunDirectory], data: PackedDataset, tmp_path: Path, shell: Shell
) -> None:
    others = simple(6)
    first = make_run(made, tmp_path / "first", load(shutil.copytree(data.path, tmp_path / "gone")))
    shutil.rmtree(tmp_path / "gone")
    second = make_run(others, tmp_path / "second", make_data(others, tmp_path / "packed"))
    moved = (tmp_path / "packed").rename(tmp_path / "moved")
    out = tmp_path / "page.html"
    for given, missing in (((moved, data.path), []), ((data.path,), ["second"]), ((), ["first", "second"])):
        shell.text("report", first.path, second.path, "--out", out, *(x for one in given for x in ("--data", one)))
        found = read_json(out.with_suffix(".json"))["sections"]["data"]
        assert [label for label, stated in found.items() if "missing" in stated] == missing
    assert "other data than the runs were made from" in shell.error("report", pair[0].path, "--data", moved)


def test_why_runs_are_not_compared_and_what_compares_them(
    made: Made, pair: list[RunDirectory], tmp_path: Path
) -> None:
    others, later = simple(3), replace(made, train=9)
    classes = make_run(others, tmp_path / "classes", make_data(others, tmp_path / "packed"))
    again = make_run(made, tmp_path / "again", make_data(later, tmp_path / "later"))
    split = copy_of(pair[1], tmp_path / "a split")
    split.predictions_path("val").unlink()
    missing = [make_report([pair[0], one]).figures["sections"]["compare"] for one in (classes, again, split)]
    assert [one["missing"].partition(" (")[0].partition(",")[0] for one in missing] == [
        "the two runs know different classes",
        "the two runs are on different data of the same classes",
        "first is judged on val and a split on holdout",
    ]
    command = f"thumbnet compare {pair[0].path} "
    assert missing[0]["remedy"] == "train both on the same data"
    assert missing[1]["remedy"].endswith(f"{command}{again.path} --data DIR")
    assert missing[2]["remedy"].endswith(f"{command}'{split.path}' --split val")


def test_damaged_predictions_are_an_error(made: Made, data: PackedDataset, tmp_path: Path) -> None:
    run = make_run(made, tmp_path / "run", data)
    run.predictions_path("val").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(RunError, match="predictions for 'val' are missing or damaged"):
        make_report([run])


def test_writing_replaces_and_removes_what_is_stale(
    single_report: Report, pair_report: Report, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    page, figures, folder = write_report(pair_report, out)
    assert (page, figures, folder) == (out, tmp_path / "page.json", tmp_path / "page-csv")
    (folder / "mine.csv").write_text("kept")
    write_report(single_report, out)
    assert {file.name for file in folder.iterdir()} == {*single_report.tables, "mine.csv"}
    assert out.read_text() == single_report.html
    assert not list(tmp_path.rglob("*.tmp"))
    with pytest.raises(StorageError, match=r"ends in \.html"):
        write_report(single_report, tmp_path / "page.txt")
    with pytest.raises(StorageError):
        write_report(single_report, out / "below.html")


def test_short_names() -> None:
    classes = [("a", "crane, bird"), ("b", "crane, machine"), ("c", "ox"), ("d", "")]
    assert short_names(classes) == ("crane (a)", "crane (b)", "ox", "d")


def test_figures_replace_none_but_a_reports(
    single_report: Report, pair: list[RunDirectory], tmp_path: Path, shell: Shell
) -> None:
    run = copy_of(pair[0], tmp_path / "run")
    before = {file: file.read_bytes() for file in run.path.iterdir() if file.suffix == ".json"}
    for name in ("data", "result", "recipe"):
        with pytest.raises(StorageError, match="not the figures of a report"):
            write_report(single_report, run.path / f"{name}.html")
    # The command says so before it computes anything: here, before it sees that the run is damaged.
    run.predictions_path("val").write_bytes(b"")
    assert "not the figures of a report" in shell.error("report", run.path, "--out", run.path / "data.html")
    assert {file: file.read_bytes() for file in run.path.iterdir() if file.suffix == ".json"} == before
    assert not list(run.path.glob("*.html"))
    assert not list(run.path.glob("*-csv"))


@pytest.mark.parametrize("other", ["split", "data", "classes"])
def test_predictions_of_something_else_are_refused(
    other: str, made: Made, data: PackedDataset, tmp_path: Path
) -> None:
    run = make_run(made, tmp_path / "run", data)
    found = Predictions.load(run.predictions_path("val"))
    changes: dict[str, dict[str, Any]] = {
        "split": {"split": "holdout"},
        "data": {"provenance": {**found.provenance, "data": "0" * 64}},
        "classes": {"classes": found.classes[::-1]},
    }
    replace(found, **changes[other]).save(run.predictions_path("val"))
    with pytest.raises(RunError, match="predictions for 'val' are not of this run"):
        make_report([run])


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


def test_headings_go_down_by_one(single_report: Report, pair_report: Report) -> None:
    for report in (single_report, pair_report):
        levels = [int(tag[1]) for tag, _ in Reader(report.html).tags if re.fullmatch(r"h[1-6]", tag)]
        assert all(after - before <= 1 for before, after in pairwise(levels))
        assert max(levels) >= 4


def test_tables_are_called_what_they_are(pair_report: Report) -> None:
    named = set(re.findall(r"<code>([\w.-]+\.csv)</code>", pair_report.html))
    assert {"run-1-mistakes.csv", "run-2-confusion.csv"} <= named <= set(pair_report.tables)


def test_numbers_in_words() -> None:
    assert [amount(value) for value in (999, 999_400, 999_700, 2_849_000)] == ["999", "999 k", "1 M", "2.85 M"]
    assert [percent(value) for value in (1.0, 0.9997, 0.9994, 0.0, 0.0001, 0.5)] == [
        *("100.0%", "above 99.9%", "99.9%", "0.0%", "below 0.1%", "50.0%")
    ]
    assert [brief(value) for value in (0.534, 9.14, 107.3, 57.2)] == ["0.53", "9.1", "110", "57"]
