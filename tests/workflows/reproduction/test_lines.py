"""The table of reproduction: lines in order, what is measured, how that is judged, and what is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.workflows.recorded import CPU, H100, history, run_record, study_record
from thumbnet.errors import RecipeError, StorageError
from thumbnet.recipe import to_json
from thumbnet.recipes import OWN, RECIPES, REPORTS, ROWS
from thumbnet.records import Measurement, Record
from thumbnet.workflows.reproduction.figures import Measured, device_name, iterations_verdict, verdict
from thumbnet.workflows.reproduction.lines import Line, all_rows, check_rows, make_lines, ordered, row_line

M1 = "mkrtchyan-m1"
ENSEMBLE = {"top1": 0.525, "top1_interval": [0.515, 0.535], "best_n": 7, "selected_on": "val"}
STUDY = {"ensemble": ENSEMBLE, "epochs": 30, "seconds": 7200.0}


def measured(record: Record | Measurement) -> Measured:
    """What the line of a record's row says of it."""
    found = row_line(record.name, record).measured
    assert found is not None
    return found


def test_every_row_has_a_line_and_twins_stand_behind_their_row() -> None:
    names = [line.row for line in make_lines([])]
    assert sorted(names) == sorted(ROWS)
    assert names == all_rows()
    twins = [place for place, name in enumerate(names) if name.endswith("+")]
    assert len(twins) >= 3
    for place in twins:
        assert names[place] == f"{names[place - 1]}+"
    reports = list(dict.fromkeys(line.report for line in make_lines([])))
    assert reports == list(REPORTS)
    assert all(line.measured is None for line in make_lines([]))


def test_order_with_a_twin_far_from_its_row_or_without_it() -> None:
    assert ordered(["a+", "b", "c+", "a", "d"]) == ["b", "c+", "a", "a+", "d"]
    assert ordered([]) == []


def test_own_recipes_have_a_line_where_they_are_recorded() -> None:
    records: list[Record | Measurement] = [
        run_record("resnet18-64", correct=4952, epochs=17),
        run_record("demo"),
        run_record(M1, best=(17, 2676)),
        replace(run_record(M1), name="mine"),
        Measurement("startup", "python x", None, {}, CPU, {"seconds_median": 0.2}),
    ]
    lines = make_lines(records)
    assert [line.row for line in lines] == [*all_rows(), "resnet18-64"]
    own = lines[-1]
    assert (own.report, own.reported, own.command) == (None, None, "thumbnet train resnet18-64")
    assert own.measured is not None
    assert (own.measured.figure, own.measured.verdict, own.measured.epoch) == (0.4952, None, None)
    assert [line.row for line in lines if line.measured] == [M1, "resnet18-64"]
    assert "demo" in OWN


def test_lines_of_some_rows_stand_in_the_tables_order_and_ask_no_more_of_records() -> None:
    stale = replace(run_record("mkrtchyan-m4"), fraction=0.5)
    lines = make_lines([run_record("resnet18-64"), stale], ["mkrtchyan-m1+", M1, "hansen-alexnet"])
    assert [line.row for line in lines] == ["hansen-alexnet", M1, "mkrtchyan-m1+"]


def test_unknown_rows_get_the_nearest_names_and_repeated_ones_count_once() -> None:
    assert check_rows([M1, "yu-vgg", M1]) == [M1, "yu-vgg"]
    with pytest.raises(RecipeError, match="row 'mkrtchian-m1' is unknown; did you mean mkrtchyan-m1"):
        check_rows([M1, "mkrtchian-m1"])
    with pytest.raises(RecipeError, match="row 'resnet18-64' is unknown"):
        check_rows(["resnet18-64"])


@pytest.mark.parametrize(
    ("reported", "expected"),
    [(0.2589, "above"), (0.259, "within"), (0.27, "within"), (0.2764, "within"), (0.27641, "below")],
)
def test_a_verdict_counts_the_ends_of_the_interval_as_within(reported: float, expected: str) -> None:
    assert verdict(reported, (0.259, 0.2764)) == expected


