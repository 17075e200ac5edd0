"""What a run lacks, or has that is not its own: the page says so and how to get it, or is refused."""

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import Shell
from tests.helpers import copy_of, forbid
from tests.report.made import Made, make_data, make_run, on_everything, simple
from tests.report.reading import check
from thumbnet.errors import DataError, RunError
from thumbnet.files import read_json
from thumbnet.packed import PackedDataset, load
from thumbnet.predictions import Predictions
from thumbnet.report import make_report
from thumbnet.run import RunDirectory


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
