"""The page for one run and for several: its parts, its names and numbers in words, and how it is written."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.cli.calling import Shell
from tests.helpers import copy_of
from tests.report.made import HOSTILE, Made, make_run
from tests.report.reading import Reader, check
from thumbnet.errors import RunError, StorageError
from thumbnet.packed import PackedDataset
from thumbnet.report import Report, make_report, write_report
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
