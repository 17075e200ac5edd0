"""`thumbnet data`: what packing and looking at packed data print, and the page about it."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.calling import Shell, status
from tests.shapes import zip_folder
from thumbnet.packed import PackedDataset


def test_pack_prints_the_facts_and_progress(
    unpacked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = zip_folder(unpacked, tmp_path / "shapes.zip")
    assert status("data", "pack", archive, "--out", tmp_path / "out", "--size", 32, "--threads", 1) == 0
    printed = capsys.readouterr()
    assert "train 96, val 24, test 18" in printed.out
    assert "16 in each" in printed.out
    assert "not the full Tiny ImageNet" in printed.out
    assert "identical files  none" in printed.out
    assert "138 of 138" in printed.err


def test_info_repeats_them_as_json(
    unpacked: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THUMBNET_DATA", str(tmp_path / "out"))
    packed = shell.json("data", "pack", unpacked, "--size", 16)
    assert shell.json("data", "info") == packed
    assert packed["counts"] == {"train": 96, "val": 24, "test": 18}
    assert (packed["image_size"], packed["classes"]) == (16, 6)
    assert len(packed["fingerprint"]) == 64
    printed = shell.text("data", "info", tmp_path / "out")
    assert "resized 96" in printed
    assert "4 in each" in printed


def test_mistakes_are_one_line(tmp_path: Path, shell: Shell) -> None:
    out = ("--out", tmp_path / "out")
    assert "no such file or folder" in shell.error("data", "pack", tmp_path / "nowhere", *out)
    assert "no such folder" in shell.error("data", "info", tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_the_packed_folder_has_the_whole_name_of_a_source_folder(
    unpacked: Path, folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("THUMBNET_DATA", raising=False)
    monkeypatch.setenv("THUMBNET_CACHE", str(folder / "cache"))
    for year in ("2023", "2024"):
        shutil.copytree(unpacked, f"pictures.{year}")
        packed = shell.json("data", "pack", f"pictures.{year}", "--size", 16)
        assert Path(packed["path"]) == folder / "cache" / f"pictures.{year}"


@pytest.mark.usefixtures("folder")
def test_digits_are_not_packed_for_a_folder_of_that_name(unpacked: Path, shell: Shell) -> None:
    shutil.copytree(unpacked, "digits")
    line = shell.error("data", "pack", "digits", "--out", "out")
    assert "something here has this name too; give ./digits for that" in line
    assert not Path("out").exists()
    assert shell.json("data", "pack", "./digits", "--out", "out", "--size", 16)["name"] == "digits"
    shutil.rmtree("digits")
    for place in ("digits", "again"):  # packed data is no source, so there the word is clear
        assert shell.json("data", "pack", "digits", "--out", place, "--size", 8)["classes"] == 10


def test_bad_images_are_listed_one_a_line(unpacked: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(unpacked, "shapes")
    for number in range(2):
        Path(f"shapes/test/images/test_{number}.JPEG").write_bytes(b"")
    assert status("data", "pack", "shapes", "--out", "out", "--size", 8) == 1
    printed = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("reading")]
    assert printed[0] == "thumbnet: shapes: 2 of 138 files cannot be packed; mend, replace or remove them"
    assert [line.partition(".JPEG")[0] for line in printed[1:]] == [
        f"shapes: test/images/test_{number}" for number in range(2)
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["shapes"]


@pytest.mark.usefixtures("folder")
def test_a_class_without_images_in_a_split_counts(unpacked: Path, shell: Shell) -> None:
    names = sorted(file.name for file in unpacked.glob("train/*/images/*"))
    for number, name in enumerate(names[:6]):
        target = Path("pets", "val" if number == 5 else "train", "cat" if number % 2 else "dog", name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(next(unpacked.glob(f"train/*/images/{name}")), target)
    packed = shell.json("data", "pack", "pets", "--out", "out", "--size", 8)
    assert packed["facts"]["images_per_class"]["val"] == {"cat": 1, "dog": 0}
    assert "0 to 1 in each" in shell.text("data", "info", "out")


def test_report_writes_the_page_and_its_figures(
    dataset: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.setenv("THUMBNET_CACHE", str(tmp_path / "cache"))
    page = tmp_path / "page.html"
    assert "page.json and page-csv/" in shell.text("data", "report", dataset.path, "--out", page)
    written = json.loads((tmp_path / "page.json").read_text())
    assert shell.json("data", "report", dataset.path, "--out", page) == {**written, "page": str(page)}
    assert {file.name for file in (tmp_path / "page-csv").iterdir()} == {"classes.csv", "duplicates.csv"}
    assert "ends in .html" in shell.error("data", "report", dataset.path, "--out", tmp_path / "page.txt")
    assert "no such folder" in shell.error("data", "report", tmp_path / "nothing", "--out", page)


def test_report_without_a_cache_that_can_be_written(
    dataset: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("THUMBNET_CACHE", str(tmp_path / "file"))
    command = ("data", "report", dataset.path, "--out", tmp_path / "page.html")
    assert str(tmp_path / "file") in shell.error(*command)
    shell.text(*command, "--cache", tmp_path / "kept")
    assert [file.suffix for file in (tmp_path / "kept" / "duplicates").iterdir()] == [".npz"]
