"""`thumbnet reproduce` on the command line: what would run, what runs, what goes on, and the table."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import Shell, status
from tests.helpers import untimed
from tests.shapes import make_tiny_imagenet
from tests.workflows.recorded import CPU, run_record
from thumbnet import records
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipes import ROWS
from thumbnet.records import Measurement
from thumbnet.run import RunDirectory
from thumbnet.sources import pack
from thumbnet.workflows.reproduction.lines import all_rows

ROW = "mkrtchyan-m1-set1"
TWIN = f"{ROW}+"
FIFTH = ["--fraction", 0.2]
THUMBNET = str(Path(sys.executable).with_name("thumbnet"))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Shapes of the size that the rows are made for: 5 classes of 8 images, one batch an epoch."""
    folder = tmp_path_factory.mktemp("few")
    source = make_tiny_imagenet(folder / "shapes", classes=5, train=8, val=4, test=1)
    return pack(source, folder / "packed")


@pytest.fixture(scope="module")
def finished(few: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with a quick look at `ROW`; shared, so it must not be changed."""
    out = tmp_path_factory.mktemp("finished") / "runs"
    assert status("reproduce", ROW, *FIFTH, *where(few, out)) == 0
    return out


@pytest.fixture
def runs(finished: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "runs"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Records of two rows, of a recipe of our own, and of expected times."""
    place = tmp_path / "records"
    place.mkdir()
    records.write(run_record("mkrtchyan-m1", correct=2582, best=(17, 2676)), place)
    records.write(run_record("mkrtchyan-m1+", correct=3127, best=(19, 3137)), place)
    records.write(run_record("resnet18-64", correct=4952, epochs=17), place)
    times = {"mkrtchyan-m4": 9000.0, ROW: 1000.0, "milani-inception": 36_000.0}
    records.write(Measurement("expected-times", "python x", None, {}, CPU, times), place)
    return place


def where(data: PackedDataset, out: Path) -> list[object]:
    return ["--data", data.path, "--out", out, "--threads", 1, "--device", "cpu"]


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def row_of(text: str, name: str) -> str:
    """The line of a table that is of the row `name`."""
    (line,) = (line for line in text.splitlines() if line.split()[:1] == [name])
    return line


def test_reproduce_explains_itself(shell: Shell) -> None:
    printed = shell.text("reproduce", "--help")
    assert printed.startswith("Usage: thumbnet reproduce")
    options = ("--all", "--dry-run", "--table", "--format", "--fraction", "--epochs", "--random-weights", "--out")
    for option in (*options, "--records", "--data", "--device", "--threads", "--json"):
        assert f" {option} " in printed


def test_without_rows_all_are_listed_and_nothing_runs(
    few: PackedDataset, folder: Path, tmp_path: Path, shell: Shell
) -> None:
    out = tmp_path / "runs"
    printed = shell.text("reproduce", *where(few, out), "--records", folder)
    names = [line.split()[0] for line in printed.splitlines() if line.strip() and line.split()[0] in ROWS]
    assert names == all_rows()
    assert row_of(printed, "mkrtchyan-m4").split() == ["mkrtchyan-m4", "new", "20", "20", "2.5", "h"]
    able = [one for one in shell.json("reproduce", *where(few, out), "--records", folder) if not one["problem"]]
    rows = len(able) - 2  # two studies take their only run from a row above them
    assert f"Expected in all: 12.8 h on 1 of 2 CPU cores for 3 of {rows} rows; an estimate." in printed
    assert row_of(printed, "milani-snapshots").endswith("its runs are counted above")
    assert "pretrained weights" in row_of(printed, "ma-finetune")
    assert "Run rows with: thumbnet reproduce ROW ..., or --all." in printed
    assert not out.exists()


def test_dry_run_times_what_would_run_and_writes_nothing(
    few: PackedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs"
    assert status("reproduce", ROW, "milani-snapshots", "--dry-run", *where(few, out), *FIFTH) == 0
    printed = capsys.readouterr()
    assert re.search(rf"^{ROW} +new +4 +4 +\S+ \w+ ", printed.out, re.MULTILINE)
    assert "quick look, 0.2 of the" in printed.out
    assert re.search(r"^Expected in all: .* on this machine; an estimate\.$", printed.out, re.MULTILINE)
    assert f"{ROW}@0.2: timing a few steps on this machine\n" in printed.err
    assert not out.exists()


def test_dry_run_as_json(few: PackedDataset, runs: Path, shell: Shell) -> None:
    found = shell.json("reproduce", TWIN, ROW, "yu-vgg", "--dry-run", *where(few, runs), "--epochs", 10)
    assert [one["row"] for one in found] == [TWIN, ROW, "yu-vgg"]
    assert [one["state"] for one in found] == ["new"] * 3
    assert (found[0]["step"], found[0]["steps"], found[0]["epochs"]) == (0, 10, 10.0)
    assert found[0]["expected_seconds"] > 0
    assert found[0]["folder"] == str(runs / f"{TWIN}@0.5")
    assert found[0]["problem"] == ""
    assert found[2]["problem"] == "--epochs 10: 'yu-vgg' has 5 epochs in all; give fewer or none"
    (done,) = shell.json("reproduce", ROW, "--dry-run", *where(few, runs), *FIFTH)
    assert (done["state"], done["step"], done["steps"], done["expected_seconds"]) == ("complete", 4, 4, None)


def test_a_row_that_cannot_run_is_said_below_the_table(few: PackedDataset, tmp_path: Path, shell: Shell) -> None:
    printed = shell.text("reproduce", "yu-vgg", ROW, *where(few, tmp_path), "--dry-run", "--epochs", 6)
    assert row_of(printed, "yu-vgg").split() == ["yu-vgg", "cannot", "run"]
    assert "yu-vgg: --epochs 6: 'yu-vgg' has 5 epochs in all; give fewer or none" in printed
    assert "cannot run" not in row_of(printed, ROW)


def test_without_data_steps_are_those_of_tiny_imagenet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.setenv("THUMBNET_DATA", str(tmp_path / "absent"))
    monkeypatch.chdir(tmp_path)
    found = {one["row"]: one for one in shell.json("reproduce")}
    assert (found["mkrtchyan-m1"]["steps"], found["mkrtchyan-m1"]["epochs"]) == (15_640, 20)
    assert list(tmp_path.iterdir()) == []


def test_a_quick_look_is_run_judged_marked_and_not_recorded(
    few: PackedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs"
    assert status("reproduce", ROW, *FIFTH, *where(few, out)) == 0
    printed = capsys.readouterr()
    assert f"row 1 of 1: {ROW} in {out / ROW}@0.2 (a quick look, 0.2 of the full length)\n" in printed.err
    run = RunDirectory.open(out / f"{ROW}@0.2")
    assert run.is_complete
    assert run.recipe().fraction == 0.2
    best = run.result()["best"]
    last = Predictions.load(run.predictions_path("val")).scores().top1
    (line,) = printed.out.splitlines()
    marks = re.escape("(a quick look, 0.2 of the full length; on shapes, not Tiny ImageNet)")
    figures = rf"val {best['top1']:.1%} \(.*\) at epoch {best['epoch']:g}, last {last:.1%}"
    assert re.fullmatch(rf"{ROW} {marks}: {figures}; reported 22%", line)
    assert [path.name for path in out.iterdir()] == [f"{ROW}@0.2"]


def test_a_complete_run_is_left_as_it_is(few: PackedDataset, runs: Path, shell: Shell) -> None:
    before = files(runs)
    (found,) = shell.json("reproduce", ROW, *FIFTH, *where(few, runs))
    assert files(runs) == before
    best = RunDirectory.open(runs / f"{ROW}@0.2").result()["best"]
    assert (found["row"], found["measured"], found["epoch"]) == (ROW, pytest.approx(best["top1"]), best["epoch"])
    assert (found["run"], found["fraction"]) == (str(runs / f"{ROW}@0.2"), 0.2)
    assert found["note"] == "a quick look, 0.2 of the full length; on shapes, not Tiny ImageNet"
    assert (found["record"], found["error"], found["reported"]) == (None, None, 0.22)
    # Read from the records of such runs, the table would be empty: there are none.
    assert not (runs / "records").exists()


def test_what_was_stopped_goes_on_where_it_was(few: PackedDataset, tmp_path: Path, shell: Shell) -> None:
    arguments = [ROW, *where(few, tmp_path / "runs")]
    with subprocess.Popen(
        [THUMBNET, "reproduce", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(f"row 1 of 1: {ROW} in ")
        assert process.stderr.readline().startswith("epoch 1, ")
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    assert process.returncode == 130
    run = RunDirectory.open(tmp_path / "runs" / ROW)
    stopped = run.status()
    assert stopped["state"] == "interrupted"
    assert 0 < stopped["step"] < stopped["total_steps"] == 20
    (pending,) = (one for one in shell.json("reproduce", *arguments[1:]) if one["row"] == ROW)
    assert (pending["state"], pending["step"], pending["steps"]) == ("unfinished", stopped["step"], 20)
    assert f" unfinished, step {stopped['step']} " in row_of(shell.text("reproduce", *arguments[1:]), ROW)

    shell.text("reproduce", *arguments)
    assert run.is_complete
    assert len(run.sessions()) == 2
    assert [row["step"] for row in run.metrics.read() if row["kind"] == "iteration"] == list(range(1, 21))
    shell.text("reproduce", ROW, *where(few, tmp_path / "unbroken"))
    unbroken = RunDirectory.open(tmp_path / "unbroken" / ROW)
    assert untimed([run.result()]) == untimed([unbroken.result()])


def test_one_row_that_fails_does_not_keep_the_others(
    few: PackedDataset, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["reproduce", "yu-vgg", TWIN, "--epochs", 10, *where(few, runs)]
    assert status(*arguments) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{TWIN} (a quick look, 0.5 of the full length; on shapes, not Tiny ImageNet): val ")
    assert "yu-vgg: --epochs 10: 'yu-vgg' has 5 epochs in all; give fewer or none\n" in printed.err
    assert printed.err.splitlines()[-1] == "thumbnet: 1 of 2 rows failed: yu-vgg"
    assert status(*arguments, "--json") == 1
    failed, done = json.loads(capsys.readouterr().out)
    assert (failed["row"], done["row"], done["error"]) == ("yu-vgg", TWIN, None)
    assert failed["error"].startswith("yu-vgg: --epochs 10")
    assert status("reproduce", "yu-vgg", "--epochs", 10, *where(few, runs)) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("thumbnet: yu-vgg: --epochs 10: ")


def test_a_run_of_another_recipe_or_other_data_is_refused(
    few: PackedDataset, dataset: PackedDataset, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*arguments: object) -> str:
        before = files(runs)
        assert status("reproduce", *arguments) == 1
        assert files(runs) == before
        printed = capsys.readouterr()
        assert printed.out == ""
        return printed.err.splitlines()[-1]

    run = runs / f"{ROW}@0.2"
    assert "its data is not" in refused(ROW, *FIFTH, *where(dataset, runs))
    recipe = json.loads((run / "recipe.json").read_text())
    (run / "recipe.json").write_text(json.dumps(recipe | {"batch_size": 128}))
    message = refused(ROW, *FIFTH, *where(few, runs))
    assert message.startswith(f"thumbnet: {ROW}: run {run}: not of the recipe '{ROW}@0.2' as it stands now; ")
    assert message.endswith("remove it, or choose another --out")
    (runs / ROW).mkdir()
    assert "not a run directory" in refused(ROW, *where(few, runs))


def test_random_weights_replace_pretrained_ones_and_are_said(few: PackedDataset, tmp_path: Path, shell: Shell) -> None:
    options = ["--random-weights", "--fraction", 0.01, *where(few, tmp_path)]
    found = {one["row"]: one for one in shell.json("reproduce", *options)}
    assert Path(found["ma-finetune"]["folder"]).name == "ma-finetune@0.01-random-weights"
    assert Path(found[ROW]["folder"]).name == f"{ROW}@0.01"
    assert "random weights in place of pretrained ones" in found["ma-finetune"]["note"]
    assert "random weights" not in found[ROW]["note"]
    printed = shell.text("reproduce", *options)
    assert "random" in printed  # the note is folded in its column
    assert "pretrained weights" not in printed


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mkrtchian-m1"], "row 'mkrtchian-m1' is unknown; did you mean mkrtchyan-m1"),
        (["resnet18-64"], "row 'resnet18-64' is unknown"),
        (["--table", "mkrtchian-m1"], "did you mean mkrtchyan-m1"),
        ([ROW, "--fraction", 0], "--fraction 0: not in (0, 1]"),
        ([ROW, "--fraction", 1.5], "--fraction 1.5: not in (0, 1]"),
        ([ROW, "--fraction", "nan"], "--fraction nan: not in (0, 1]"),
        ([ROW, "--epochs", -1], "--epochs -1: not a positive number"),
        ([ROW, "--epochs", 1, "--fraction", 0.5], "--fraction and --epochs both state a length"),
        ([ROW, "--format", "json"], "--format is for --table; --json prints what runs as JSON"),
        ([ROW, "--all"], "--all runs every row; leave it out to run the rows that are named"),
        (["--table", "--dry-run"], "--dry-run is for running rows; --table shows records"),
        (["--table", "--fraction", 0.5], "--fraction is for running rows"),
        (["--table", "--epochs", 1], "--epochs is for running rows"),
        (["--table", "--random-weights"], "--random-weights is for running rows"),
        (["--table", "--json", "--format", "markdown"], "--json and --format markdown state two layouts"),
        ([ROW, "--device", "gpu"], "gpu"),
        ([ROW, "--data", "nowhere"], "nowhere"),
        ([ROW, "--dry-run", "--data", "nowhere"], "nowhere"),
        (["--table", "--records", "nowhere"], "nowhere: no such folder of records"),
    ],
)
def test_what_cannot_be_asked_for(
    arguments: list[object], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.chdir(tmp_path)
    assert expected in shell.error("reproduce", *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--table", "--format", "html"], ["--fraction", "half"], ["--nonsense"]])
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status("reproduce", *arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_folder_without_records_is_refused(tmp_path: Path, shell: Shell) -> None:
    message = shell.error("reproduce", "--table", "--records", tmp_path)
    assert f"{tmp_path}: holds no records; give another folder with --records, or run rows first" in message


def test_a_stale_record_is_refused_where_it_is_shown(folder: Path, shell: Shell) -> None:
    records.write(run_record("mkrtchyan-m4", fraction=0.5), folder)
    message = shell.error("reproduce", "--table", "--records", folder)
    assert "record 'mkrtchyan-m4': made by another recipe" in message
    assert message.endswith("measure again with: thumbnet reproduce mkrtchyan-m4")
    assert "29.5%" in shell.text("reproduce", "--table", "mkrtchyan-m1", "--records", folder)


def test_the_table_as_text(folder: Path, shell: Shell) -> None:
    printed = shell.text("reproduce", "--table", "--records", folder)
    assert max(map(len, printed.splitlines())) <= 120
    cells = re.split("  +", row_of(printed, "mkrtchyan-m1").strip())
    times = ["42 min", "1 of 2 CPU cores"]
    assert cells == ["mkrtchyan-m1", "29.5%", "26.8%", "25.9 to 27.6%", "below", "25.8%", "17 of 20", *times]
    lines = printed.splitlines()
    assert lines.index(row_of(printed, "mkrtchyan-m1+")) == lines.index(row_of(printed, "mkrtchyan-m1")) + 1
    assert re.search(r"^mkrtchyan-m4 +35\.9% +2\.5 h *$", printed, re.MULTILINE)
    assert "The verdict is above where the whole 95% interval" in printed
    assert f"Each row is measured in its record, {folder}/ROW.json." in re.sub(r"\n", " ", printed)
    shown = shell.text("reproduce", "--table", "mkrtchyan-m1+", "mkrtchyan-m1", "--records", folder)
    assert [line.split()[0] for line in shown.splitlines()[3:5]] == ["mkrtchyan-m1", "mkrtchyan-m1+"]
    assert "mkrtchyan-m4" not in shown + "".join(shown.splitlines())
    assert "Run rows with" not in shown


def test_the_table_in_a_narrow_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell) -> None:
    monkeypatch.setattr("thumbnet.cli.reproduce._PLAIN_WIDTH", 80)
    monkeypatch.chdir(folder.parent)
    printed = shell.text("reproduce", "--table", "--records", folder)
    assert max(map(len, printed.splitlines())) <= 80
    assert "1 of 2 CPU cores" not in row_of(printed, "mkrtchyan-m1")
    assert "A terminal of 110 columns shows last step, epochs and device too." in printed
    assert "its record, records/ROW.json." in printed


def test_the_table_as_markdown_and_json(folder: Path, shell: Shell) -> None:
    text = shell.text("reproduce", "--table", "--format", "markdown", "--records", folder)
    assert f"| [`mkrtchyan-m1`]({folder}/mkrtchyan-m1.json) | 29.5% (Mkrtchyan 2022, figure 3) | 26.8% |" in text
    assert "### From pretrained weights" in text
    found = shell.json("reproduce", "--table", "--records", folder)
    assert json.loads(shell.text("reproduce", "--table", "--format", "json", "--records", folder)) == found
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
    code = (
        "import sys\n"
        "from thumbnet.cli import main\n"
        "try:\n"
        "    main(['reproduce', '--table', '--json'])\n"
        "except SystemExit as ended:\n"
        "    assert ended.code == 0, ended.code\n"
        "print('torch' in sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120, env=os.environ
    )
    assert done.stderr == "False\n"