@pytest.mark.parametrize(
    ("steps", "expected"), [(1, "above"), (39, "above"), (40, "within"), (41, "below"), (None, "below")]
)
def test_fewer_iterations_are_better(steps: int | None, expected: str) -> None:
    assert iterations_verdict(40, steps) == expected


def test_a_run_that_chose_on_val_is_judged_by_its_peak() -> None:
    record = run_record(M1, correct=2582, best=(17, 2676))
    found = measured(record)
    assert record.peak is not None
    assert (found.figure, found.epoch, found.interval) == (0.2676, 17, record.peak.top1_interval)
    assert (found.last, found.last_interval) == (0.2582, record.top1_interval)
    assert found.verdict == "below"
    assert (found.train, found.epochs, found.seconds, found.device) == (0.3728, 20, 2531.2, "1 of 2 CPU cores")
    assert (found.record, found.selected_on, found.running) == (M1, "val", None)


@pytest.mark.parametrize(("correct", "expected"), [(2700, "below"), (2950, "within"), (3137, "above")])
def test_the_verdict_of_a_run_is_that_of_its_interval(correct: int, expected: str) -> None:
    # The last step, which the reports did not look at, must not decide.
    assert measured(run_record(M1, correct=100, best=(3, correct))).verdict == expected


def test_a_run_that_chose_nothing_is_judged_by_its_last_step() -> None:
    found = measured(run_record(M1, correct=2950, selected_on="none"))
    assert (found.figure, found.epoch, found.verdict) == (0.295, None, "within")
    chosen_elsewhere = measured(run_record(M1, correct=2950, best=(4, 9000), selected_on="holdout"))
    assert (chosen_elsewhere.figure, chosen_elsewhere.epoch) == (0.295, None)


def test_a_run_with_views_is_judged_by_them_at_the_last_step() -> None:
    record = run_record("milani-transfer-v2", correct=7610, best=(4, 7700))
    found = row_line("milani-transfer-v2", record).measured
    assert found is not None
    assert record.plain is not None
    assert (found.figure, found.interval, found.epoch) == (0.761, record.top1_interval, None)
    assert (found.last, found.last_interval) == (0.751, record.plain.top1_interval)
    assert (found.views, found.verdict) == ("ten-crop", "within")
    assert row_line("milani-transfer-v2", record).to_json()["views"] == "ten-crop"
    for wrong in (replace(record, views="none", plain=None), replace(record, views="flip")):
        with pytest.raises(StorageError, match="which its recipe contradicts"):
            row_line("milani-transfer-v2", wrong)


def test_a_row_with_words_only_has_no_verdict() -> None:
    line = row_line("mkrtchyan-alexnet", run_record("mkrtchyan-alexnet", best=(12, 1820)))
    assert line.reported is not None
    assert line.reported.text == "val below 20%"
    assert line.measured is not None
    assert (line.measured.figure, line.measured.verdict) == (0.182, None)


@pytest.mark.parametrize(
    ("evaluated", "running", "figure", "verdict", "as_accuracy_runs"),
    [
        ([0.9, 1.0, 0.99, 1.0], [0.5, 0.6, 1.0, 1.0], 2, "above", 3),
        ([0.1] * 39 + [1.0], [0.1] * 40, 40, "within", None),
        ([0.1] * 40 + [1.0], [0.1] * 39 + [1.0] * 2, 41, "below", 40),
        ([0.1, 0.99], [0.1, 1.0], None, "below", 2),
    ],
)
def test_learning_by_heart_is_judged_by_the_first_perfect_evaluation(
    evaluated: list[float], running: list[float], figure: int | None, verdict: str, as_accuracy_runs: int | None
) -> None:
    rows = history(eval_train_top1=evaluated, running_train_top1=running)
    line = row_line("ma-overfit-scratch", run_record("ma-overfit-scratch", epochs=100, history=rows))
    assert line.unit == "iterations"
    assert line.measured is not None
    found = line.measured
    assert (found.figure, found.verdict, found.running) == (figure, verdict, as_accuracy_runs)
    assert (found.interval, found.epoch) == (None, None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("milani-snapshots", "within"), ("milani-snapshots-regularized", "above"), ("hansen-ensemble", None)],
)
def test_a_study_is_judged_by_the_figures_of_its_record(name: str, expected: str | None) -> None:
    found = measured(study_record(name, STUDY))
    assert (found.figure, found.interval, found.verdict) == (0.525, (0.515, 0.535), expected)
    assert (found.epochs, found.seconds, found.selected_on, found.device) == (30, 7200.0, "val", "H100")
    assert (found.epoch, found.last, found.members) == (None, None, 7)


