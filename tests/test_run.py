"""Run directories: whole or not at all, and one line for each way in which one is not usable."""

import json
import math
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thumbnet.errors import RunError, StorageError
from thumbnet.recipe import Model, Optimizer, Phase, Recipe, epochs
from thumbnet.run import RunDirectory, epoch_tag

RECIPE = Recipe("tiny", Model("m1"), Optimizer("adam", 0.001), (Phase(epochs(2)),))
DATA = {"name": "digits", "path": "data", "fingerprint": "f", "image_size": 16, "classes": [], "counts": {"fit": 1}}
ENVIRONMENT = {"versions": {"torch": "2.11.0"}, "threads": 2}


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "run", RECIPE, DATA, ENVIRONMENT, "thumbnet train tiny")


def test_a_new_run_is_whole(run: RunDirectory) -> None:
    opened = RunDirectory.open(run.path)
    assert opened == run
    assert opened.recipe() == RECIPE
    assert opened.data() == DATA
    (session,) = opened.sessions()
    assert session["command"] == "thumbnet train tiny"
    assert session["threads"] == 2
    assert datetime.fromisoformat(session["started"]).utcoffset() is not None
    assert opened.status() == {"state": "running", "step": 0, "total_steps": None, "message": "created"}
    assert opened.read_metrics() == []
    assert opened.weights_tags() == []


def test_an_existing_folder_is_never_overwritten(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "none")
    for path in (run.path, tmp_path / "empty", tmp_path / "link"):
        with pytest.raises(RunError, match=r"exists already and is never overwritten; choose .* --out"):
            RunDirectory.create(path, RECIPE, DATA, ENVIRONMENT, "again")
    assert run.sessions()[0]["command"] == "thumbnet train tiny"


