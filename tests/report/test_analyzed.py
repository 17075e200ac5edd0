"""Sections on analyses: every figure follows from the CSV, what is missing is said, and names are escaped."""

import html
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.made_analyses import COARSE, SEVERITIES, analyze
from scipy.ndimage import maximum_position, zoom
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score

from tests.helpers import copy_of
from tests.report.made import HOSTILE, Made, make_data, make_run, simple
from tests.report.reading import check, rows_of
from thumbnet import analyses
from thumbnet.analyses import PARTS, Layers, save_analysis
from thumbnet.analyses.corruptions import DEFINITIONS
from thumbnet.errors import RunError
from thumbnet.packed import PackedDataset
from thumbnet.report import Report, make_report, write_report
from thumbnet.report.charts.mosaic import heat_tile, mosaic, overlay, ranged_tiles, signed_tiles
from thumbnet.report.facts.maps import peak_of
from thumbnet.report.pictures import png_uri
from thumbnet.run import RunDirectory


@pytest.fixture
def report(analyzed_report: Report) -> Report:
    return analyzed_report


def test_all_sections_are_drawn(report: Report, analyzed: RunDirectory) -> None:
    page = check(report)
    assert {"run-1-features", "run-1-filters", "run-1-maps", "run-1-robustness"} <= set(page.values("id"))
    text = " ".join(page.texts)
    assert COARSE in text
    assert "Nearest neighbours" in text
    others = f"thumbnet analyze {analyzed.path} --only embedding --class NAME"
    assert others in text
    assert [one for one in PARTS if f"--only {one}" in text.replace(others, "")] == ["crossfit"]


def test_robustness_is_that_of_scikit_learn(report: Report) -> None:
    figures = next(iter(report.figures["sections"]["robustness"].values()))
    images = rows_of(report, "robustness-images")
    true = [row["true"] for row in images]
    assert figures["clean"] == pytest.approx(accuracy_score(true, [row["clean"] for row in images]))
    found = []
    for cell in figures["cells"]:
        answers = [row[f"{cell['corruption']}_{cell['severity']}"] for row in images]
        found.append(accuracy_score(true, answers))
        assert cell["accuracy"] == pytest.approx(found[-1])
        interval = binomtest(cell["correct"], len(images)).proportion_ci(method="wilson")
        assert cell["interval"] == pytest.approx([interval.low, interval.high])
    assert figures["mean"] == pytest.approx(np.mean(found))
    assert [float(row["accuracy"]) for row in rows_of(report, "robustness")] == pytest.approx(found)


def test_the_page_itself_defines_its_corruptions(report: Report, analyzed: RunDirectory, tmp_path: Path) -> None:
    (table,) = re.findall(r"<summary>What each corruption is</summary>(.*?)</details>", report.html, re.DOTALL)
    for name, parameters in SEVERITIES.items():
        does, values = html.escape(DEFINITIONS[name].does), "".join(f"<td>{value:g}</td>" for value in parameters)
        assert f'<th scope="row">{name}</th><td class="text">{does}</td>{values}' in table
    assert "docs/" not in report.html
    # What other code defined otherwise is not called by these words.
    run = copy_of(analyzed, tmp_path / "run")
    found = analyses.read(run, analyses.Robustness)
    assert found is not None
    save_analysis(run, replace(found, definition=0))
    assert "What each corruption is" not in check(make_report([run])).texts


def test_neighbours_follow_from_their_table(report: Report) -> None:
    figures = next(iter(report.figures["sections"]["features"].values()))["neighbours"]
    pairs = rows_of(report, "neighbours")
    same = [row["class"] == row["neighbour_class"] for row in pairs]
    assert figures["neighbours_of_same_class"] == pytest.approx(np.mean(same))
    first = [one for one, row in zip(same, pairs, strict=True) if row["rank"] == "1"]
    assert figures["nearest_of_same_class"] == pytest.approx(np.mean(first))
    interval = binomtest(sum(first), len(first)).proportion_ci(method="wilson")
    assert figures["nearest_of_same_class_interval"] == pytest.approx([interval.low, interval.high])
    assert len(pairs) == 3 * figures["images"]


