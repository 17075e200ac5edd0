"""The command as a process of its own: exit status, output streams, interruption, and what it imports."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.calling import THUMBNET, Shell, set_options
from tests.workflows.runs import SETTINGS
from thumbnet.packed import PackedDataset
from thumbnet.run import RunDirectory

SET = set_options(SETTINGS)


def call(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [THUMBNET, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env=os.environ | environment
    )


def test_exit_status_and_streams(tmp_path: Path) -> None:
    done = call("recipes", "demo", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["name"] == "demo"
    wrong = call("recipes", "--jsn")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    failed = call("evaluate", tmp_path / "absent")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith(f"thumbnet: {tmp_path / 'absent'}: no such run directory")
    assert failed.stderr.count("\n") == 1


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "thumbnet", "recipes", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == call("recipes", "demo").stdout


WITHOUT_TORCH = """
import sys
import thumbnet
from thumbnet.cli import main

def check(what):
    known = ("torch", "timm", "torchvision", "matplotlib", "sklearn", "optuna")
    assert [name for name in known if name in sys.modules] == [], what

check("import thumbnet")
for line in ("--help", "train --help", "tune --help", "recipes", "data info --help"):
    try:
        main(line.split())
    except SystemExit as ended:
        assert ended.code == 0, line
    check(line)
assert thumbnet.load_data.__name__ == "load_data"
assert "torch" in sys.modules
print("all checked")
"""


def test_what_does_not_compute_imports_no_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "all checked"


def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen(
        [THUMBNET, "recipes", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 0


def test_interrupt_then_resume(dataset: PackedDataset, tmp_path: Path, shell: Shell) -> None:
    out = tmp_path / "run"
    settings = ["--set", "phases.0.length=40 epochs", "--set", "evaluation.every=1 epochs"]
    command = [THUMBNET, "train", "demo", *SET, *settings, "--data", str(dataset.path), "--out", str(out)]
    with subprocess.Popen(
        [*command, "--threads", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("epoch 1, ")
        process.send_signal(signal.SIGINT)
        last = process.stderr.read().splitlines()[-1]
    assert process.returncode == 130
    assert last.startswith("thumbnet: stopped after iteration ")
    assert last.endswith(f"go on with: thumbnet resume {out}")

    run = RunDirectory.open(out)
    status = run.status()
    assert status["state"] == "interrupted"
    assert 0 < status["step"] < status["total_steps"] == 280
    assert f"is unfinished (step {status['step']} of 280)" in shell.error("evaluate", out)

    resumed = shell.json("resume", out, "--threads", 1)
    assert resumed["steps"] == 280
    assert run.is_complete
    first, second = run.sessions()
    assert first["command"].startswith("thumbnet train demo --set name=shapes")
    assert second["threads"] == first["threads"] == 1
    assert [row["step"] for row in run.metrics.read() if row["kind"] == "iteration"] == list(range(1, 281))
