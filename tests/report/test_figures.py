"""Every figure of a report follows from its CSV files, computed by other libraries."""

import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import binomtest, norm, sem, t
from sklearn import metrics as oracle

from tests.report.made import make_data, make_run, simple
from tests.report.reading import rows_of
from thumbnet.predictions import Predictions
from thumbnet.report import Report, make_report
from thumbnet.run import RunDirectory

CLASSES = 12
"""So many that the five likeliest are not all."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[RunDirectory]:
    """Two runs on the same data; shared, so not to be changed."""
    folder, made = tmp_path_factory.mktemp("figures"), simple(CLASSES)
    data = make_data(made, folder / "packed")
    skills = {"first": 1.5, "second": 2.5}
    return [make_run(made, folder / name, data, seed=n, skill=s) for n, (name, s) in enumerate(skills.items())]


@pytest.fixture(scope="module")
def single_report(pair: list[RunDirectory]) -> Report:
    return make_report(pair[:1])


@pytest.fixture(scope="module")
def pair_report(pair: list[RunDirectory]) -> Report:
    return make_report(pair)


def section(report: Report, name: str) -> Any:
    """The JSON data of a section of a report of one run."""
    found = report.figures["sections"][name]
    return found["first"] if set(found) == {"first"} else found


def column(rows: list[dict[str, str]], name: str) -> list[float]:
    return [float(row[name]) if row[name] else math.nan for row in rows]


def test_header_and_scores(single_report: Report, pair: list[RunDirectory]) -> None:
    images, (run,) = rows_of(single_report, "images"), rows_of(single_report, "runs")
    true, named = [[row[key] for row in images] for key in ("true", "predicted")]
    assert float(run["top1"]) == pytest.approx(oracle.accuracy_score(true, named), abs=1e-12)
    assert float(run["nll"]) == pytest.approx(np.mean(column(images, "loss")))
    stored = Predictions.load(pair[0].predictions_path("val"))
    assert [row["image"] for row in images] == list(stored.image_ids)
    top5 = oracle.top_k_accuracy_score(stored.labels, stored.logits, k=5, labels=range(CLASSES))
    assert float(run["top1"]) < top5 < 1
    assert [float(run["top5"]), np.mean(column(images, "in_top5"))] == pytest.approx([top5, top5])
    for row, label, logits in zip(images, stored.labels, stored.logits, strict=True):
        hit = oracle.top_k_accuracy_score([label], logits[None], k=5, labels=range(CLASSES))
        assert float(row["in_top5"]) == hit, row["image"]
    sure, hits = np.array(column(images, "probability")), np.array(column(images, "right"))
    assert float(run["ece"]) == pytest.approx(expected_error(sure, hits))
    right = sum(map(int, column(images, "right")))
    interval = binomtest(right, len(images)).proportion_ci(0.95, "wilson")
    assert [float(run["top1_low"]), float(run["top1_high"])] == pytest.approx([interval.low, interval.high])
    np.testing.assert_allclose(-np.log(column(images, "true_probability")), column(images, "loss"), rtol=1e-9)
    assert f"{100 * float(run['top1']):.1f}%</span> top-1 on val" in single_report.html
    (head,) = section(single_report, "overview")["runs"]
    assert head["figures"] | {"epochs": 4.0, "parameters": 1234, "multiply_adds": 5_600_000} == head["figures"]
    assert head["again"].split()[:2] == ["thumbnet", "train"]


def test_classes(single_report: Report) -> None:
    images, classes = rows_of(single_report, "images"), rows_of(single_report, "per-class")
    true, named = [[row[key] for row in images] for key in ("true", "predicted")]
    ids = [row["class"] for row in classes]
    precision, recall, f1, support = oracle.precision_recall_fscore_support(true, named, labels=ids, zero_division=0)
    for name, expected in {"precision": precision, "recall": recall, "f1": f1, "images": support}.items():
        np.testing.assert_allclose(column(classes, name), expected, err_msg=name)
    for row in classes:
        interval = binomtest(int(row["right"]), int(row["images"])).proportion_ci(0.95, "wilson")
        assert [float(row["accuracy_low"]), float(row["accuracy_high"])] == pytest.approx(list(interval))
        wrong = [answer for label, answer in zip(true, named, strict=True) if label == row["class"] != answer]
        assert [int(row["errors"]), int(row["wrong_classes"])] == [len(wrong), len(set(wrong))]
    averages = section(single_report, "per-class")["averages"]
    assert averages["f1"] == pytest.approx(oracle.f1_score(true, named, average="macro"))
    assert averages["precision"] == pytest.approx(oracle.precision_score(true, named, average="macro"))
    worst = min(classes, key=lambda row: (float(row["accuracy"]), float(row["f1"])))
    assert section(single_report, "per-class")["classes"][ids.index(worst["class"])]["wrong"][0]["images"] > 0


def test_confusions(single_report: Report) -> None:
    images, rows = rows_of(single_report, "images"), rows_of(single_report, "confusion")
    order = [row["true"] for row in rows]
    assert order == list(rows[0])[1:]
    true, named = [[row[key] for row in images] for key in ("true", "predicted")]
    expected = oracle.confusion_matrix(true, named, labels=order)
    np.testing.assert_array_equal([[int(row[key]) for key in order] for row in rows], expected)
    pairs = rows_of(single_report, "confusion-pairs")
    assert len(pairs) == np.count_nonzero(expected - np.diag(np.diag(expected)))
    assert [int(row["images"]) for row in pairs] == sorted((int(row["images"]) for row in pairs), reverse=True)
    for row in pairs:
        place = order.index(row["true"]), order.index(row["predicted"])
        assert int(row["images"]) == expected[place]
        assert float(row["share"]) == pytest.approx(expected[place] / expected[place[0]].sum())


def test_mistakes(single_report: Report) -> None:
    images, mistakes = rows_of(single_report, "images"), rows_of(single_report, "mistakes")
    losses = {row["image"]: float(row["loss"]) for row in images if row["true"] != row["predicted"]}
    assert [row["image"] for row in mistakes] == sorted(losses, key=lambda image: -losses[image])
    assert column(mistakes, "loss") == sorted(losses.values(), reverse=True)
    worst = section(single_report, "errors")["worst"][0]
    assert worst["image"] == mistakes[0]["image"]
    assert worst["answers"][0]["probability"] == pytest.approx(float(mistakes[0]["probability"]))


def test_calibration(single_report: Report, pair: list[RunDirectory]) -> None:
    images, bins = rows_of(single_report, "images"), rows_of(single_report, "calibration")
    found = section(single_report, "calibration")
    right = np.array(column(images, "right"))
    val, held = (Predictions.load(pair[0].predictions_path(split)) for split in ("val", "holdout"))
    best = minimize_scalar(
        lambda inverse: loss(held, inverse), bounds=(0.01, 10), method="bounded", options={"xatol": 1e-8}
    )
    assert found["scaled"]["temperature"] == pytest.approx(1 / best.x, rel=1e-3)
    assert found["scaled"]["fitted_on"] == len(held.labels)
    scaled = column(rows_of(single_report, "calibrated-images"), "scaled_probability")
    powers = softmax(val.logits.astype(np.float64) / found["scaled"]["temperature"], axis=1)
    np.testing.assert_allclose(scaled, powers.max(axis=1), rtol=1e-9)
    both = {"as it is": (found, column(images, "probability"), 1.0)}
    both["with the temperature"] = found["scaled"], scaled, 1 / found["scaled"]["temperature"]
    assert {row["probabilities"] for row in bins} == set(both)
    for name, (stated, sure, inverse) in both.items():
        assert stated["ece"] == pytest.approx(expected_error(np.array(sure), right))
        assert stated["nll"] == pytest.approx(loss(val, inverse))
        check_bins([row for row in bins if row["probabilities"] == name], stated, np.array(sure), right)
    assert found["scaled"]["nll"] != pytest.approx(found["nll"])


def loss(of: Predictions, inverse: float) -> float:
    """The log-likelihood loss of predictions whose logits are multiplied by `inverse`."""
    return float(oracle.log_loss(of.labels, softmax(of.logits.astype(np.float64) * inverse, axis=1)))


def check_bins(
    rows: list[dict[str, str]],
    stated: dict[str, Any],
    sure: np.ndarray[Any, np.dtype[np.float64]],
    right: np.ndarray[Any, np.dtype[np.float64]],
) -> None:
    """Check the rows of a reliability diagram, and that the JSON data says the same."""
    counts, edges = np.histogram(sure, bins=15, range=(0, 1))
    np.testing.assert_allclose([[float(row["above"]), float(row["up_to"])] for row in rows], list(pairwise(edges)))
    assert [int(row["images"]) for row in rows] == counts.tolist() == stated["counts"]
    for row, accuracy, confidence in zip(rows, stated["bin_accuracy"], stated["confidence"], strict=True):
        inside = (sure > float(row["above"])) & (sure <= float(row["up_to"]))
        if inside.any():
            assert float(row["accuracy"]) == accuracy == pytest.approx(right[inside].mean())
            assert float(row["confidence"]) == confidence == pytest.approx(sure[inside].mean())
        else:
            assert (row["accuracy"], row["confidence"], accuracy, confidence) == ("", "", None, None)


def expected_error(sure: np.ndarray[Any, np.dtype[np.float64]], right: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """The expected calibration error, bin after bin."""
    total = 0.0
    for place in range(15):
        inside = (sure > place / 15) & (sure <= (place + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    return total


def test_comparison(pair_report: Report) -> None:
    found = section(pair_report, "compare")
    images, classes = rows_of(pair_report, "compare-images"), rows_of(pair_report, "compare-classes")
    first, second = ([row["true"] == row[side] for row in images] for side in ("first", "second"))
    fixed = sum(b and not a for a, b in zip(first, second, strict=True))
    broken = sum(a and not b for a, b in zip(first, second, strict=True))
    assert [found["fixed"], found["broken"]] == [fixed, broken]
    assert found["p_value"] == pytest.approx(binomtest(fixed, fixed + broken).pvalue)
    assert found["p_value"] < 1e-4
    assert "<td>below 0.0001</td>" in pair_report.html
    assert found["difference"] == pytest.approx(np.mean(second) - np.mean(first))
    # Bonett and Price's interval is Wald's with one image more each way.
    apart = np.array([*np.subtract(second, first, dtype=float), 1, -1])
    expected = norm.interval(0.95, loc=apart.mean(), scale=apart.std() / np.sqrt(len(apart)))
    assert found["interval"] == pytest.approx(list(expected))
    assert found["interval"][0] < found["difference"] < found["interval"][1]
    assert len(found["fixed_images"]) == fixed
    assert sum(int(row["fixed"]) for row in classes) == fixed
    for row in classes:
        mine = [place for place, image in enumerate(images) if image["true"] == row["class"]]
        difference = np.mean([second[place] for place in mine]) - np.mean([first[place] for place in mine])
        assert float(row["difference"]) == pytest.approx(difference)
    # The single tables of both runs say the same.
    for number, side in enumerate(("first", "second"), start=1):
        single = {row["image"]: row["predicted"] for row in rows_of(pair_report, f"run-{number}-images")}
        assert single == {row["image"]: row[side] for row in images}


def test_curves(single_report: Report) -> None:
    rows, steps = rows_of(single_report, "evaluations"), rows_of(single_report, "iterations")
    assert column(rows, "val_top1") == [5 / 25, 10 / 25, 15 / 25, 20 / 25]
    assert column(steps, "loss") == pytest.approx([3 / step for step in range(1, 21)])
    (run,) = section(single_report, "curves")["runs"]
    assert run["phase_changes"] == [
        {"phase": 2, "step": 10, "epoch": 2.0, "text": "phase 2: images of 12 pixels, other parameters train"}
    ]


def test_the_gap_is_told_with_its_error(single_report: Report) -> None:
    images, found = rows_of(single_report, "images"), section(single_report, "calibration")
    sure, right = np.array(column(images, "probability")), np.array(column(images, "right"))
    gaps = sure - right
    assert found["gap"] == pytest.approx(gaps.mean())
    expected = t.interval(0.95, len(gaps) - 1, loc=gaps.mean(), scale=sem(gaps))
    assert found["gap_interval"] == pytest.approx(list(expected), rel=1e-5)
    told = not found["gap_interval"][0] <= 0 <= found["gap_interval"][1]
    assert ("not told apart" in single_report.html) == (not told)
    # What perfect calibration shows, from other draws.
    random = np.random.default_rng(5)
    drawn = [expected_error(sure, (random.random(len(sure)) < sure).astype(float)) for _ in range(400)]
    assert found["chance_ece"]["mean"] == pytest.approx(np.mean(drawn), rel=0.08)
    assert found["chance_ece"]["high"] == pytest.approx(np.percentile(drawn, 95), rel=0.1)


def test_a_perfect_network_is_not_told_from_its_answers() -> None:
    from thumbnet.report.facts.calibration import gap_interval

    random = np.random.default_rng(0)
    sure = random.random((400, 200))
    held = [low <= 0 <= high for low, high in (gap_interval(one, random.random(200) < one) for one in sure)]
    assert 0.91 < np.mean(held) < 0.98


def test_one_image_tells_no_network_from_its_answers() -> None:
    from thumbnet.report.facts.calibration import gap_interval

    assert gap_interval(np.array([0.75]), np.array([True])) == (-1.25, 0.75)
    assert gap_interval(np.array([0.75]), np.array([False])) == (-0.25, 1.75)


def test_only_classes_that_differ_for_sure_are_named(pair_report: Report, tmp_path: Path) -> None:
    rows = rows_of(pair_report, "compare-classes")
    for row in rows:
        fixed, broken = int(row["fixed"]), int(row["broken"])
        expected = binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0
        assert float(row["p_value"]) == pytest.approx(expected)
    # Holm's: the p-value of rank r is multiplied by the number of those from r on, and none is below an earlier one.
    order = np.argsort(column(rows, "p_value"), kind="stable")
    raised = np.sort(column(rows, "p_value")) * np.arange(len(rows), 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(raised), 1)
    np.testing.assert_allclose(np.array(column(rows, "adjusted_p_value"))[order], adjusted)
    assert len(set(adjusted)) > 2
    sure = [row for row in rows if float(row["adjusted_p_value"]) < 0.05]
    listed = re.findall(r"<b>[+-][\d.]+ points</b> ([\w ]+) <span", pair_report.html)
    assert sorted(listed) == sorted(row["name"] for row in sure)
    assert "Another seed would give other networks" in pair_report.html
    # Runs that differ in many images of each class.
    large = simple(3, val=60)
    data = make_data(large, tmp_path / "packed")
    runs = [make_run(large, tmp_path / name, data, seed=0, skill=s) for name, s in (("a", 0.0), ("b", 4.0))]
    html = make_report(runs).html
    assert len(re.findall(r"<b>[+][\d.]+ points</b>", html)) == 3