@pytest.mark.parametrize(
    "figures",
    [
        {"top1": 0.5},
        {"top1_interval": [0.4, 0.6]},
        {"top1": None, "top1_interval": [0.4, 0.6]},
        {"top1": 0.5, "top1_interval": None},
        {"top1": 0.5, "top1_interval": [0.4]},
        {"top1": 0.5, "top1_interval": ["low", "high"]},
    ],
)
def test_a_study_without_its_figures_is_refused(figures: dict[str, Any]) -> None:
    with pytest.raises(StorageError, match="record 'milani-snapshots': its figures lack top1 or top1_interval"):
        row_line("milani-snapshots", study_record("milani-snapshots", {"ensemble": figures}))


@pytest.mark.parametrize("interval", [[0.6, 0.7], [0.4, 0.49], [-0.1, 0.6], [0.4, 1.1], [float("nan"), 0.6]])
def test_a_study_whose_interval_cannot_be_is_refused(interval: list[float]) -> None:
    with pytest.raises(StorageError, match=r"top1_interval: .* does not hold 0.5 in \[0, 1\]"):
        row_line(
            "milani-snapshots",
            study_record("milani-snapshots", {"ensemble": {"top1": 0.5, "top1_interval": interval}}),
        )


def test_a_study_says_itself_whether_it_was_pretrained() -> None:
    assert row_line("hansen-ensemble", study_record("hansen-ensemble", STUDY | {"pretrained": True})).pretrained
    assert not row_line("hansen-ensemble", study_record("hansen-ensemble", STUDY)).pretrained
    assert row_line("ma-finetune").pretrained
    assert not row_line(M1).pretrained


def altered(**changes: Any) -> Record:
    """The record of M1 with a recipe that says something else."""
    recipe = RECIPES[M1]()
    return run_record(M1, recipe=to_json(replace(recipe, **changes)))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (altered(batch_size=128), "made by another recipe than the one of that name as it stands now"),
        (altered(name="mkrtchyan-m4"), "made by another recipe"),
        (altered(fraction=0.5), "made by another recipe"),
        (run_record(M1, fraction=0.5), "made by another recipe"),
        (run_record(M1, recipe={"name": M1}), "its recipe: "),
        (run_record(M1, pretrained=True), "pretrained is True, which its recipe contradicts"),
        (study_record("milani-snapshots", STUDY | {"recipes": {}}), "made by another study"),
        (study_record("milani-snapshots", STUDY | {"seeds": 2}), "made by another study"),
        (study_record(M1, STUDY), "the row is a recipe, but its record is of a study"),
        (replace(run_record(M1), name="hansen-ensemble"), "the row is a study, but its record is of a run"),
    ],
)
def test_a_record_that_is_not_of_its_row_is_refused(record: Record | Measurement, expected: str) -> None:
    with pytest.raises(StorageError) as refused:
        make_lines([record])
    message = str(refused.value)
    assert message.startswith(f"record {record.name!r}: ")
    assert expected in message
    assert f"thumbnet reproduce {record.name}" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "record",
    [
        study_record("resnet18-64", STUDY),
        run_record("resnet18-64", fraction=0.5),
        run_record("resnet18-64", recipe=to_json(RECIPES[M1]())),
    ],
)
def test_a_record_that_is_not_of_our_recipe_is_refused(record: Record | Measurement) -> None:
    with pytest.raises(StorageError, match=r"record 'resnet18-64': .* with: thumbnet train resnet18-64"):
        make_lines([record])


def test_another_seed_is_the_same_recipe() -> None:
    other = run_record(M1, seed=3, recipe=to_json(replace(RECIPES[M1](), seed=3)), best=(2, 2900))
    assert measured(other).figure == 0.29


