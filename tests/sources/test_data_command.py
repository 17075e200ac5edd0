"""The command `thumbnet data`: what it prints, and that looking at its help is cheap."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from thumbnet.cli.data import app
from thumbnet.errors import DataError


def command(*arguments: object) -> None:
    app([str(argument) for argument in arguments], result_action="return_value")


def test_pack_prints_the_facts_and_progress(
    shapes_zip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command("pack", shapes_zip, "--out", tmp_path / "out", "--threads", 1)
    printed = capsys.readouterr()
    assert "train 48, val 16, test 16" in printed.out
    assert "12 in each" in printed.out
    assert "not the full Tiny ImageNet" in printed.out
    assert "identical files  none" in printed.out
    assert "80 of 80" in printed.err


def test_info_repeats_them_as_json(
    shapes_zip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THUMBNET_DATA", str(tmp_path / "out"))
    command("pack", shapes_zip, "--size", 16, "--json")
    packed = json.loads(capsys.readouterr().out)
    command("info", "--json")
    info = json.loads(capsys.readouterr().out)
    assert packed == info
    assert info["counts"] == {"train": 48, "val": 16, "test": 16}
    assert info["image_size"] == 16
    assert len(info["fingerprint"]) == 64
    command("info", tmp_path / "out")
    assert "resized 48" in capsys.readouterr().out


def test_errors_reach_the_caller_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        command("pack", tmp_path / "nowhere", "--out", tmp_path / "out")
    with pytest.raises(DataError, match="no such folder"):
        command("info", tmp_path / "nowhere")


def test_the_data_path_imports_no_torch() -> None:
    code = "import sys, thumbnet.sources, thumbnet.packed; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"
