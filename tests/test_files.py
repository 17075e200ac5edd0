"""Files: whole or not at all, also when the disk is full, the block raises or the process is killed."""

import errno
import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from tests.helpers import forbid
from thumbnet import files
from thumbnet.errors import StorageError


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def write_then_raise(path: Path, error: BaseException) -> None:
    with files.atomic_file(path) as handle:
        handle.write(b"new")
        raise error


def start(code: str, *arguments: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_line(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EROFS, "choose another place"),
        (errno.EACCES, "permission denied"),
        (errno.ENOENT, "check the path"),
        (errno.EXDEV, "check the path and the disk"),
    ],
)
def test_storage_errors_name_place_and_remedy(number: int, remedy: str) -> None:
    with pytest.raises(StorageError, match=remedy) as caught, files.storage_errors(Path("there")):
        raise OSError(number, os.strerror(number))
    assert str(caught.value).startswith("there: ")
    assert "\n" not in str(caught.value)


def test_the_path_of_the_error_itself_is_preferred() -> None:
    with pytest.raises(StorageError, match=r"^inner: "), files.storage_errors("outer"):
        raise OSError(errno.ENOSPC, "No space", "inner")


def test_whether_a_file_can_be_written_is_known_before(tmp_path: Path) -> None:
    there = tmp_path / "there.txt"
    there.write_text("kept")
    files.check_writable(there)
    files.check_writable(tmp_path / "new.txt")
    for path, message in (
        (tmp_path, "this is a folder"),
        (tmp_path / "no" / "new.txt", "no such file or folder"),
        (there / "new.txt", "a part of the path is a file"),
    ):
        with pytest.raises(StorageError, match=message) as caught:
            files.check_writable(path)
        assert str(caught.value).startswith(f"{path}: ")
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(there, "kept")]


def test_a_full_device_is_one_line() -> None:
    with (
        pytest.raises(StorageError, match="the disk is full"),
        files.storage_errors("f"),
        Path("/dev/full").open("wb", buffering=0) as handle,
    ):
        handle.write(b"x")


