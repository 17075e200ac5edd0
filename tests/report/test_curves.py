"""Phase changes against the plan that training follows, and how curves are drawn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers import short_recipe
from tests.report.made import Made, make_run
from thumbnet.metrics import Reliability
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Phase, epochs, iterations
from thumbnet.recipes import find_recipe
from thumbnet.report import make_report
from thumbnet.report.charts.axes import Scale, number
from thumbnet.report.charts.heatmap import draw_heatmap
from thumbnet.report.charts.lines import Curve, draw_lines, smooth, thin
from thumbnet.report.charts.reliability import draw_reliability
from thumbnet.report.charts.severities import draw_severities
from thumbnet.report.facts.confusions import similarity_order
from thumbnet.report.facts.curves import phase_changes
from thumbnet.report.subject import read_subjects
from thumbnet.run import RunDirectory
from thumbnet.train.plan import make_plan

PHASES = [
    (Phase(epochs(2)), Phase(epochs(1.5)), Phase(epochs(3))),
    (Phase(iterations(7)), Phase(epochs(2), policies=((), ())), Phase(iterations(9)), Phase(epochs(1))),
    (Phase(epochs(0.4)), Phase(epochs(2))),
]


@pytest.mark.parametrize("phases", PHASES)
@pytest.mark.parametrize("fraction", [1.0, 0.6])
def test_phases_begin_where_the_plan_has_them(
    phases: tuple[Phase, ...], fraction: float, made: Made, data: PackedDataset, tmp_path: Path
) -> None:
    recipe = short_recipe(phases=phases, fraction=fraction, batch_size=16)
    check_changes(make_run(made, tmp_path / "run", data, recipe=recipe, complete=False), 197)


def test_phases_of_a_long_run(made: Made, data: PackedDataset, tmp_path: Path) -> None:
    recipe = find_recipe("resnet18-64")
    check_changes(make_run(made, tmp_path / "run", data, recipe=recipe, complete=False), 100_000)


def test_phases_begin_where_the_steps_state_them(made: Made, data: PackedDataset, tmp_path: Path) -> None:
    run = make_run(made, tmp_path / "run", data)
    stated = [row | {"phase": 1 + (row["step"] > 7)} for row in run.metrics.read()]
    run.metrics.truncate(0)
    run.metrics.append(stated)
    (change,) = make_report([run]).figures["sections"]["curves"]["runs"][0]["phase_changes"]
    assert (change["phase"], change["step"], change["epoch"]) == (2, 7, 1.4)


def check_changes(run: RunDirectory, images: int) -> None:
    """Check the changes of a run on so many images whose steps state their phase, or whose later ones alone do."""
    plan = make_plan(run.recipe(), images, run.data()["image_size"])
    rows: list[dict[str, Any]] = [
        {"kind": "iteration", "step": step, "epoch": round(plan.epochs_done(step), 5), "loss": 1.0, "lr": 0.1}
        for step in range(1, plan.total_steps + 1)
    ]
    half = plan.total_steps // 2
    for stated_from in (plan.total_steps, half // 2, 0):
        for row in rows[stated_from:]:
            row["phase"] = plan.phase_at(row["step"] - 1).index + 1
        run.metrics.truncate(0)
        run.metrics.append(rows)
        assert begins(run) == [phase.start for phase in plan.phases[1:]]
        # Half-way, later phases have not begun.
        run.metrics.truncate(half)
        assert begins(run) == [phase.start for phase in plan.phases[1:] if phase.start < half]


def begins(run: RunDirectory) -> list[int]:
    """The steps after which the report lets phases begin."""
    (subject,) = read_subjects([run])
    return [change.step for change in phase_changes(subject)]


def test_a_thinned_curve_keeps_its_extremes() -> None:
    random = np.random.default_rng(0)
    points = [(float(x), float(y)) for x, y in enumerate(random.normal(size=5000))]
    kept = thin(points, 400)
    assert len(kept) <= 400
    assert set(kept) <= set(points)
    assert kept == sorted(kept)
    assert {min(points, key=lambda one: one[1]), max(points, key=lambda one: one[1])} <= set(kept)
    assert thin(points[:300], 400) == points[:300]
    means = smooth(points, 50)
    assert len(means) == 50
    assert means[3][1] == pytest.approx(np.mean([y for _, y in points[300:400]]))


def test_ticks_are_round_and_inside() -> None:
    for low, high in ((0.0, 1.0), (1.78, 5.3), (-0.52, 0.52), (0, 17), (3.0, 3.002), (0, 123456)):
        scale = Scale(low, high, 0, 100)
        ticks = scale.ticks()
        assert 3 <= len(ticks) <= 9
        assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
        assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])
        assert f"{ticks[1] - ticks[0]:.0e}"[0] in "125"
    assert Scale(0.003, 20, 0, 100, log=True).ticks() == pytest.approx([0.01, 0.1, 1, 10])
    assert Scale(0.01, 1, 0, 100, log=True)(0.1) == pytest.approx(50)
    assert [number(value) for value in (0, 0.00005, 0.25, 1500, 2e7)] == ["0", "5e-05", "0.25", "1,500", "2e+07"]


def test_a_curve_lies_where_its_values_say() -> None:
    assert draw_lines("t", "u", [Curve("empty", [], 0)]) == ""
    figure = draw_lines("title", "loss", [Curve("<one>", [(0, 1.0), (5, 3.0), (10, 2.0)], 0)])
    places = figure.split(' points="')[1].split('"')[0].split(" ")
    xs, ys = zip(*(map(float, place.split(",")) for place in places), strict=True)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert ys[0] - ys[2] == pytest.approx(ys[2] - ys[1], abs=0.2)
    assert "<one>" not in figure
    constant = draw_lines("title", "lr", [Curve("lr", [(1, 0.1), (2, 0.1)], 0)])
    assert "polyline" in constant


@pytest.mark.parametrize(("value", "said"), [(0.9997, "above 99.9%"), (1.0, "100.0%"), (0.0002, "below 0.1%")])
def test_figures_say_100_percent_only_where_it_is_just_that(value: float, said: str) -> None:
    assert f"top-1 ends at {said}" in draw_lines("t", "u", [Curve("top-1", [(0, 0.5), (1, value)], 0)], percent=True)
    found = Reliability(np.array([3]), np.array([value]), np.array([value]), 0.0)
    assert f"3 of 3 images, confidence {said}, accuracy {said}" in draw_reliability("t", found)
    assert f"a 1\n{said} (" in draw_severities("t", 0.5, {"a": [(1, value, (0.1, 1.0))]})


def test_alike_classes_are_neighbours() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), 20)
    twin = {0: 5, 5: 0, 1: 7, 7: 1, 2: 4, 4: 2, 3: 6, 6: 3}
    scores = random.random((160, 8)) * 0.05
    scores[np.arange(160), labels] += 1
    scores[np.arange(160), np.array([twin[int(label)] for label in labels])] += 0.8
    order = similarity_order(scores / scores.sum(1, keepdims=True), labels).tolist()
    assert sorted(order) == list(range(8))
    assert all(abs(order.index(one) - order.index(other)) == 1 for one, other in twin.items())


def test_the_heat_map_is_transparent_where_nothing_is() -> None:
    picture = draw_heatmap(np.array([[4, 0, 0], [1, 2, 1], [0, 0, 0]]))
    assert picture.shape == (3, 3, 4)
    np.testing.assert_array_equal(picture[..., 3] > 0, [[True, False, False], [True, True, True], [False] * 3])
    assert picture[0, 0, 3] == 255 > picture[1, 1, 3] > picture[1, 0, 3]
    assert picture[0, 0, :3].tolist() == picture[1, 1, :3].tolist() != picture[1, 0, :3].tolist()


def test_runs_of_very_different_learning_rates_share_a_logarithmic_figure(
    made: Made, data: PackedDataset, tmp_path: Path
) -> None:
    run = make_run(made, tmp_path / "high", data)
    other = make_run(made, tmp_path / "low", data)
    rows = [row | {"lr": row["lr"] / 500} for row in other.metrics.read()]
    other.metrics.truncate(0)
    other.metrics.append(rows)
    assert "Learning rate (logarithmic)" in make_report([run, other]).html
    assert "Learning rate (logarithmic)" not in make_report([run]).html
    # A tenth is a tenth of the height, wherever it stands; what lies below the floor lies on the axis.
    figure = draw_lines("t", "u", [Curve("lr", [(0, 1.0), (1, 0.1), (2, 0.01), (3, 1e-9)], 0)], floor=0.001)
    ys = [float(place.split(",")[1]) for place in figure.split(' points="')[1].split('"')[0].split(" ")]
    assert ys[1] - ys[0] == pytest.approx(ys[2] - ys[1], abs=0.2)
    assert ys[3] - ys[2] == pytest.approx(ys[2] - ys[1], abs=0.2)


@pytest.mark.parametrize(
    ("first", "figure"), [(4000.0, "Images per second"), (6000.0, "Images per second (logarithmic)")]
)
def test_phases_of_very_different_speed_share_a_logarithmic_figure(
    first: float, figure: str, made: Made, data: PackedDataset, tmp_path: Path
) -> None:
    run = make_run(made, tmp_path / "run", data)
    rows = [
        row | {"images_per_second": first if row["step"] <= 10 else 99.0} if row["kind"] == "evaluation" else row
        for row in run.metrics.read()
    ]
    run.metrics.truncate(0)
    run.metrics.append(rows)
    assert f">{figure}<" in make_report([run]).html


def test_a_phase_without_a_point_has_no_peak(made: Made, data: PackedDataset, tmp_path: Path) -> None:
    run = make_run(made, tmp_path / "run", data)
    rows = [{key: value for key, value in row.items() if key != "lr"} for row in run.metrics.read()]
    run.metrics.truncate(0)
    run.metrics.append([row for row in rows if row["step"] <= 10])
    html = make_report([run]).html
    assert ">Images per second<" in html
    assert "Learning rate" not in html