def test_neighbours_of_an_image_are_shown_on_request(report: Report, analyzed: RunDirectory) -> None:
    pairs = rows_of(report, "neighbours")
    asked = [pairs[-1]["image"], pairs[0]["image"]]
    found = make_report([analyzed], images=[*asked, asked[0]])
    check(found)
    (lists,) = re.findall(r">Asked for<(.*?)>Evenly over val<", found.html, re.DOTALL)
    shown = [re.findall(r'alt="([^"]*)"', one) for one in lists.split('<div class="query">')[1:]]
    names = {key: f"class {number}" for number, key in enumerate(analyzed.class_ids())}
    for image, alts in zip(asked, shown, strict=True):
        rows = [row for row in pairs if row["image"] == image]
        expected = [f"{image}: {names[rows[0]['class']]}"]
        expected += [f"training image of {names[row['neighbour_class']]}" for row in rows]
        assert [html.unescape(alt) for alt in alts] == expected


def test_neighbours_of_no_image_of_the_run_are_refused(analyzed: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"run .*: no image 'nowhere' is among the .* of val .*; give an id such as '"):
        make_report([analyzed], images=["nowhere"])
    run = copy_of(analyzed, tmp_path / "run")
    run.analysis_path("neighbours").unlink()
    with pytest.raises(RunError, match=r"no nearest neighbours yet; thumbnet analyze .* --only neighbours"):
        make_report([run], images=["nowhere"])


def test_points_bear_their_images_and_classes(report: Report, data: PackedDataset) -> None:
    for name in ("train", "val"):
        split = data.split(name)
        ids = [info.id for info in data.classes]
        expected = {image: ids[label] for image, label in zip(split.image_ids, split.labels.tolist(), strict=True)}
        found = {row["image"]: row["class"] for row in rows_of(report, "embedding") if row["split"] == name}
        assert found == expected


def test_features_that_are_all_the_same_have_no_shares_of_variance(analyzed: RunDirectory, tmp_path: Path) -> None:
    run = copy_of(analyzed, tmp_path / "run")
    found = analyses.read(run, analyses.Embedding)
    assert found is not None
    nowhere = np.zeros_like(found.pca)
    save_analysis(run, replace(found, pca=nowhere, tsne=nowhere, explained=(math.nan, math.nan)))
    report = make_report([run])
    assert next(iter(report.figures["sections"]["features"].values()))["embedding"]["pca_explained"] == [None, None]
    assert "Principal components (none and none of the variance)" in " ".join(check(report).texts)
    _, figures, _ = write_report(report, tmp_path / "report.html")
    assert "NaN" not in figures.read_text()


def test_filter_changes_follow_from_the_files(report: Report, analyzed: RunDirectory) -> None:
    table = rows_of(report, "filters")
    assert {(row["from"], row["to"]) for row in table} == {
        ("initial", "epoch-0002"),
        ("epoch-0002", "last"),
        ("initial", "last"),
    }
    distances = []
    for row in table:
        before, after = (np.load(analyzed.filters_path(row[key]))[int(row["filter"])] for key in ("from", "to"))
        assert float(row["distance"]) == pytest.approx(float(np.sqrt(((after - before) ** 2).sum())), rel=1e-5)
        if (row["from"], row["to"]) == ("initial", "last"):
            distances.append(float(row["distance"]))
    figures = next(iter(report.figures["sections"]["filters"].values()))["first"]
    assert figures["most_changed"] == sorted(range(6), key=lambda number: -distances[number])


def test_filters_that_hardly_moved_show_where(analyzed: RunDirectory, tmp_path: Path) -> None:
    run = copy_of(analyzed, tmp_path / "run")
    first = np.load(run.filters_path("initial"))
    last = first.copy()
    last[2, 0, 1, 1] += 1e-4
    np.save(run.filters_path("last"), last)
    report = make_report([run])
    text = check(report)
    assert "Most changed from start to end" in " ".join(text.texts)
    [caption] = [one for one in text.texts if one.startswith("no. ")]
    length = np.linalg.norm(first[2])
    assert caption == f"no. 2: distance 0.0001, {100 * 1e-4 / length:.2g}% of its length"
    alone = np.full((*first.shape[2:], 3), 128, np.uint8)
    alone[1, 1, 0] = 255
    assert png_uri(alone) in text.values("src")


