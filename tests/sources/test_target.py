"""Where packed data goes: what cannot be written, what is there already, and what a kill leaves behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from thumbnet import packed
from thumbnet.errors import StorageError
from thumbnet.sources import pack

PACK = "import sys; from pathlib import Path; from thumbnet.sources import pack; "


@pytest.mark.parametrize("place", ["/proc/thumbnet/out", "/sys/thumbnet/out", "/dev/null/out"])
def test_a_place_that_cannot_be_written(place: str, shapes_zip: Path) -> None:
    with pytest.raises(StorageError) as caught:
        pack(shapes_zip, Path(place))
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value)


def test_an_existing_folder_is_left_alone(shapes_zip: Path, tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("kept")
    with pytest.raises(StorageError, match="never overwritten"):
        pack(shapes_zip, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["keep.txt"]
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "none")
    with pytest.raises(StorageError, match="never overwritten"):
        pack(shapes_zip, link)


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PACK + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_disk_that_fills_while_packing(shapes_zip: Path, tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
    done = run(limit + "pack(Path(sys.argv[1]), Path(sys.argv[2]))", shapes_zip, tmp_path / "out")
    assert "StorageError" in done.stderr.splitlines()[-1]
    assert "grows beyond the largest size allowed" in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_two_processes_do_not_pack_to_one_place(shapes_zip: Path, tmp_path: Path) -> None:
    with packed.create(tmp_path / "out", name="x", image_size=64, classes=[packed.ClassInfo("a", "a")]):
        done = run("pack(Path(sys.argv[1]), Path(sys.argv[2]))", shapes_zip, tmp_path / "out")
        assert "another process is writing this folder" in done.stderr.splitlines()[-1]


def test_a_killed_packing_is_cleared_away_by_the_next(shapes_zip: Path, tmp_path: Path) -> None:
    code = "import os; pack(Path(sys.argv[1]), Path(sys.argv[2]), watch=lambda *_: os.kill(os.getpid(), 9))"
    assert run(code, shapes_zip, tmp_path / "out").returncode == -9
    assert not (tmp_path / "out").exists()
    assert pack(shapes_zip, tmp_path / "out").counts["train"] == 48
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == ["out"]