def test_expected_times_stand_with_rows_that_have_one() -> None:
    times = Measurement("expected-times", "python x", None, {}, CPU, {M1: 2500, "hansen-ensemble": 3600.5})
    lines = {line.row: line for line in make_lines([times])}
    assert (lines[M1].expected_seconds, lines[M1].expected_on) == (2500.0, "1 of 2 CPU cores")
    assert lines["hansen-ensemble"].expected_seconds == 3600.5
    assert (lines["yu-vgg"].expected_seconds, lines["yu-vgg"].expected_on) == (None, None)


FIELDS = {
    *("row", "report", "source", "unit", "reported", "reported_text", "measured", "interval", "verdict"),
    *("epoch", "last", "last_interval", "running", "train_reported", "train_measured", "test_reported", "epochs"),
    *(
        "seconds",
        "device",
        "record",
        "pretrained",
        "selected_on",
        "views",
        "expected_seconds",
        "expected_on",
        "command",
    ),
}


def test_a_measured_line_as_json() -> None:
    record = run_record(M1, correct=2582, best=(17, 2676))
    found = json.loads(json.dumps(row_line(M1, record).to_json()))
    assert found.keys() == FIELDS
    assert record.peak is not None
    assert found["interval"] == list(record.peak.top1_interval)
    assert found["last_interval"] == list(record.top1_interval)
    expected = {
        "row": M1,
        "report": "mkrtchyan",
        "source": "Mkrtchyan 2022, figure 3",
        "unit": "top1",
        "reported": 0.295,
        "reported_text": None,
        "measured": 0.2676,
        "verdict": "below",
        "epoch": 17,
        "last": 0.2582,
        "train_reported": 0.55,
        "train_measured": 0.3728,
        "record": M1,
        "pretrained": False,
        "command": f"thumbnet reproduce {M1}",
    }
    assert {key: found[key] for key in expected} == expected


def test_an_open_line_as_json_knows_the_report_only() -> None:
    found = row_line("ma-overfit-pretrained").to_json()
    assert found.keys() == FIELDS
    known = {key: value for key, value in found.items() if value is not None}
    assert known == {
        "row": "ma-overfit-pretrained",
        "report": "ma",
        "source": "Ma 2017, figure 4",
        "unit": "iterations",
        "reported": 10,
        "train_reported": 1.0,
        "pretrained": True,
        "command": "thumbnet reproduce ma-overfit-pretrained",
    }
    assert row_line("yu-squeezenet").to_json()["reported_text"] == "no figure"


def test_a_line_of_our_own_as_json_has_no_report() -> None:
    found = make_lines([run_record("resnet18-64", correct=4952)])[-1].to_json()
    assert (found["row"], found["measured"], found["record"]) == ("resnet18-64", 0.4952, "resnet18-64")
    assert [found[key] for key in ("report", "source", "reported", "verdict")] == [None] * 4


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (CPU, "1 of 2 CPU cores"),
        (CPU | {"threads": 2}, "2-core CPU"),
        ({"type": "cpu", "name": "x", "cpus": 8}, "8-core CPU"),
        ({"type": "cpu", "name": "x"}, "CPU"),
        (H100, "H100"),
        ({"type": "cuda", "name": "NVIDIA A100-SXM4-40GB"}, "A100"),
        ({"type": "cuda", "name": "NVIDIA GeForce RTX 4090"}, "RTX 4090"),
        ({"type": "cuda", "name": "Tesla T4"}, "T4"),
        ({"type": "mps", "name": "Apple M3"}, "Apple GPU"),
        ({"type": "cuda", "name": "NVIDIA"}, "cuda"),
        ({}, "unknown"),
    ],
)
def test_a_device_in_a_few_words(device: dict[str, Any], expected: str) -> None:
    assert device_name(device) == expected


def test_units() -> None:
    units = {line.row: line.unit for line in make_lines([])}
    assert {row for row, unit in units.items() if unit == "iterations"} == {
        row for row in ROWS if row.startswith("ma-overfit")
    }
    assert Line("x", None, None, False, "x").unit == "top1"
