"""The packed data of a run, where it was and where it has come to lie."""

import re
import shutil
from pathlib import Path

import pytest

from tests.helpers import copy_of, forbid
from tests.shapes import make_tiny_imagenet
from thumbnet.errors import DataError, StorageError
from thumbnet.files import read_json, write_json
from thumbnet.packed import PackedDataset
from thumbnet.run import RunDirectory, find_data
from thumbnet.sources import pack


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A place for data, which lies nowhere else."""
    return tmp_path / "home" / "packed"


@pytest.fixture
def moved(short_run: RunDirectory, place: Path, tmp_path: Path) -> RunDirectory:
    """A run that names `place`, where nothing lies yet."""
    run = copy_of(short_run, tmp_path / "run")
    write_json(run.path / "data.json", read_json(run.path / "data.json") | {"path": str(place)})
    return run


def test_data_is_found_where_it_was(moved: RunDirectory, shapes: PackedDataset, place: Path) -> None:
    shutil.copytree(shapes.path, place)
    assert find_data(moved).path == place


def test_data_is_found_in_the_default_place_if_it_is_the_runs(
    moved: RunDirectory, shapes: PackedDataset, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = rf"{place}: the packed data of run {moved.path} is gone from there; give its place with --data"
    with pytest.raises(DataError, match=gone):
        find_data(moved)
    source = make_tiny_imagenet(tmp_path / "source", classes=4, train=4, val=1, test=1, size=32, seed=1)
    monkeypatch.setenv("THUMBNET_DATA", str(pack(source, tmp_path / "other", size=32).path))
    with pytest.raises(DataError, match=gone):
        find_data(moved)
    monkeypatch.setenv("THUMBNET_DATA", str(shapes.path))
    assert find_data(moved).path == shapes.path


def test_damaged_data_is_not_called_gone(moved: RunDirectory, shapes: PackedDataset, place: Path) -> None:
    shutil.copytree(shapes.path, place)
    (place / "val.labels.npy").unlink()
    with pytest.raises(DataError, match=r"val.labels.npy: this file of the packed data is missing"):
        find_data(moved)


def test_a_place_that_one_may_not_enter(
    moved: RunDirectory, shapes: PackedDataset, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shapes.path, place)
    forbid(monkeypatch, place.parent)
    with pytest.raises(StorageError, match=rf"{re.escape(str(place))}.*: permission denied"):
        find_data(moved)
    monkeypatch.setenv("THUMBNET_DATA", str(shapes.path))
    assert find_data(moved).path == shapes.path


def test_a_run_that_one_may_not_look_at_is_one_line(
    moved: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, tmp_path)
    for look in (RunDirectory.open, RunDirectory.is_at, RunDirectory.behind):
        with pytest.raises(StorageError, match="permission denied"):
            look(moved.path)
