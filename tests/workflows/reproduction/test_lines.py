"""The table of reproduction: lines in order, which records are refused, and lines as JSON."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.workflows.recorded import CPU, run_record, study_record
from tests.workflows.reproduction.judged import STUDY, measured
from thumbnet.errors import RecipeError, StorageError
from thumbnet.recipe import to_json
from thumbnet.recipes import OWN, RECIPES, REPORTS, ROWS
from thumbnet.records import Measurement, Record
from thumbnet.workflows.reproduction.lines import Line, all_rows, check_rows, make_lines, ordered, row_line

M1 = "mkrtchyan-m1"


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


@pytest.mark.parametrize(("phase", "is_same"), [(2, True), (1, False)])
def test_a_size_left_to_the_data_is_that_of_tiny_imagenet(phase: int, is_same: bool) -> None:
    recipe = to_json(RECIPES["resnet18-64"]())
    recipe["phases"][phase]["image_size"] = None
    record = run_record("resnet18-64", recipe=recipe)
    if is_same:
        assert make_lines([record])[-1].measured is not None
    else:
        with pytest.raises(StorageError, match="made by another recipe"):
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
        "features_apart",
        "device",
        "record",
        "pretrained",
        "selected_on",
        "views",
        "members",
        "single",
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


def test_units() -> None:
    units = {line.row: line.unit for line in make_lines([])}
    assert {row for row, unit in units.items() if unit == "iterations"} == {
        row for row in ROWS if row.startswith("ma-overfit")
    }
    assert Line("x", None, None, False, "x").unit == "top1"
