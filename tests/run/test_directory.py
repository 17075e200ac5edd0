"""Run directories: whole or not at all, and one line for each way in which one is not usable."""

import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from tests.run.conftest import DATA, ENVIRONMENT, RECIPE
from thumbnet.errors import RunError, StorageError
from thumbnet.run import RunDirectory


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
    assert opened.metrics.read() == []
    assert opened.weights_tags() == []


def test_an_existing_folder_is_never_overwritten(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "none")
    for path in (run.path, tmp_path / "empty", tmp_path / "link"):
        with pytest.raises(StorageError, match="exists already and is never overwritten; choose another place"):
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


def test_a_run_is_known_by_the_files_of_its_weights(run: RunDirectory, tmp_path: Path) -> None:
    weights, elsewhere = run.weights_path("epoch-0007"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in (weights, elsewhere / "copy.pt", run.path / "notes.txt"):
        file.touch()
    (elsewhere / "link.pt").symlink_to(weights)
    (elsewhere / "run").symlink_to(run.path)
    assert RunDirectory.behind(run.path) == RunDirectory.behind(weights) == run
    assert RunDirectory.behind(elsewhere / "link.pt") == run
    assert RunDirectory.behind(elsewhere / "run" / "checkpoints" / "none.pt") is not None
    for other in (elsewhere / "copy.pt", run.path / "notes.txt", tmp_path / "none"):
        assert RunDirectory.behind(other) is None
    with pytest.raises(RunError, match="not a run directory"):
        RunDirectory.behind(elsewhere)
    shutil.move(run.path / "checkpoints", elsewhere / "moved")
    (run.path / "checkpoints").symlink_to(elsewhere / "moved")
    assert RunDirectory.behind(weights) == run


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
    leftovers = [
        run.path / ".status.json.x.tmp",
        run.state_path.parent / ".state.pt.x.tmp",
        run.path / f".status.json.{os.getpid()}.x.tmp",  # an earlier process had the same number
    ]
    for leftover in leftovers:
        leftover.touch()
    run.state_path.touch()
    with run.lock():
        assert not any(leftover.exists() for leftover in leftovers)
    assert run.state_path.exists()


def test_the_lock_spares_what_another_process_writes(run: RunDirectory) -> None:
    code = (
        "import sys; from pathlib import Path; from thumbnet.files import atomic_file\n"
        "with atomic_file(Path(sys.argv[1]), 'w') as handle:\n"
        "    handle.write('whole'); print('ready', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(run.report_path)]
    for killed in (True, False):
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            with run.lock():
                assert len(list(run.path.glob(".report.html.*.tmp"))) == 1
            if killed:
                process.kill()
            process.communicate(timeout=30)
        assert run.report_path.exists() is not killed
        assert len(list(run.path.glob(".report.html.*.tmp"))) == killed
        with run.lock():
            assert list(run.path.glob(".*.tmp")) == []
    assert run.report_path.read_text() == "whole"


def test_a_vanished_run_directory_is_one_line(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "gone")
    with pytest.raises(StorageError, match="no such file or folder"):
        run.metrics.append([{"step": 1}])
    with pytest.raises(StorageError, match="no such file or folder"):
        run.metrics.sync()
