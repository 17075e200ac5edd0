"""`thumbnet reproduce --table` on the command line: the table of what is recorded, in each of its layouts."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import Shell, modules_after, row_of
from tests.workflows.recorded import run_record
from thumbnet import records
from thumbnet.workflows.reproduction.lines import all_rows


def test_a_folder_without_records_is_refused(tmp_path: Path, shell: Shell) -> None:
    message = shell.error("reproduce", "--table", "--records", tmp_path)
    assert f"{tmp_path}: holds no records; give another folder with --records, or run rows first" in message


def test_a_stale_record_is_refused_where_it_is_shown(recorded: Path, shell: Shell) -> None:
    records.write(run_record("mkrtchyan-m4", fraction=0.5), recorded)
    message = shell.error("reproduce", "--table", "--records", recorded)
    assert "record 'mkrtchyan-m4': made by another recipe" in message
    assert message.endswith("measure again with: thumbnet reproduce mkrtchyan-m4")
    assert "29.5%" in shell.text("reproduce", "--table", "mkrtchyan-m1", "--records", recorded)


def test_the_table_as_text(recorded: Path, shell: Shell) -> None:
    printed = shell.text("reproduce", "--table", "--records", recorded)
    assert max(map(len, printed.splitlines())) <= 120
    cells = re.split("  +", row_of(printed, "mkrtchyan-m1").strip())
    times = ["42 min", "1 of 2 CPU cores"]
    assert cells == ["mkrtchyan-m1", "29.5%", "26.8%", "25.9 to 27.6%", "below", "25.8%", "17 of 20", *times]
    lines = printed.splitlines()
    assert lines.index(row_of(printed, "mkrtchyan-m1+")) == lines.index(row_of(printed, "mkrtchyan-m1")) + 1
    assert re.search(r"^mkrtchyan-m4 +35\.9% +2\.5 h *$", printed, re.MULTILINE)
    assert "The verdict is above where the whole 95% interval" in printed
    assert f"Each row is measured in its record, {recorded}/ROW.json." in re.sub(r"\n", " ", printed)
    shown = shell.text("reproduce", "--table", "mkrtchyan-m1+", "mkrtchyan-m1", "--records", recorded)
    assert [line.split()[0] for line in shown.splitlines()[3:5]] == ["mkrtchyan-m1", "mkrtchyan-m1+"]
    assert "mkrtchyan-m4" not in shown + "".join(shown.splitlines())
    assert "Run rows with" not in shown


def test_the_table_in_a_narrow_terminal(recorded: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell) -> None:
    monkeypatch.setattr("thumbnet.cli.reproduce._PLAIN_WIDTH", 80)
    monkeypatch.chdir(recorded.parent)
    printed = shell.text("reproduce", "--table", "--records", recorded)
    assert max(map(len, printed.splitlines())) <= 80
    assert "1 of 2 CPU cores" not in row_of(printed, "mkrtchyan-m1")
    assert "A terminal of 110 columns shows last step, epochs and device too." in printed
    assert "its record, records/ROW.json." in printed


def test_the_table_as_markdown_and_json(recorded: Path, shell: Shell) -> None:
    text = shell.text("reproduce", "--table", "--format", "markdown", "--records", recorded)
    assert f"| [`mkrtchyan-m1`]({recorded}/mkrtchyan-m1.json) | 29.5% (Mkrtchyan 2022, figure 3) | 26.8% |" in text
    assert "### From pretrained weights" in text
    found = shell.json("reproduce", "--table", "--records", recorded)
    assert json.loads(shell.text("reproduce", "--table", "--format", "json", "--records", recorded)) == found
    assert [one["row"] for one in found] == [*all_rows(), "resnet18-64"]
    by_row: dict[str, Any] = {one["row"]: one for one in found}
    low, high = by_row["mkrtchyan-m1"]["interval"]
    assert low < by_row["mkrtchyan-m1"]["measured"] == 0.2676 < high < 0.295
    assert by_row["mkrtchyan-m1"]["verdict"] == "below"
    assert by_row["mkrtchyan-m1+"]["verdict"] == "above"
    assert by_row["yu-vgg"]["measured"] is None


def test_the_records_that_come_along_make_the_table_of_the_readme(shell: Shell) -> None:
    printed = shell.text("reproduce", "--table", "--format", "markdown").strip()
    assert printed in (Path(__file__).parents[2] / "README.md").read_text()


def test_a_table_needs_no_torch() -> None:
    assert "torch" not in modules_after([["reproduce", "--table", "--json"]])
