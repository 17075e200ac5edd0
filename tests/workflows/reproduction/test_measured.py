"""Verdicts: what was measured for a row against its report, from records of runs and of studies."""

from dataclasses import replace
from typing import Any

import pytest

from tests.workflows.recorded import CPU, H100, history, run_record, study_record
from tests.workflows.reproduction.judged import ENSEMBLE, STUDY, measured
from thumbnet.errors import StorageError
from thumbnet.workflows.reproduction.lines import row_line
from thumbnet.workflows.reproduction.measured import device_name, iterations_verdict, verdict

M1 = "mkrtchyan-m1"


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


@pytest.mark.parametrize(
    ("steps", "expected"), [(35, "above"), (36, "within"), (44, "within"), (45, "below"), (None, "below")]
)
def test_about_as_many_iterations_are_within(steps: int | None, expected: str) -> None:
    assert iterations_verdict(40, steps, about=True) == expected


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
        ([0.1] * 44 + [1.0], [0.1] * 39 + [1.0] * 6, 45, "below", 40),
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
    assert (found.epoch, found.last, found.members, found.single) == (None, None, 7, 0.48)


@pytest.mark.parametrize(
    "figures",
    [
        {"top1": 0.5},
        {"top1_interval": [0.4, 0.6]},
        {"top1": None, "top1_interval": [0.4, 0.6]},
        {"top1": 0.5, "top1_interval": None},
        {"top1": 0.5, "top1_interval": [0.4]},
        {"top1": 0.5, "top1_interval": ["low", "high"]},
        {"top1": 0.5, "top1_interval": [0.4, 0.6]},
        {"top1": 0.5, "top1_interval": [0.4, 0.6], "single": None},
    ],
)
def test_a_study_without_its_figures_is_refused(figures: dict[str, Any]) -> None:
    with pytest.raises(
        StorageError, match="record 'milani-snapshots': its figures lack top1, top1_interval or single"
    ):
        row_line("milani-snapshots", study_record("milani-snapshots", {"ensemble": figures}))


@pytest.mark.parametrize("interval", [[0.6, 0.7], [0.4, 0.49], [-0.1, 0.6], [0.4, 1.1], [float("nan"), 0.6]])
def test_a_study_whose_interval_cannot_be_is_refused(interval: list[float]) -> None:
    with pytest.raises(StorageError, match=r"top1_interval: .* does not hold 0.5 in \[0, 1\]"):
        row_line(
            "milani-snapshots",
            study_record("milani-snapshots", {"ensemble": ENSEMBLE | {"top1": 0.5, "top1_interval": interval}}),
        )


def test_a_study_says_itself_whether_it_was_pretrained() -> None:
    assert row_line("hansen-ensemble", study_record("hansen-ensemble", STUDY | {"pretrained": True})).pretrained
    assert not row_line("hansen-ensemble", study_record("hansen-ensemble", STUDY)).pretrained
    assert row_line("ma-finetune").pretrained
    assert not row_line(M1).pretrained


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