def test_filters_that_did_not_move_are_not_called_changed(analyzed: RunDirectory, tmp_path: Path) -> None:
    run = copy_of(analyzed, tmp_path / "run")
    shutil.copy(run.filters_path("initial"), run.filters_path("last"))
    text = " ".join(check(make_report([run])).texts)
    assert "training did not change the first layer" in text
    assert "Most changed" not in text


def test_kernels_of_a_depthwise_convolution_stand_side_by_side(analyzed: RunDirectory, tmp_path: Path) -> None:
    run = copy_of(analyzed, tmp_path / "run")
    found = analyses.read(run, Layers, analyses.current_origin(run))
    assert found is not None
    weights = np.random.default_rng(0).normal(size=(32, 1, 3, 3)).astype(np.float32)
    save_analysis(run, replace(found, weights=weights))
    page = check(make_report([run]))
    scale = np.abs(weights).max(axis=(1, 2, 3))
    assert png_uri(mosaic(signed_tiles(weights[:, 0], scale), 8)) in page.values("src")
    assert "each of which sees one input channel" in " ".join(page.texts)


def test_what_is_missing_is_said_with_its_command(made: Made, data: PackedDataset, tmp_path: Path) -> None:
    run = make_run(made, tmp_path / "my run", data)
    report = make_report([run])
    text = " ".join(check(report).texts)
    for part in PARTS:
        assert f"thumbnet analyze '{run.path}' --only {part}" in text
    assert report.figures["sections"]["robustness"]["my run"]["remedy"].endswith("--only robustness")


def test_an_unfinished_run_is_to_be_finished_first(made: Made, data: PackedDataset, tmp_path: Path) -> None:
    run = make_run(made, tmp_path / "run", data, complete=False)
    report = make_report([run])
    text, sections = " ".join(check(report).texts), report.figures["sections"]
    assert "thumbnet analyze" not in text
    for missing in (
        *(sections["features"]["run"][key] for key in ("embedding", "neighbours")),
        *(sections[key]["run"] for key in ("maps", "robustness")),
        sections["filters"]["run"]["second"],
    ):
        assert missing == {"missing": "the run is unfinished", "remedy": f"finish it with: thumbnet resume {run.path}"}


def test_what_is_impossible_is_not_advised(made: Made, data: PackedDataset, tmp_path: Path) -> None:
    run = make_run(made, tmp_path / "run", data)
    analyses.save_impossible(run, {"maps": "Grad-CAM: <b>there</b> is no map"}, analyses.current_origin(run))
    report = make_report([run])
    text = " ".join(check(report).texts)
    assert [part for part in PARTS if f"--only {part}" in text] == [part for part in PARTS if part != "maps"]
    assert "the run can have no maps of where it looked (Grad-CAM: <b>there</b> is no map)." in text
    assert report.figures["sections"]["maps"]["run"]["remedy"] == ""


def test_an_unfinished_analysis_shows_what_there_is(analyzed: RunDirectory, tmp_path: Path) -> None:
    run = copy_of(analyzed, tmp_path / "a run")
    found = analyses.read(run, analyses.Robustness)
    assert found is not None
    predicted = found.predicted.copy()
    predicted[1, 2:] = -1
    save_analysis(run, replace(found, predicted=predicted))
    report = make_report([run])
    assert f"thumbnet analyze '{run.path}' --only robustness" in check(report).texts
    figures = report.figures["sections"]["robustness"]["a run"]
    assert len(figures["cells"]) == 7
    assert figures["mean"] is None
    assert not figures["complete"]


