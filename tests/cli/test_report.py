"""`thumbnet report`: where the page of one run and of two is written, and what is refused."""

from pathlib import Path

from tests.cli.calling import Shell
from tests.helpers import copy_of
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
