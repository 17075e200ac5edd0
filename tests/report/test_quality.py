"""Suspected labels, duplicates and the report on packed data: figures against other libraries, what is missing."""

import dataclasses
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score

from tests.helpers import copy_of
from tests.packing import write_packed
from tests.report.browser import opened
from tests.report.doubted import suspects_again
from tests.report.made import HOSTILE, Made, make_data, make_run, predictions, simple, two_phases
from tests.report.reading import check, rows_of
from thumbnet import packed
from thumbnet.analyses.places import current_origin, read_cross_fitted, save_cross_fitted
from thumbnet.errors import RunError
from thumbnet.packed import PackedDataset, PackedSplit
from thumbnet.predictions import Predictions
from thumbnet.quality.stored import ensure_duplicates
from thumbnet.report import Report, make_report, write_report
from thumbnet.report.data_page import make_data_report
from thumbnet.report.facts import quality
from thumbnet.report.facts.dataset import make_data_facts
from thumbnet.report.facts.twins import make_twins
from thumbnet.report.pictures import encode
from thumbnet.report.section import render
from thumbnet.run import RunDirectory


@pytest.fixture(scope="module")
def twinned(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Classes with hostile names; val 0 is train 3, val 1 is val 2, train 0 is grey; boxes in val alone."""
    made = Made(HOSTILE, [4] * len(HOSTILE))
    random = np.random.default_rng(3)
    train = np.repeat(np.arange(len(HOSTILE)), 10).astype(np.int64)
    images = {
        "train": random.integers(0, 256, (len(train), 8, 8, 3), dtype=np.uint8),
        "val": random.integers(0, 256, (len(made.labels), 8, 8, 3), dtype=np.uint8),
    }
    images["val"][0], images["val"][1] = images["train"][3], images["val"][2]
    images["train"][0] = images["train"][0, :, :, :1]
    boxes = np.tile(np.array([[0, 0, 7, 7], [2, 2, 5, 3]], dtype=np.int32), (len(made.labels) // 2, 1))
    splits = {"train": (images["train"], train, None), "val": (images["val"], made.labels, boxes)}
    return write_packed(tmp_path_factory.mktemp("twinned") / "packed", made.classes, splits, name="<i>twinned")


@pytest.fixture(scope="module")
def run(twinned: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run on it with out-of-sample predictions for its training images."""
    made = Made(HOSTILE, [4] * len(HOSTILE))
    run = make_run(made, tmp_path_factory.mktemp("quality") / "run", twinned)
    train = predictions(made, twinned, two_phases(), split="train", seed=5, skill=1.0)
    save_cross_fitted(run, train, current_origin(run))
    return run


@pytest.fixture(scope="module")
def report(run: RunDirectory) -> Report:
    """The page of that run; its duplicates are searched on the spot."""
    return make_report([run])


@pytest.fixture(scope="module")
def data_report(twinned: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The page of that data."""
    return make_data_report(twinned, tmp_path_factory.mktemp("data-report"))


def test_the_accuracies_without_doubtful_images_follow_from_the_tables(report: Report) -> None:
    check(report)
    facts = report.figures["sections"]["quality"]["run"]
    images = rows_of(report, "images")
    suspected = [row["image"] for row in rows_of(report, "suspected-val")]
    assert facts["suspected"]["val"]["suspects"] == len(suspected) > 1
    pairs = rows_of(report, "duplicates")
    twins = {row["second"] for row in pairs if (row["first_split"], row["second_split"]) == ("train", "val")}
    assert twins == {"val_000000.png"}
    without = {
        "nothing taken out": set(),
        "without the surest suspected labels": set(suspected[:1]),
        "without all suspected labels": set(suspected),
        "without images that are identical in train": twins,
        "without images that are identical or nearly alike in train": twins,
    }
    assert set(facts["without"]) == set(without)
    for what, removed in without.items():
        left = [row for row in images if row["image"] not in removed]
        expected = accuracy_score([row["true"] for row in left], [row["predicted"] for row in left])
        assert facts["without"][what]["top1"] == pytest.approx(expected)
        assert facts["without"][what]["removed"] == len(removed)
        right = sum(row["true"] == row["predicted"] for row in left)
        interval = binomtest(right, len(left)).proportion_ci(method="wilson")
        assert facts["without"][what]["top1_interval"] == pytest.approx([interval.low, interval.high])
        assert facts["without"][what]["removed_top1"] == (
            pytest.approx(np.mean([row["true"] == row["predicted"] for row in images if row["image"] in removed]))
            if removed
            else None
        )


def test_suspects_follow_from_the_stored_predictions(report: Report, run: RunDirectory) -> None:
    for split, file in (("val", run.predictions_path("val")), ("train", run.analysis_path("crossfit"))):
        table, expected = rows_of(report, f"suspected-{split}"), suspects_again(Predictions.load(file))
        assert len(expected) > 1
        assert [(row["image"], row["label"], row["suggested"]) for row in table] == [row[:3] for row in expected]
        for place, name in ((3, "label_probability"), (4, "suggested_probability")):
            assert [float(row[name]) for row in table] == pytest.approx([row[place] for row in expected], rel=1e-9)
        assert [int(row["rank"]) for row in table] == list(range(1, len(expected) + 1))


def test_suspects_of_train_come_from_its_cross_fitted_probabilities(report: Report) -> None:
    facts = report.figures["sections"]["quality"]["run"]["suspected"]["train"]
    table = rows_of(report, "suspected-train")
    assert facts["images"] == 60
    assert facts["suspects"] == len(table) > 1
    assert [float(row["label_probability"]) for row in table] == sorted(
        float(row["label_probability"]) for row in table
    )
    for row in table:
        assert row["image"].startswith("train_")
        assert row["label"] != row["suggested"]
        assert float(row["suggested_probability"]) > float(row["label_probability"])


@pytest.mark.parametrize("limits", [(0, 1000), (10**9, 83)], ids=["bytes", "images"])
def test_what_is_not_known_is_said_with_what_to_do(
    limits: tuple[int, int], twinned: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(HOSTILE, [4] * len(HOSTILE))
    run = make_run(made, tmp_path / "run", twinned)
    monkeypatch.setenv("THUMBNET_CACHE", str(tmp_path / "cache"))
    # As if the data were too large to be searched while a report is made.
    monkeypatch.setattr(quality, "_SOON", limits)
    report = make_report([run])
    check(report)
    facts = report.figures["sections"]["quality"]["run"]
    assert "thumbnet analyze" in facts["suspected"]["train"]["remedy"]
    assert "thumbnet data report" in facts["duplicates"]["remedy"]
    assert len(facts["without"]) == 3
    assert "suspected-train.csv" not in report.tables
    # Once they are searched, the report finds them.
    ensure_duplicates(twinned)
    found = make_report([run]).figures["sections"]["quality"]["run"]["duplicates"]
    assert found["identical"] == {"train-val": 1, "val-val": 1}


def test_without_the_data_and_without_images_of_it_there_are_still_suspects(tmp_path: Path) -> None:
    made = simple(2, val=40, size=4)
    data = make_data(made, tmp_path / "packed")
    run = make_run(made, tmp_path / "run", data, splits=("holdout",))
    held = make_report([run]).figures["sections"]["quality"]["run"]
    assert set(held["suspected"]) == {"holdout", "train"}
    assert "without images that are identical in train" in held["without"]
    (tmp_path / "packed").rename(tmp_path / "gone")
    report = make_report([run])
    check(report)
    gone = report.figures["sections"]["quality"]["run"]
    assert "packed data is not at hand" in gone["duplicates"]["missing"]
    assert gone["suspected"] == held["suspected"]


def data_figures(report: Report) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(report.figures, allow_nan=False))
    return found


def test_the_data_report_states_what_the_arrays_hold(twinned: PackedDataset, data_report: Report) -> None:
    report, page = data_report, check(data_report)
    for name in HOSTILE:
        assert any(name.partition(",")[0] in text for text in page.texts), name
    for bad in ("<script>alert", "<img src=x", "<i>twinned"):
        assert bad not in report.html
    facts = data_figures(report)
    train, val = twinned.split("train"), twinned.split("val")
    assert facts["counts"] == {"train": 60, "val": 24}
    assert facts["images_per_class"]["train"] == {"least": 10, "most": 10, "none": 0}
    assert facts["greyscale"]["train"] == {"images": 1, "share": 1 / 60}
    np.testing.assert_allclose(facts["channels"]["mean"], (train.images / 255).mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(facts["channels"]["deviation"], (train.images / 255).std(axis=(0, 1, 2)), rtol=1e-4)
    assert facts["duplicates"]["identical"] == {"train-val": 1, "val-val": 1}
    # Half of the boxes hold all of the 8 x 8 pixels, half 4 x 2 of them.
    assert facts["boxes"]["mean_area"] == pytest.approx((1 + 8 / 64) / 2)
    assert facts["boxes"]["counts"] == {"val": 24}
    assert sum(facts["boxes"]["area_histogram"]) == 24
    classes = rows_of(report, "classes")
    for label, row in enumerate(classes):
        assert int(row["val"]) == (val.labels == label).sum() == 4
        expected = (train.images[train.labels == label] / 255).mean(axis=(0, 1, 2))
        np.testing.assert_allclose([float(row[f"mean_{name}"]) for name in ("red", "green", "blue")], expected)
    assert [row["greyscale"] for row in classes] == ["1", "0", "0", "0", "0", "0"]


@pytest.mark.parametrize("room", [0, 6000])
def test_what_the_data_report_leaves_out_is_counted_and_not_encoded(
    room: int, twinned: PackedDataset, data_report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []

    def counted(pixels: NDArray[np.uint8]) -> str:
        encoded.append(len(pixels))
        return encode(pixels)

    monkeypatch.setattr("thumbnet.report.panels.dataset.encode", counted)
    with monkeypatch.context() as patch:
        patch.setattr("thumbnet.report.page.draw_within", lambda parts, _room: [one.draw(0) for one in parts])
        bare = make_data_report(twinned, tmp_path).html
    monkeypatch.setattr("thumbnet.report.page.PAGE_BYTES", len(bare.encode()) + room)
    less = make_data_report(twinned, tmp_path).html
    assert len(less.encode()) <= len(bare.encode()) + room
    left_out = data_report.html.count("data:image") - less.count("data:image")
    assert left_out > 0
    assert f"{left_out} images were left out" in less
    assert bool(encoded) == (room > 0)


def test_no_section_of_the_data_report_is_without_images_for_the_sake_of_another(
    twinned: PackedDataset, data_report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thumbnet.report.page.PAGE_BYTES", len(data_report.html.encode()) - 3000)
    less = make_data_report(twinned, tmp_path)
    check(less)
    for section in ("duplicates", "classes"):
        shown = re.findall(rf'<section id="{section}".*?</section>', less.html, re.DOTALL)
        assert shown[0].count("data:image") > 0
    assert "of this section's images were left out" in less.html


@pytest.mark.parametrize("known", [True, False])
def test_the_data_report_checks_each_split_once(
    known: bool, twinned: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if known:
        ensure_duplicates(twinned, tmp_path)
    checked: list[str] = []
    whole = PackedDataset.split

    def split(self: PackedDataset, name: str, verify: bool = True) -> PackedSplit:
        checked.extend([name] * verify)
        return whole(self, name, verify)

    monkeypatch.setattr(PackedDataset, "split", split)
    make_data_report(twinned, tmp_path)
    assert checked == ["train", "val"]


def test_boxes_cover_the_pixels_that_they_hold() -> None:
    from thumbnet.report.facts.dataset import _coverage

    random = np.random.default_rng(0)
    ends = np.sort(random.integers(0, 13, (50, 2, 2)), axis=2)
    boxes = np.concatenate([ends[:, :, 0], ends[:, :, 1]], axis=1)
    expected = np.zeros((12, 12))
    for left, top, right, bottom in boxes.tolist():
        expected[top:bottom, left:right] += 1 / 50
    np.testing.assert_allclose(_coverage(boxes, 12), expected, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 1000])
def test_few_and_many_classes_of_uneven_counts(classes: int, tmp_path: Path) -> None:
    made = Made([f"class {number}" for number in range(classes)], [1 + number % 3 for number in range(classes)])
    report = make_data_report(make_data(made, tmp_path / "packed"), tmp_path)
    check(report)
    assert "In val a class has 1 to" in report.html
    assert "The data has no boxes".lower() in report.html.lower()
    assert len(rows_of(report, "classes")) == classes


def test_both_pages_in_a_browser(browser: Browser, report: Report, data_report: Report, tmp_path: Path) -> None:
    write_report(data_report, tmp_path / "data.html")
    with opened(browser, tmp_path / "data.html", viewport={"width": 390, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.click("#theme")
        page.click("#classes summary")
        page.click("#classes thead th:nth-child(2) button")
        assert page.locator("#classes tbody tr").count() == len(HOSTILE)
    write_report(report, tmp_path / "report.html")
    with opened(browser, tmp_path / "report.html") as page:
        section = page.locator("section[id$='quality']")
        section.scroll_into_view_if_needed()
        assert section.locator(".twins li").count() == 2
        assert section.locator(".items li").count() > 2


def test_a_holdout_is_held_against_the_rest_of_train_alone(tmp_path: Path) -> None:
    made = simple(2, val=1, train=40, size=8)
    random = np.random.default_rng(2)
    labels = np.repeat([0, 1], 40)
    images = random.integers(0, 256, (80, 8, 8, 3), dtype=np.uint8)
    data = write_packed(tmp_path / "packed", made.classes, {"train": (images, labels, None)})
    mask = packed.holdout_mask(data.split("train"))
    held, rest = np.flatnonzero(mask), np.flatnonzero(~mask)
    # Two of the holdout are alike, and a third is in the rest as well.
    images[held[1]], images[held[2]] = images[held[0]], images[rest[0]]
    again = write_packed(tmp_path / "again", made.classes, {"train": (images, labels, None)})
    run = make_run(made, tmp_path / "run", again, splits=("holdout",))
    facts = make_report([run]).figures["sections"]["quality"]["run"]
    assert facts["duplicates"]["identical"] == {"train-train": 2}
    assert facts["without"]["without images that are identical in train"]["removed"] == 1


def test_boxes_of_resized_images_have_no_area(tmp_path: Path) -> None:
    made, boxes = simple(2, val=2, size=8), np.tile(np.array([[0, 0, 3, 3]], np.int32), (4, 1))
    splits = {"val": (np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8), made.labels, boxes)}
    for converted, told in (({"val": {"resized": 1}}, False), ({"val": {"to RGB": 1}}, True), ({}, True)):
        data = write_packed(tmp_path / f"{len(str(converted))}", made.classes, splits, converted=converted)
        found = make_data_report(data, tmp_path).figures["boxes"]
        assert ("mean_area" in found) == told
        assert ("were scaled" in str(found)) == (not told)


def test_what_is_unsure_of_near_duplicates_is_said(twinned: PackedDataset, tmp_path: Path) -> None:
    found = ensure_duplicates(twinned, tmp_path)
    twins = make_twins(twinned, found)
    assert twins.notes == []
    assert twins.to_json()["radius"] == 28
    narrow = make_twins(twinned, dataclasses.replace(found, radius=9, random_pairs=3))
    assert ["9 bits or fewer instead of 28" in narrow.notes[0], "3 pairs" in narrow.notes[1]] == [True, True]
    page = str(render("data-duplicates.html", facts=SimpleNamespace(twins=narrow, names=HOSTILE), shown=[]))
    assert all(note in page for note in narrow.notes)


def test_cross_fitted_predictions_of_something_else_are_refused(run: RunDirectory, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "run")
    found = read_cross_fitted(copy)
    assert found is not None
    for change in ({"split": "val"}, {"classes": found.classes[::-1]}):
        save_cross_fitted(copy, dataclasses.replace(found, **change), current_origin(copy))
        with pytest.raises(RunError, match="not for the run's training images"):
            make_report([copy])


def test_the_pixels_of_large_images_are_read_few_at_a_time(tmp_path: Path) -> None:
    images, labels = np.zeros((10, 1024, 1024, 3), dtype=np.uint8), np.arange(10, dtype=np.int64) // 5
    data = write_packed(tmp_path / "packed", Made(["a", "b"], [1, 1]).classes, {"train": (images, labels, None)})
    told: dict[str, list[int]] = {}

    def watch(what: str, done: int, _total: int) -> None:
        told.setdefault(what, [0]).append(done)

    make_data_facts(data, make_twins(data, ensure_duplicates(data, tmp_path, watch)), watch)
    for what in ("reading", "looking for colour in train", "mean images of train"):
        assert told[what] == [0, 8, 10]