@pytest.mark.parametrize("share", [0.5, 0.6, 0.8, 0.95])
def test_what_is_left_out_is_counted_image_by_image(
    share: float, analyzed: RunDirectory, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thumbnet.report.page.PAGE_BYTES", round(share * len(report.html)))
    less = make_report([analyzed]).html
    left_out = report.html.count("data:image") - less.count("data:image")
    assert left_out > 0
    assert f"{left_out} images were left out" in less


def test_without_the_data_the_figures_stay(made: Made, tmp_path: Path) -> None:
    data = make_data(made, tmp_path / "packed")
    run = make_run(made, tmp_path / "run", data)
    analyze(run, data)
    shutil.rmtree(tmp_path / "packed")
    report = make_report([run])
    assert "The images are not at hand" in " ".join(check(report).texts)
    assert rows_of(report, "maps")[3]["image"] == "val 3"


def test_damaged_analyses_are_refused(analyzed: RunDirectory, tmp_path: Path) -> None:
    run = copy_of(analyzed, tmp_path / "run")
    run.analysis_path("maps").write_bytes(b"PK")
    with pytest.raises(RunError, match=r"maps\.npz: this analysis is damaged"):
        make_report([run])


def test_hostile_classes_render(tmp_path: Path) -> None:
    made_up = Made(HOSTILE, [6] * (len(HOSTILE) - 1) + [0])
    data = make_data(made_up, tmp_path / "packed")
    run = make_run(made_up, tmp_path / "run", data)
    analyze(run, data, side=5)
    page = check(make_report([run]))
    assert sum(tag == "script" and "type" not in found for tag, found in page.tags) == 1
    assert COARSE not in " ".join(page.texts)


def test_mosaics_hold_their_tiles() -> None:
    tiles = np.random.default_rng(0).integers(0, 256, (5, 3, 4), np.uint8)
    sheet = mosaic(tiles, 2)
    assert sheet.shape == (3 * 4 - 1, 2 * 5 - 1, 4)
    np.testing.assert_array_equal(sheet[4:7, 5:9, 0], tiles[3])
    assert not sheet[8:, 5:].any()
    assert not sheet[3].any()


def test_tiles_keep_zero_and_range() -> None:
    values = np.array([[[-2.0, 0], [1, 2]], [[0, 0], [0, 0]]])
    assert signed_tiles(values, np.array([2.0, 0.0])).tolist() == [[[0, 128], [191, 255]], [[128, 128], [128, 128]]]
    assert ranged_tiles(values).tolist() == [[[0, 128], [191, 255]], [[0, 0], [0, 0]]]


def test_overlays_are_hot_where_the_map_is() -> None:
    image = np.full((16, 16, 3), 100, np.uint8)
    one = np.zeros((4, 4), np.float32)
    one[0, 3] = 5
    found = overlay(image, one, (0, 0, 1, 1)).astype(int)
    redness = found[..., 0] - found[..., 2]
    row, column = np.unravel_index(redness.argmax(), redness.shape)
    assert row < 4
    assert column >= 12
    assert redness[12:, :4].max() < 0
    smooth = zoom(one, 4, order=1, grid_mode=True, mode="nearest")
    assert np.corrcoef(smooth.ravel(), redness.ravel())[0, 1] > 0.8
    half = overlay(image, one, (0.5, 0, 0.5, 0.5)).astype(int)
    assert (half[:8, :, 0] < half[:8, :, 2]).all()
    np.testing.assert_array_equal(overlay(image, one * 0, (0, 0, 1, 1)), image)


def test_the_gallery_holds_the_maps_of_its_images(analyzed: RunDirectory, report: Report) -> None:
    found, stored = analyses.read(analyzed, analyses.Maps), analyzed.predictions("val")
    assert found is not None
    answers = stored.logits.argmax(axis=1)
    wrong = (answers != stored.labels) & (answers == found.predicted)
    laid = re.findall(r'<img class="map" src="([^"]+)" alt="[^"]+" style="([^"]+)"', report.html)
    assert len(laid) == np.count_nonzero(wrong) > 0
    assert f"{len(laid)} of the {np.count_nonzero(answers != stored.labels)} images here have a map" in report.html
    shown = dict(re.findall(r'alt="(val_\d+\.png): [^"]+" [^>]*>\s*<img class="map" src="([^"]+)"', report.html))
    tiles = {image: png_uri(heat_tile(found.for_predicted[stored.image_ids.index(image)])) for image in shown}
    assert shown == tiles
    assert len(shown) == len(laid)
    assert {style for _, style in laid} == {"top:0%;left:0%;height:100%;width:100%"}
    errors = np.count_nonzero(found.predicted != found.labels)
    assert f"36 of the {errors} errors that have maps" in report.html
    assert f"{min(12, 60 - errors)} of the {60 - errors} right answers that have maps" in report.html


def test_a_part_of_the_image_is_mapped_where_it_lies(analyzed: RunDirectory, tmp_path: Path) -> None:
    run = copy_of(analyzed, tmp_path / "run")
    found = analyses.read(run, analyses.Maps)
    assert found is not None
    nothing = np.zeros_like(found.for_predicted)
    save_analysis(run, replace(found, box=(0.125, 0.0625, 0.75, 0.875)))
    assert "top:12.5%;left:6.25%;height:75%;width:87.5%" in make_report([run]).html
    # A map of zeros, one for another answer, and one of another split are none of an item's.
    for change in ({"for_predicted": nothing}, {"predicted": found.labels}, {"subset": "holdout"}):
        save_analysis(run, replace(found, **change))
        assert 'class="map"' not in make_report([run]).html


def test_tiles_of_a_map_have_the_colours_of_an_overlay() -> None:
    one = np.array([[0, 1], [2, 4]], np.float32)
    tile = heat_tile(one)
    assert tile.shape == (2, 2, 3)
    assert tile[0, 0].tolist() == [20, 20, 110]
    assert tile[1, 1].tolist() == [220, 40, 20]
    black = overlay(np.zeros((2, 2, 3), np.uint8), one, (0, 0, 1, 1))
    np.testing.assert_allclose(black, 0.55 * tile, atol=1)


def test_peaks_are_places_in_the_image() -> None:
    one = np.zeros((2, 2), np.float32)
    assert peak_of(one, (0, 0, 1, 1)) == (None, None)
    one[1, 0] = 1
    assert peak_of(one, (0, 0, 1, 1)) == (0.25, 0.75)
    assert peak_of(one, (0.25, 0.25, 0.5, 0.5)) == (0.375, 0.625)


def test_peaks_follow_from_the_stored_maps(analyzed: RunDirectory, report: Report) -> None:
    found, stored = analyses.read(analyzed, analyses.Maps), analyzed.predictions("val")
    assert found is not None
    table = rows_of(report, "maps")
    figures = next(iter(report.figures["sections"]["maps"].values()))
    assert figures["errors"] == sum(row["true"] != row["predicted"] for row in table)
    assert [row["image"] for row in table] == [stored.image_ids[place] for place in found.positions]
    side = found.for_label.shape[1]
    for name, maps in (("predicted", found.for_predicted), ("true", found.for_label)):
        for row, one in zip(table, maps, strict=True):
            down, across = maximum_position(one)
            place = [f"{(across + 0.5) / side}", f"{(down + 0.5) / side}"] if one.any() else ["", ""]
            assert [row[f"{name}_x"], row[f"{name}_y"]] == place
    assert table[0]["predicted_x"] == ""


def test_right_answers_are_shown_from_sure_to_unsure(tmp_path: Path) -> None:
    made = simple(2, 60, train=4)
    data = make_data(made, tmp_path / "packed")
    run = make_run(made, tmp_path / "run", data)
    analyze(run, data)
    found = analyses.read(run, analyses.Maps)
    assert found is not None
    save_analysis(run, replace(found, predicted=np.where(np.arange(120) < 20, 1 - found.labels, found.labels)))
    seen = re.findall(r'<div class="row"><img src="[^"]+" alt="val_(\d+)\.png', make_report([run]).html)
    right = [int(number) for number in seen if int(number) >= 20]
    assert len(seen) == 20 + 12
    assert right == np.linspace(20, 119, 12).round().astype(int).tolist()
