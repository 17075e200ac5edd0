"""`thumbnet report`: where the page of one run and of two is written, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.calling import Shell
from tests.helpers import copy_of
from thumbnet.report import page
from thumbnet.run import RunDirectory


def test_the_page_of_one_run_and_of_two(runs: list[RunDirectory], tmp_path: Path, shell: Shell) -> None:
    first, second = (copy_of(run, tmp_path / name).path for run, name in zip(runs, ("first", "second"), strict=False))
    assert shell.text("report", first).startswith(f"{first / 'report.html'}: ")
    printed = shell.json("report", first, second)
    assert printed["page"] == str(first / "comparison.html")
    assert Path(printed["figures"]).is_file()
    assert Path(printed["tables"]).is_dir()
    shell.text("report", first, "--out", tmp_path / "other.html")
    assert (tmp_path / "other.html").is_file()
    assert "no such run directory" in shell.error("report", tmp_path / "nothing")
    assert "image 'x' cannot be looked up: the run has no nearest" in shell.error("report", first, "--image", "x")


def test_memory_that_runs_out_is_one_line_and_leaves_the_earlier_page(
    runs: list[RunDirectory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    run = copy_of(runs[0], tmp_path / "run").path
    shell.text("report", run)
    before = {file: file.stat().st_mtime_ns for file in run.rglob("*")}
    monkeypatch.setattr(page, "draw_within", lambda *_: np.empty(2**50))
    said = shell.error("report", run)
    assert said.startswith("thumbnet: memory ran out (Unable to allocate")
    assert said.endswith("; end other programs, or take fewer runs, images or threads at a time")
    assert {file: file.stat().st_mtime_ns for file in run.rglob("*")} == before
