"""`thumbnet tune` on the command line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.calling import THUMBNET, TINY, Shell, set_options
from thumbnet import records
from thumbnet.cli.options import set_command_line
from thumbnet.cli.tune import told_command
from thumbnet.packed import PackedDataset
from thumbnet.run import RunDirectory
from thumbnet.workflows.tuning import storage as tuning_storage

SET = set_options(TINY)
RATES = ["--search", "optimizer.lr=1e-4..0.1:log"]


def test_a_recipe_is_tuned(folder: Path, dataset: PackedDataset, shell: Shell) -> None:
    command = ["tune", "demo", *SET, *RATES, "--search", "optimizer.name=adamw,sgd", "--data", dataset.path]
    command += ["--threads", 1, "--trials", 3]
    printed = shell.text(*command, "--record", "records")
    place = folder / "runs" / "tiny-tune"
    stored = json.loads((place / "tune.json").read_text())
    assert [trial["trial"] for trial in stored["trials"]] == [0, 1, 2]
    best, val = stored["best"], stored["val"]
    assert best["holdout_top1"] == max(trial["holdout_top1"] for trial in stored["trials"])
    for text in (
        "tiny-tune: the best of 3 trials",
        f"{best['holdout_top1']:.2%}",
        best["values"]["optimizer.name"],
        "start (0)",
        "trials: 3 complete, 0 ended early, 0 failed",
        f"val: start {val['before']['top1']:.2%}, best {val['after']['top1']:.2%}, difference",
        "holdout (which chose): start",
    ):
        assert text in printed
    assert printed.endswith("figure: runs/tiny-tune/figure.png\n")
    assert shell.json(*command) == {"folder": "runs/tiny-tune", **stored}
    made = records.load(folder / "records" / "tiny-tune.json")
    assert isinstance(made, records.Measurement)
    assert made.figures["trials"] == 3
    assert made.command.startswith("thumbnet ")


def test_a_search_alone_leaves_the_final_runs_out(folder: Path, dataset: PackedDataset, shell: Shell) -> None:
    command = ["tune", "demo", *SET, "--search", "batch_size=8,12", "--sampler", "grid", "--data", dataset.path]
    command += ["--threads", 1, "--name", "grid", "--search-only", "--keep-runs"]
    printed = shell.text(*command)
    assert "final runs: left out" in printed
    assert "trials: 2 complete" in printed
    place = folder / "runs" / "grid"
    assert not (place / "start").exists()
    runs = [RunDirectory.open(path) for path in sorted((place / "trials").iterdir())]
    assert [run.recipe().batch_size for run in runs] == [8, 12]
    assert "val" not in shell.json(*command)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demos"], "recipe 'demos' is unknown; did you mean demo"),
        (["demo"], "nothing is searched; write --search optimizer.lr=1e-4..1e-1:log"),
        (["demo", "--search", "optimizer.lr=2..1"], "--search optimizer.lr=2..1: 2 is not below 1"),
        (["demo", "--search", "optimizer.rate=1..2"], "unknown key 'rate'"),
        (["demo", *RATES, "--trials", "0"], "0 trials; give at least one"),
        (["demo", *RATES, "--fraction", "2"], "fraction: 2.0 is not in (0, 1]"),
        (["demo", *RATES, "--sampler", "grid"], "a grid needs values"),
        (["demo", *RATES, "--set", "nonsense"], "--set nonsense: not of the form KEY=VALUE"),
        (["resnet18-64", *RATES], "trains on the holdout too, which must choose; add --set train_on=fit"),
        (["demo", *RATES, "--search-only", "--record", "x"], "--search-only leaves them out"),
        (
            ["demo", *RATES, "--set", "fraction=0.1", "--record", "x"],
            "shortened final runs are not recorded; leave out",
        ),
        (["demo", *RATES, "--record", "a record.json"], "a record.json: not the file of a record"),
        (["demo", *RATES, "--record", f"{__file__}/x"], "test_tune.py/demo-tune.json: "),
        (["demo", *RATES, "--data", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, folder: Path, shell: Shell) -> None:
    assert message in shell.error("tune", *arguments)
    assert list(folder.iterdir()) == []


def test_a_storage_that_cannot_be_used(folder: Path, dataset: PackedDataset, shell: Shell) -> None:
    url = "nosuch://user:secret@host/name"
    printed = shell.error("tune", "demo", *SET, *RATES, "--data", dataset.path, "--storage", url)
    assert "nosuch://user:***@host/name: the study cannot be read or written" in printed
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:secret@host/name", "postgresql://user:***@host/name"),
        ("postgresql://user:se/cret@host/name", "postgresql://user:***@host/name"),
        ("postgresql://user@host/name?password=secret", "postgresql://user@host/name?password=***"),
    ],
)
def test_the_password_of_a_storage_is_not_kept(url: str, shown: str) -> None:
    set_command_line(["tune", "demo", "--storage", url])
    assert told_command(url) == f"thumbnet tune demo --storage '{shown}'"
    set_command_line(["tune", "demo", f"--storage={url}"])
    assert told_command(url) == f"thumbnet tune demo '--storage={shown}'"
    set_command_line(["tune", "demo", "--trials", "1"])
    assert told_command(None) == "thumbnet tune demo --trials 1"


def test_without_optuna_one_line_says_what_to_install(folder: Path, dataset: PackedDataset) -> None:
    code = "import sys\nsys.modules['optuna'] = None\nfrom thumbnet.cli import main\nmain(sys.argv[1:])\n"
    command = [sys.executable, "-c", code, "tune", "demo", *SET, *RATES, "--data", str(dataset.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert done.stderr == "thumbnet: Optuna is not installed; pip install 'thumbnet[tune]'\n"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_or_killed_search_goes_on(
    number: int, folder: Path, dataset: PackedDataset, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = ["--set", "phases.0.length=80 iterations", "--set", "evaluation.every=10 iterations"]
    command = ["tune", "demo", *SET, *long, "--search", "batch_size=12,13", "--sampler", "grid", "--prune", "none"]
    command += ["--data", str(dataset.path), "--threads", "1", "--search-only"]
    with subprocess.Popen(
        [THUMBNET, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("epoch ")  # in the middle of the first trial
        process.send_signal(number)
        rest = process.stderr.read()
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert rest.endswith("thumbnet: search tiny-tune stopped; go on with the same command\n")
    else:
        assert process.returncode == -number
        monkeypatch.setattr(tuning_storage, "_GRACE_SECONDS", 2)
    found = shell.json(*command)
    assert found["interrupted"] == 1
    assert sorted(trial["values"]["batch_size"] for trial in found["trials"]) == ["12", "13"]
    assert {trial["state"] for trial in found["trials"]} == {"complete"}
    assert 0 not in [trial["trial"] for trial in found["trials"]]
    assert list((folder / "runs" / "tiny-tune" / "trials").iterdir()) == []