def test_a_disk_that_fills_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    with pytest.raises(StorageError, match="the disk is full"):
        write_then_raise(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["f"]


def test_a_write_over_the_size_limit_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    code = (
        "import resource, signal, sys; from pathlib import Path; from thumbnet import errors, files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    with files.atomic_file(Path(sys.argv[1])) as handle: handle.write(bytes(100_000))\n"
        "except errors.StorageError as error: print(error)"
    )
    process = start(code, path)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "grows beyond the largest size allowed" in out
    assert path.read_text() == "old"
    assert names(tmp_path) == ["f"]


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with files.atomic_file(path, "w") as handle:
        handle.write("é")
        assert not path.exists()
    assert path.read_bytes() == "é".encode()
    with files.atomic_file(path) as handle:
        handle.write(b"2")
    assert path.read_bytes() == b"2"
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def write_a_file(path: Path) -> list[Path]:
    with files.atomic_file(path) as handle:
        handle.write(b"x")
    return [path]


def write_a_folder(path: Path) -> list[Path]:
    with files.atomic_folder(path) as folder:
        (folder / "below").mkdir()
        with (folder / "below" / "x").open("wb") as handle:
            handle.write(b"x")
            files.sync(handle)
    return [path / "below" / "x", path, path / "below"]


@pytest.mark.parametrize("write", [write_a_file, write_a_folder])
def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(
    write: Callable[[Path], list[Path]], tmp_path: Path, disk: list[int | str]
) -> None:
    content = write(tmp_path / "new")
    assert disk == [*(one.stat().st_ino for one in content), "new", tmp_path.stat().st_ino]


def test_a_block_that_raises_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_then_raise(tmp_path / "f", KeyboardInterrupt())
    with pytest.raises(ZeroDivisionError), files.atomic_folder(tmp_path / "d") as folder:
        write_then_raise(folder / "x", ZeroDivisionError())
    assert names(tmp_path) == []


def test_a_missing_folder_and_a_folder_in_the_way_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file or folder"), files.atomic_file(tmp_path / "none" / "f"):
        pass
    (tmp_path / "d").mkdir()
    with pytest.raises(StorageError, match="a folder, not a file"), files.atomic_file(tmp_path / "d"):
        pass
    assert names(tmp_path) == ["d"]


def test_kill_while_writing_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    code = (
        "import sys, time; from pathlib import Path; from thumbnet import files\n"
        "with files.atomic_file(Path(sys.argv[1])) as handle:\n"
        "    handle.write(bytes(100_000)); print('ready', flush=True); time.sleep(60)"
    )
    with start(code, path) as process:
        wait_for_line(process)
        process.send_signal(signal.SIGKILL)
    assert path.read_text() == "old"


def test_kill_at_any_moment_leaves_one_of_the_two_files(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(1_000_000))
    code = (
        "import itertools, sys; from pathlib import Path; from thumbnet import files\n"
        "print('ready', flush=True)\n"
        "for i in itertools.count():\n"
        "    with files.atomic_file(Path(sys.argv[1])) as handle: handle.write(bytes([i % 256]) * 1_000_000)"
    )
    for delay in (0.0, 0.013, 0.029, 0.047):
        with start(code, path) as process:
            wait_for_line(process)
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        content = path.read_bytes()
        assert content == content[:1] * 1_000_000


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "parent" / "d"
    with files.atomic_folder(path) as folder:
        (folder / "x").touch()
        assert not path.exists()
    assert names(path) == ["x"]
    assert names(path.parent) == ["d"]
    (tmp_path / "link").symlink_to(tmp_path / "none")
    for taken in (path, tmp_path / "link"):
        with pytest.raises(StorageError, match="exists already and is never overwritten"), files.atomic_folder(taken):
            pass
    assert names(path) == ["x"]


def test_two_processes_on_one_folder(tmp_path: Path) -> None:
    path = tmp_path / "d"
    code = (
        "import sys; from pathlib import Path; from thumbnet import files\n"
        "with files.atomic_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'x').touch(); print('ready', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        wait_for_line(process)
        with pytest.raises(StorageError, match="another process is writing this folder"), files.atomic_folder(path):
            pass
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert names(path) == ["x"]
    assert names(tmp_path) == ["d"]


def test_a_killed_folder_writer_is_cleaned_up_after(tmp_path: Path) -> None:
    path = tmp_path / "d"
    code = (
        "import sys, time; from pathlib import Path; from thumbnet import files\n"
        "with files.atomic_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'x').touch(); print('ready', flush=True); time.sleep(60)"
    )
    with start(code, path) as process:
        wait_for_line(process)
        process.send_signal(signal.SIGKILL)
    assert not path.exists()
    with files.atomic_folder(path) as folder:
        (folder / "y").touch()
    assert names(path) == ["y"]
    assert names(tmp_path) == ["d"]


def test_a_neighbour_whose_name_begins_alike_is_left_alone(tmp_path: Path) -> None:
    with files.atomic_folder(tmp_path / "d.b") as neighbour:
        with files.atomic_folder(tmp_path / "d"):
            pass
        assert neighbour.exists()
    assert names(tmp_path) == ["d", "d.b"]


def test_a_folder_below_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(StorageError, match="check the path"), files.atomic_folder(tmp_path / "f" / "d"):
        pass


def test_json_comes_back(tmp_path: Path) -> None:
    value = {"é": [1, 2.5, None, True]}
    files.write_json(tmp_path / "v.json", value)
    assert files.read_json(tmp_path / "v.json") == value
    text = (tmp_path / "v.json").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert json.loads(text) == value


def test_a_number_that_json_has_not_is_null_and_is_said(tmp_path: Path) -> None:
    value = {"a": [math.nan, 0.1, np.float64("inf")], "b": {"c": (-math.inf, 2**70, None, "NaN")}}
    with pytest.warns(RuntimeWarning, match="a number that is not finite, which JSON has not, is written as null"):
        files.write_json(tmp_path / "v.json", value)
    found = json.loads((tmp_path / "v.json").read_bytes(), parse_constant=pytest.fail)
    assert found == {"a": [None, 0.1, None], "b": {"c": [None, 2**70, None, "NaN"]}}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"\0\0"])
def test_what_is_not_json_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.json").write_bytes(content)
    with pytest.raises(StorageError, match="not valid JSON") as caught:
        files.read_json(tmp_path / "v.json")
    assert "\n" not in str(caught.value)


def test_digest(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert files.sha256(tmp_path / "f") == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(StorageError, match="no such file"):
        files.sha256(tmp_path / "g")


def test_the_cache_is_where_it_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THUMBNET_CACHE", str(tmp_path))
    assert files.cache_folder() == tmp_path
    monkeypatch.setenv("THUMBNET_CACHE", "")
    assert files.cache_folder() == Path(platformdirs.user_cache_dir("thumbnet"))
    monkeypatch.delenv("THUMBNET_CACHE")
    assert files.cache_folder() == Path(platformdirs.user_cache_dir("thumbnet"))


def test_what_lies_at_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    (tmp_path / "link").symlink_to("nowhere")
    places = [tmp_path, file, file / "below", tmp_path / "nothing", tmp_path / "link", tmp_path / "a\0b"]
    assert [files.is_folder(place) for place in places] == [True] + [False] * 5
    assert [files.is_file(place) for place in places] == [False, True] + [False] * 4
    forbid(monkeypatch, tmp_path)
    for look in (files.is_file, files.is_folder):
        with pytest.raises(StorageError, match=r"file: permission denied; choose a place that you may use"):
            look(file)
