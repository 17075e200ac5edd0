"""`thumbnet study` on the command line."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.calling import TINY, Shell, set_options
from thumbnet import records
from thumbnet.packed import PackedDataset
from thumbnet.run import RunDirectory
from thumbnet.studies import STUDIES

SET = set_options(TINY)
RATES = ["--vary", "optimizer.lr=1e-2,1e-3"]


def test_without_a_name_studies_are_listed(shell: Shell) -> None:
    listed = shell.text("study")
    assert [line.split()[0] for line in listed.splitlines()] == list(STUDIES)
    assert all(study.text in listed for study in STUDIES.values())
    assert shell.text("study", "--list") == listed
    found = shell.json("study")
    assert [one["study"] for one in found] == list(STUDIES)
    assert found[0]["runs"] == {label: recipe.name for label, recipe in STUDIES[found[0]["study"]].runs.items()}


def test_a_recipe_is_varied_and_compared(folder: Path, dataset: PackedDataset, shell: Shell) -> None:
    command = ["study", "demo", *SET, *RATES, "--data", dataset.path, "--threads", 1, "--seeds", 2]
    before = shell.json(*command, "--dry-run")
    assert [state["state"] for state in before] == ["to train"] * 4
    assert all(state["expected_seconds"] > 0 for state in before)
    assert list(folder.iterdir()) == []
    printed = shell.text(*command)
    runs = folder / "runs"
    assert sorted(path.name for path in runs.iterdir()) == [
        "tiny,optimizer.lr=0.001",
        "tiny,optimizer.lr=0.001-seed1",
        "tiny,optimizer.lr=0.01",
        "tiny,optimizer.lr=0.01-seed1",
        "tiny-by-optimizer.lr",
    ]
    run = RunDirectory.open(runs / "tiny,optimizer.lr=0.01-seed1")
    assert run.recipe().optimizer.lr == 0.01
    assert run.recipe().seed == 1
    found = shell.json(*command)
    stored = json.loads((runs / "tiny-by-optimizer.lr" / "study.json").read_text())
    assert found == {"folder": "runs/tiny-by-optimizer.lr", **stored}
    for variant in found["variants"]:
        top1 = variant["figures"]["val_top1"]
        assert variant["label"] in printed
        assert f"{100 * top1['mean']:.2f} ± {100 * top1['std']:.2f}%" in printed
    low, high = found["variants"][1]["difference"]["interval"]
    assert f"({100 * low:+.2f} to {100 * high:+.2f})" in printed
    assert "mean ± sample standard deviation over 2 seeds" in printed
    assert printed.endswith("figure: runs/tiny-by-optimizer.lr/figure.png\n")
    (other,) = shell.json("study", "demo", *SET, "--vary", "optimizer.lr=1,2", "--name", "mine", "--dry-run")[:1]
    assert (other["run"], other["state"]) == ("runs/tiny,optimizer.lr=1.0", "to train")
    assert other["expected_seconds"] > 0
    states = shell.text(*command, "--dry-run").splitlines()
    assert len(states) == 4
    assert all(line.endswith("  complete") for line in states)


def test_a_study_is_recorded(folder: Path, dataset: PackedDataset, shell: Shell) -> None:
    command = ["study", "demo", *SET, "--seeds", 2, "--data", dataset.path, "--threads", 1, "--out", "here"]
    shell.text(*command, "--records", "records")
    (path,) = (folder / "records").iterdir()
    made = records.load(path)
    assert path.name == "tiny-seeds.json"
    assert isinstance(made, records.Measurement)
    assert [run["folder"] for run in made.figures["variants"][0]["runs"]] == ["tiny", "tiny-seed1"]
    again = ["study", "demo", *set_options({**TINY, "name": "same"}), *command[2 + len(SET) :]]
    shell.text(*again, "--name", "demo", "--records", "records")
    assert "--name demo" in records.load(folder / "records" / "demo.json").command
    assert made.figures["seconds"] > 0


@pytest.mark.usefixtures("folder")
def test_studies_of_ours_are_found_and_shortened(shell: Shell) -> None:
    command = ("study", "ma-initialization-64", "--dry-run", "--fraction", "0.1", "--out", "runs")
    *states, total = shell.text(*command).splitlines()
    assert [state.split()[:3] for state in states] == [
        ["runs/ma-init-default-64@0.1", "to", "train"],
        ["runs/ma-init-xavier-64@0.1", "to", "train"],
    ]
    assert all(re.fullmatch(r".*  to train  [\d.]+ (s|min|h)", state) for state in states)
    assert re.fullmatch(r"Expected in all: [\d.]+ (s|min|h) on this machine; an estimate\.", total)
    four = shell.json("study", "hansen-ensemble", "--dry-run", "--seeds", 2)
    assert [one["run"] for one in four] == [
        "runs/hansen-prelu-development",
        "runs/hansen-prelu-development-seed1",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ma-initialisation"], "study or recipe 'ma-initialisation' is unknown; did you mean ma-initialization"),
        (["demo"], "study of demo: nothing varies; add --vary KEY=VALUE,VALUE or --seeds 5"),
        (["demo", "--vary", "optimizer.lr=0.1"], "--vary optimizer.lr=0.1: needs two values or more"),
        (["demo", "--vary", "optimizer.rate=1,2"], "unknown key 'rate'"),
        (["demo", "--seeds", "0"], "nothing varies"),
        (["ma-initialization", "--seeds", "0"], "2 variants, 0 seeds; give at least one"),
        (["ma-initialization", "--vary", "seed=1,2"], "has its own variants; --vary and --set are for a recipe"),
        (["ma-initialization", "--set", "seed=1"], "has its own variants; --vary and --set are for a recipe"),
        (["demo", "--seeds", "2", "--name", "../mine"], "study '../mine': not a plain name of a folder"),
        (["ma-initialization", "--fraction", "2"], "fraction: 2.0 is not in (0, 1]"),
        (["demo", "--seeds", "2", "--set", "nonsense"], "--set nonsense: not of the form KEY=VALUE"),
        (["none.json", "--seeds", "2"], "none.json: no such file"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, folder: Path, shell: Shell) -> None:
    assert message in shell.error("study", *arguments)
    assert list(folder.iterdir()) == []


def test_records_that_could_not_be_are_refused_before_training(
    folder: Path, dataset: PackedDataset, shell: Shell
) -> None:
    options = ["--data", dataset.path, "--records", "records"]
    assert "this data is not the whole of it" in shell.error("study", "ma-initialization", *options)
    short = shell.error("study", "ma-initialization", *options, "--fraction", "0.1")
    assert "shortened runs are not recorded" in short
    assert list(folder.iterdir()) == []
