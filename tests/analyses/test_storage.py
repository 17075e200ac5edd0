"""Analyses come back as they were stored, and nothing else is taken for one."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import made_analyses as made

from thumbnet import analyses
from thumbnet.analyses import Analysis, Embedding, Maps, Origin
from thumbnet.errors import RunError, StorageError

KINDS = [type(one) for one in made.every_kind()]


def assert_same(found: Analysis, expected: Analysis) -> None:
    assert type(found) is type(expected)
    for one in fields(expected):
        ours, theirs = getattr(found, one.name), getattr(expected, one.name)
        if isinstance(theirs, np.ndarray):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
        else:
            assert ours == theirs, one.name


@pytest.mark.parametrize("stored", made.every_kind(), ids=lambda one: one.KIND)
def test_round_trip(stored: Analysis, tmp_path: Path) -> None:
    stored.save(tmp_path / "a.npz")
    assert_same(type(stored).load(tmp_path / "a.npz"), stored)
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.KIND)
def test_another_kind_is_refused(kind: type[Analysis], tmp_path: Path) -> None:
    for other in made.every_kind():
        if type(other) is not kind:
            other.save(tmp_path / "a.npz")
            with pytest.raises(
                RunError, match=rf"holds '{other.KIND}' in version 1, not '{kind.KIND}'.*--only {kind.KIND} --again"
            ):
                kind.load(tmp_path / "a.npz")


def test_no_damage_goes_unseen(tmp_path: Path) -> None:
    stored = made.maps()
    path = tmp_path / "a.npz"
    stored.save(path)
    content, random, refused, unread = path.read_bytes(), np.random.default_rng(0), 0, 0
    for _ in range(200):
        damaged = bytearray(content)
        damaged[int(random.integers(len(content)))] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        try:
            found = Maps.load(path)
        except RunError as error:
            refused += str(error).startswith(f"{path}: this analysis is damaged") and "\n" not in str(error)
        else:
            assert_same(found, stored)  # in a part of the archive that nobody reads, such as a file's date
            unread += 1
    assert refused + unread == 200
    assert refused > 100


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_torn_file_is_refused(length: int, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    made.maps().save(path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(RunError, match="is damaged"):
        Maps.load(path)


def test_pickles_and_strangers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for content in ({"about": np.array({"kind": "maps"}, dtype=object)}, {"about": np.array("[1]")}, {"other": 1}):
        np.savez(path, **content)
        with pytest.raises(RunError, match="is damaged or not ours"):
            Maps.load(path)


def test_a_missing_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    made.maps().save(path)
    with np.load(path) as archive:
        arrays: dict[str, Any] = {name: archive[name] for name in archive.files if name != "for_label"}
    np.savez(path, **arrays)
    with pytest.raises(RunError, match="is damaged"):
        Maps.load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"pca": np.zeros((16, 3), np.float32)},
        {"pca": np.zeros((15, 2), np.float32)},
        {"pca": np.zeros((16, 2), np.float64)},
        {"pca": np.zeros(16, np.float32)},
        {"pca": [0.5]},
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RunError, match="analysis embedding: pca is not an array of float32 that fits"):
        replace(made.embedding(), **changes)


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file or folder"):
        made.maps().save(tmp_path / "nowhere" / "a.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("made_from", "difference"),
    [
        (Origin("last", "a", "f"), None),
        (Origin("last", "", "f"), None),
        (Origin("last", "b", "f"), "other weights"),
        (Origin("best", "a", "f"), "other weights"),
        (Origin("last", "a", "e"), "other data"),
    ],
)
def test_difference_of_origins(made_from: Origin, difference: str | None) -> None:
    assert made_from.difference(Origin("last", "a", "f")) == difference


def test_every_part_is_described() -> None:
    assert {kind.KIND for kind in KINDS} | {"crossfit"} == set(analyses.PARTS)
    assert Embedding.KIND == "embedding"
