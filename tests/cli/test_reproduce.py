"""`thumbnet reproduce` on the command line: what would run, what runs, and what goes on."""

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from benchmarks.program import untimed

from tests.cli.calling import THUMBNET, Shell, row_of, status
from tests.helpers import mtimes
from tests.shapes import make_tiny_imagenet
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipes import ROWS
from thumbnet.run import RunDirectory
from thumbnet.sources import pack
from thumbnet.workflows.reproduction.lines import all_rows

ROW = "mkrtchyan-m1-set1"
TWIN = f"{ROW}+"
FIFTH = ["--fraction", 0.2]


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


def where(data: PackedDataset, out: Path) -> list[object]:
    return ["--data", data.path, "--out", out, "--threads", 1, "--device", "cpu"]


def test_without_rows_all_are_listed_and_nothing_runs(
    recorded: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THUMBNET_DATA", str(tmp_path / "none"))  # then Tiny ImageNet is meant
    out = tmp_path / "runs"
    command = ("reproduce", "--out", out, "--records", recorded)
    printed = shell.text(*command)
    names = [line.split()[0] for line in printed.splitlines() if line.strip() and line.split()[0] in ROWS]
    assert names == all_rows()
    assert row_of(printed, "mkrtchyan-m4").split() == ["mkrtchyan-m4", "new", "15,640", "20", "2.5", "h"]
    able = [one for one in shell.json(*command) if not one["problem"]]
    rows = len(able) - 2  # two studies take their only run from a row above them
    assert f"Expected in all: 12.8 h on 1 of 2 CPU cores for 3 of {rows} rows; an estimate." in printed
    assert row_of(printed, "milani-snapshots").endswith("its runs are counted above")
    assert "pretrained weights" in row_of(printed, "ma-finetune")
    assert "Run rows with: thumbnet reproduce ROW ..., or --all." in printed
    assert not out.exists()


def test_other_data_has_no_recorded_times(few: PackedDataset, recorded: Path, tmp_path: Path, shell: Shell) -> None:
    command = ("reproduce", *where(few, tmp_path / "runs"), "--records", recorded)
    printed = shell.text(*command)
    assert row_of(printed, "mkrtchyan-m4").split() == ["mkrtchyan-m4", "new", "20", "20"]
    assert "Expected in all" not in printed
    assert all(one["expected_seconds"] in (None, 0) for one in shell.json(*command))


def test_all_rows_leave_out_those_that_are_shorter(
    few: PackedDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("reproduce", "--epochs", "6", *where(few, tmp_path / "runs")) == 0
    printed = capsys.readouterr()
    assert row_of(printed.out, ROW).split()[:2] == [ROW, "new"]
    assert "yu-vgg" not in printed.out
    assert row_of(printed.out, "ma-overfit-scratch").split()[:3] == ["ma-overfit-scratch", "cannot", "run"]
    short = len(ROWS) - sum(line.split()[:1] != [] and line.split()[0] in ROWS for line in printed.out.splitlines())
    assert f"{short} rows are shorter than --epochs 6, and left out\n" in printed.err
    assert status("reproduce", "yu-vgg", ROW, "--dry-run", "--epochs", "6", *where(few, tmp_path / "runs")) == 0
    assert "--epochs 6: 'yu-vgg' has 5 epochs in all; give fewer or none" in capsys.readouterr().out
    assert status("reproduce", "hansen-solvers") == 1
    assert "a study that is no row; run it with: thumbnet study hansen-solvers" in capsys.readouterr().err


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
    before = mtimes(runs)
    (found,) = shell.json("reproduce", ROW, *FIFTH, *where(few, runs))
    assert mtimes(runs) == before
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
    assert untimed(run.result()) == untimed(unbroken.result())


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
        before = mtimes(runs)
        assert status("reproduce", *arguments) == 1
        assert mtimes(runs) == before
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


def test_random_weights_replace_pretrained_ones_and_are_said(
    few: PackedDataset, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--random-weights", "--fraction", 0.01, *where(few, tmp_path)]
    found = {one["row"]: one for one in shell.json("reproduce", *options)}
    assert Path(found["ma-finetune"]["folder"]).name == "ma-finetune@0.01-random-weights"
    assert Path(found[ROW]["folder"]).name == f"{ROW}@0.01"
    assert "random weights in place of pretrained ones" in found["ma-finetune"]["note"]
    assert "random weights" not in found[ROW]["note"]
    monkeypatch.setattr("thumbnet.cli.reproduce._PLAIN_WIDTH", 240)  # so that no note is folded
    printed = shell.text("reproduce", *options)
    assert found["ma-finetune"]["note"] in row_of(printed, "ma-finetune")
    assert "random weights" not in row_of(printed, ROW)
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
        ([ROW, "--device", "gpu"], "device 'gpu' cannot be used here ("),
        ([ROW, "--data", "nowhere"], "nowhere: no such folder; make packed data there"),
        ([ROW, "--dry-run", "--data", "nowhere"], "nowhere: no such folder; make packed data there"),
        (["--table", "--records", "nowhere"], "nowhere: no such folder of records"),
    ],
)
def test_what_cannot_be_asked_for(
    arguments: list[object], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.chdir(tmp_path)
    assert expected in shell.error("reproduce", *arguments)
    assert list(tmp_path.iterdir()) == []