def test_a_run_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        RunDirectory.create(tmp_path / "run", RECIPE, {"name": object()}, ENVIRONMENT, "train")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_a_run_is_refused(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run directory; check the path"):
        RunDirectory.open(tmp_path / "none")
    with pytest.raises(RunError, match=r"not a run directory \(recipe.json is missing\)"):
        RunDirectory.open(tmp_path)
    (run.path / "data.json").unlink()
    with pytest.raises(RunError, match=r"not a run directory \(data.json is missing\)"):
        RunDirectory.open(run.path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("recipe.json", "{", "not valid JSON"),
        ("recipe.json", "[]", "not an object"),
        ("recipe.json", '{"name": "x"}', "recipe.json: recipe: the field 'model' is missing"),
        ("data.json", "3", "not an object"),
        ("environment.json", "{}", "holds no sessions"),
        ("environment.json", '{"sessions": [1]}', "holds no sessions"),
        ("status.json", "{}", "a field is missing"),
        ("result.json", "null", "not an object"),
    ],
)
def test_damaged_files_are_named(run: RunDirectory, name: str, content: str, message: str) -> None:
    (run.path / name).write_text(content)
    with pytest.raises(RunError, match=message) as caught:
        {
            "recipe.json": run.recipe,
            "data.json": run.data,
            "environment.json": run.sessions,
            "status.json": run.status,
            "result.json": run.result,
        }[name]()
    assert str(run.path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sessions_add_up(run: RunDirectory) -> None:
    run.add_session({"threads": 4}, "thumbnet resume run")
    assert [session["threads"] for session in run.sessions()] == [2, 4]
    assert run.sessions()[1]["command"] == "thumbnet resume run"


def test_an_unfinished_run_says_how_to_finish_it(run: RunDirectory) -> None:
    with pytest.raises(RunError, match=r"is unfinished \(step 0\); finish it with: thumbnet resume "):
        run.require_complete()
    run.write_status("interrupted", 120, 7820)
    with pytest.raises(RunError, match=r"is unfinished \(step 120 of 7820\); finish it with: thumbnet resume "):
        run.require_complete()
    with pytest.raises(RunError, match="is unfinished"):
        run.result()
    assert not run.is_complete
    run.write_status("complete", 7820, 7820, "done")
    run.require_complete()
    assert run.is_complete
    with pytest.raises(RunError, match=r"result.json: no such file"):
        run.result()
    run.write_result({"top1": 0.5})
    assert run.result() == {"top1": 0.5}


def test_the_command_to_resume_can_be_pasted(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "my run", RECIPE, DATA, ENVIRONMENT, "train")
    with pytest.raises(RunError, match=r"thumbnet resume '.*my run'$"):
        run.require_complete()


def test_two_processes_never_train_in_one_run(run: RunDirectory) -> None:
    code = (
        "import sys; from pathlib import Path; from thumbnet.run import RunDirectory\n"
        "with RunDirectory.open(Path(sys.argv[1])).lock(): print('ready', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(run.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(RunError, match="in use by another process"), run.lock():
            pass
        process.kill()
    with run.lock(), pytest.raises(RunError, match="in use by another process"), run.lock():
        pass
    with run.lock():
        pass


def test_the_lock_removes_what_a_killed_writer_left(run: RunDirectory) -> None:
    leftovers = [run.path / ".status.json.x.tmp", run.state_path.parent / ".state.pt.x.tmp"]
    for leftover in leftovers:
        leftover.touch()
    run.state_path.touch()
    with run.lock():
        assert not any(leftover.exists() for leftover in leftovers)
    assert run.state_path.exists()


def test_names_of_files(run: RunDirectory) -> None:
    assert run.metrics_path == run.path / "metrics.jsonl"
    assert run.state_path == run.path / "checkpoints" / "state.pt"
    assert run.weights_path("last") == run.path / "checkpoints" / "last.pt"
    assert run.weights_path(epoch_tag(7)) == run.path / "checkpoints" / "epoch-0007.pt"
    assert run.filters_path("initial") == run.path / "filters" / "initial.npy"
    assert run.filters_path(epoch_tag(12345)) == run.path / "filters" / "epoch-12345.npy"
    assert run.predictions_path("val") == run.path / "predictions" / "val.npz"
    assert run.predictions_path("val", views=True) == run.path / "predictions" / "views.val.npz"
    assert run.tensorboard_path == run.path / "tensorboard"
    for path in (run.state_path, run.filters_path("last"), run.predictions_path("test")):
        assert path.parent.is_dir()


def test_unknown_tags_and_splits_are_refused(run: RunDirectory) -> None:
    with pytest.raises(
        RunError, match=r"tag 'state' .*; use first, last, best, an epoch such as epoch-0007, or a snapshot"
    ):
        run.weights_path("state")
    with pytest.raises(RunError, match="tag 'best' is unknown; use initial, last"):
        run.filters_path("best")
    with pytest.raises(RunError, match=r"split '\.\./x' is not a plain name"):
        run.predictions_path("../x")


def test_tags_of_stored_weights_are_in_order(run: RunDirectory) -> None:
    for tag in ("last", "epoch-0010", "epoch-0002", "epoch-10000", "first"):
        run.weights_path(tag).touch()
    run.state_path.touch()
    assert run.weights_tags() == ["first", "epoch-0002", "epoch-0010", "epoch-10000", "last"]


ROWS = st.lists(
    st.fixed_dictionaries(
        {"step": st.integers(0, 20)}, optional={"loss": st.floats(allow_nan=False, allow_infinity=False)}
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(rows=ROWS, step=st.integers(0, 20), torn=st.sampled_from([b"", b"{", b'{"step": 1}', b"\xff"]))
def test_metrics_come_back_and_are_cut_at_a_step(
    run: RunDirectory, rows: list[dict[str, float]], step: int, torn: bytes
) -> None:
    run.metrics_path.unlink(missing_ok=True)
    run.append_metrics(rows[:3])
    run.append_metrics(rows[3:])
    run.sync_metrics()
    with run.metrics_path.open("ab") as handle:
        handle.write(torn)
    assert run.read_metrics() == rows
    run.truncate_metrics(step)
    kept = [row for row in rows if row["step"] <= step]
    assert run.read_metrics() == kept
    run.append_metrics([{"step": step + 1}])
    assert run.read_metrics() == [*kept, {"step": step + 1}]


def test_metrics_that_are_not_finite_are_null(run: RunDirectory) -> None:
    run.append_metrics([{"step": 1, "loss": math.nan, "lr": math.inf}])
    assert run.read_metrics() == [{"step": 1, "loss": None, "lr": None}]


def test_rows_without_a_step_are_kept(run: RunDirectory) -> None:
    run.append_metrics([{"note": "x"}, {"step": 5}])
    run.truncate_metrics(2)
    assert run.read_metrics() == [{"note": "x"}]


def test_metrics_that_do_not_exist_can_be_cut(run: RunDirectory) -> None:
    run.truncate_metrics(0)
    assert not run.metrics_path.exists()


@pytest.mark.parametrize("line", ["{", "", "3", '{"step": "x"}', "\0"])
def test_a_damaged_line_is_named(run: RunDirectory, line: str) -> None:
    run.metrics_path.write_text(json.dumps({"step": 1}) + f"\n{line}\n" + json.dumps({"step": 3}) + "\n")
    with pytest.raises(RunError, match=r"metrics.jsonl, line 2: not a row of metrics"):
        run.read_metrics()
    with pytest.raises(RunError, match=r"metrics.jsonl, line 2: not a row of metrics"):
        run.truncate_metrics(1)


def test_a_full_disk_leaves_no_part_of_the_rows(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    run.append_metrics([{"step": 1}])
    before = run.metrics_path.read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, block: write(descriptor, block[:5]))
    with pytest.raises(StorageError, match="disk is full"):
        run.append_metrics([{"step": 2}])
    assert run.metrics_path.read_bytes() == before


def test_a_vanished_run_directory_is_one_line(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "gone")
    with pytest.raises(StorageError, match="no such file or folder"):
        run.append_metrics([{"step": 1}])
    with pytest.raises(StorageError, match="no such file or folder"):
        run.sync_metrics()
