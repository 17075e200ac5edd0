"""Packed data: what is written is read back, and every kind of damage is named."""

import hashlib
import json
import os
import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from thumbnet import packed
from thumbnet.errors import DataError, StorageError

CLASSES = [packed.ClassInfo("n1", "cat"), packed.ClassInfo("n2", "dog")]


def write(path: Path, *, seed: int = 0, chunk: int = 7) -> tuple[Path, NDArray[np.uint8]]:
    images = np.random.default_rng(seed).integers(0, 256, (20, 6, 6, 3), dtype=np.uint8)
    labels = np.repeat(np.arange(2), 10)
    ids = [f"train_{index:02d}" for index in range(20)]
    boxes = np.arange(80, dtype=np.int32).reshape(20, 4)
    with packed.create(path, name="pets", image_size=6, classes=CLASSES) as writer:
        with writer.split("train", ids, labels, boxes) as split:
            for start in range(0, 20, chunk):
                split.append(images[start : start + chunk])
        with writer.split("test", ["a", "ü\n"], np.array([-1, -1]), None) as split:
            split.append(images[:2])
        writer.facts["source"] = "made up"
    return path, images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "pets")[0]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path, images = write(tmp_path / "pets")
    dataset = packed.load(path)
    train, test = dataset.split("train"), dataset.split("test")
    assert dataset.classes == tuple(CLASSES)
    assert dataset.counts == {"train": 20, "test": 2}
    assert dataset.split_names == ("train", "test")
    assert dataset.facts == {"source": "made up"}
    np.testing.assert_array_equal(train.images, images)
    assert train.boxes is not None
    assert train.boxes.tolist() == np.arange(80).reshape(20, 4).tolist()
    assert train.labels.dtype == np.int64
    assert (train.labels.sum(), len(train)) == (10, 20)
    assert test.boxes is None
    assert test.image_ids == ("a", "ü\n")
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]


def test_images_are_copied_on_write_and_the_file_stays(folder: Path) -> None:
    before = (folder / "train.images.npy").read_bytes()
    images = packed.load(folder).split("train").images
    assert images.flags.writeable
    images[:] = 0
    assert (folder / "train.images.npy").read_bytes() == before


def test_the_fingerprint_follows_the_content_alone(tmp_path: Path) -> None:
    first = packed.load(write(tmp_path / "a", chunk=7)[0]).fingerprint
    assert packed.load(write(tmp_path / "b", chunk=20)[0]).fingerprint == first
    assert packed.load(write(tmp_path / "c", seed=1)[0]).fingerprint != first
    shutil.move(tmp_path / "a", tmp_path / "moved")
    assert packed.load(tmp_path / "moved").fingerprint == first


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "boxes.npy", "ids.json"])
def test_one_flipped_bit_is_found_and_named(folder: Path, name: str) -> None:
    path = folder / f"train.{name}"
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    dataset = packed.load(folder)
    with pytest.raises(DataError, match=rf"train\.{name}: .* damaged; pack it again"):
        dataset.split("train")
    assert len(dataset.split("test")) == 2


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("flip", [0x01, 0x15, 0x80])
def test_a_damaged_array_header_is_found(folder: Path, flip: int, verify: bool) -> None:
    path = folder / "train.images.npy"
    intact = path.read_bytes()
    # To the end of the shape; what follows is padding. The header's length, at 8, needs the digest to be found wrong.
    for offset in range(0 if verify else 10, intact.index(b")") + 1):
        data = bytearray(intact)
        data[offset] ^= flip
        path.write_bytes(data)
        with pytest.raises(DataError, match="damaged; pack it again"):
            packed.load(folder).split("train", verify=verify)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(
    ("intact", "damaged"),
    [
        (b"'shape'", b"1234567"),  # keys of two kinds, which cannot be sorted
        (b"'descr'", b"b'descr"),
        (b"'|u1'", b"{1:2}"),
        (b"'|u1'", b"[[]] "),
        (b"(20, 6,", b"(2**9, "),
        (b"(20, 6,", b"(-1, 6,"),
        (b"(20, 6,", b"(20, 6."),
        (b"(20, 6, 6, 3)", b"(99999999999)"),
        (b"\x93NUMPY", b"PK\x03\x04PY"),
        (b"{'descr':", b"{[1]:'': "),
    ],
)
def test_an_array_header_of_nonsense_is_damage(folder: Path, intact: bytes, damaged: bytes, verify: bool) -> None:
    path = folder / "train.images.npy"
    content = path.read_bytes()
    assert content.count(intact) == 1
    path.write_bytes(content.replace(intact, damaged))
    with pytest.raises(DataError, match=r"train\.images\.npy: .* damaged; pack it again"):
        packed.load(folder).split("train", verify=verify)


def test_a_missing_or_cut_file_is_named_on_loading(folder: Path) -> None:
    path = folder / "test.images.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"test\.images\.npy: has 343 bytes instead of 344; pack it again"):
        packed.load(folder)
    path.unlink()
    with pytest.raises(DataError, match=r"test\.images\.npy: .*missing; pack it again"):
        packed.load(folder)


def test_another_format_version_is_refused(folder: Path) -> None:
    sidecar = folder / packed.SIDECAR
    sidecar.write_text(sidecar.read_text().replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(DataError, match="format version 2, this thumbnet reads 1; pack it again"):
        packed.load(folder)


@pytest.mark.parametrize(
    "text",
    ["", "{", "\x00\xff", '{"format_version": 1}', '{"format_version": 1, "classes": 3, "counts": {}}'],
)
def test_a_damaged_sidecar_is_refused(folder: Path, text: str) -> None:
    (folder / packed.SIDECAR).write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"dataset\.json: .* damaged; pack it again"):
        packed.load(folder)


@pytest.mark.parametrize(("key", "value"), [("counts", {"../x": 1}), ("image_size", 7), ("fingerprint", "0" * 64)])
def test_a_sidecar_that_contradicts_itself_is_refused(folder: Path, key: str, value: object) -> None:
    sidecar = json.loads((folder / packed.SIDECAR).read_text())
    (folder / packed.SIDECAR).write_text(json.dumps(sidecar | {key: value}))
    with pytest.raises(DataError, match=r"dataset\.json: .* damaged"):
        packed.load(folder)


def test_what_is_not_packed_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder.*thumbnet data pack"):
        packed.load(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"not a packed folder.*thumbnet data pack"):
        packed.load(tmp_path)


def test_an_unknown_split_gets_the_known_ones(folder: Path) -> None:
    with pytest.raises(DataError, match="no split named 'val'; known: test, train"):
        packed.load(folder).split("val")


def test_an_existing_folder_is_never_overwritten(folder: Path) -> None:
    before = (folder / packed.SIDECAR).read_bytes()
    with pytest.raises(StorageError, match="never overwritten"):
        write(folder)
    assert (folder / packed.SIDECAR).read_bytes() == before


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="the disk is full"),
        packed.create(tmp_path / "out", name="x", image_size=64, classes=CLASSES),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        packed.SplitWriter(full, (8, 64, 64, 3)).append(np.zeros((8, 64, 64, 3), dtype=np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_every_file_is_on_the_disk_before_the_folder_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    place = tmp_path / "pets"

    def fsync(descriptor: int) -> None:
        if not place.exists():
            synced.add(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", fsync)
    write(place)
    assert [file.name for file in place.iterdir() if file.stat().st_ino not in synced] == []


def test_a_writer_that_is_interrupted_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        packed.create(tmp_path / "out", name="x", image_size=4, classes=CLASSES) as writer,
        writer.split("train", ["a"], np.zeros(1, dtype=np.int64), None),
    ):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_the_writer_refuses_what_would_not_be_canonical(tmp_path: Path) -> None:
    def attempt(ids: list[str], labels: list[int], split: str = "train", images: int = 2) -> None:
        with (
            packed.create(tmp_path / "out", name="x", image_size=4, classes=CLASSES) as writer,
            writer.split(split, ids, np.array(labels), None) as handle,
        ):
            handle.append(np.zeros((images, 4, 4, 3), dtype=np.uint8))

    refused: list[tuple[list[str], list[int]]] = [(["b", "a"], [0, 0]), (["a", "b"], [1, 0]), (["a", "a"], [0, 0])]
    for ids, labels in refused:
        with pytest.raises(ValueError, match="canonical order"):
            attempt(ids, labels)
    with pytest.raises(ValueError, match="1 images were written, 2 were announced"):
        attempt(["a", "b"], [0, 0], images=1)
    attempt(["a", "b"], [1, 0], split="val")
    assert len(packed.load(tmp_path / "out").split("val")) == 2


def split_of(ids: list[str], labels: list[int]) -> packed.PackedSplit:
    images = np.zeros((len(ids), 1, 1, 3), dtype=np.uint8)
    return packed.PackedSplit("train", images, np.array(labels, dtype=np.int64), tuple(ids), None)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_holdout_is_stratified_and_does_not_depend_on_the_order(labels: list[int], shuffle: random.Random) -> None:
    ids = [f"image_{index}" for index in range(len(labels))]
    split = split_of(ids, labels)
    mask = packed.holdout_mask(split)
    held = Counter(np.array(labels)[mask].tolist())
    for label, count in Counter(labels).items():
        assert held[label] == (0 if count == 1 else max(1, round(count / 10)))
    order = list(range(len(labels)))
    shuffle.shuffle(order)
    shuffled = packed.holdout_mask(split_of([ids[i] for i in order], [labels[i] for i in order]))
    np.testing.assert_array_equal(shuffled, mask[order])
    fit, holdout = packed.subset_indices(split, "fit"), packed.subset_indices(split, "holdout")
    assert sorted([*fit, *holdout]) == packed.subset_indices(split, "all").tolist() == list(range(len(labels)))
    assert np.all(np.diff(fit) > 0)


def test_the_holdout_takes_the_smallest_digests_at_most_fifty_a_class() -> None:
    ids = [f"{index}.JPEG" for index in range(1200)]
    labels = [0] * 600 + [1] * 600
    chosen = packed.subset_indices(split_of(ids, labels), "holdout")
    assert len(chosen) == 100
    digests = [hashlib.sha256(name.encode()).hexdigest() for name in ids]
    expected = sorted(range(600), key=lambda i: digests[i])[:50]
    assert sorted(expected) == chosen[:50].tolist()


def test_images_of_unknown_label_are_not_held_out() -> None:
    mask = packed.holdout_mask(split_of([str(i) for i in range(40)], [-1] * 20 + [0] * 20))
    assert (mask[:20].sum(), mask[20:].sum()) == (0, 2)


@pytest.mark.parametrize(
    ("size", "count", "expected"), [(64, 2049, [2048, 1]), (8, 2049, [2048, 1]), (1024, 9, [8, 1])]
)
def test_a_part_of_a_split_is_bounded_by_images_and_by_bytes(size: int, count: int, expected: list[int]) -> None:
    images = np.broadcast_to(np.zeros((1, 1, 1, 1), dtype=np.uint8), (count, size, size, 3))
    split = packed.PackedSplit("train", images, np.zeros(count, dtype=np.int64), ("",) * count, None)
    parts = list(split.parts())
    assert [len(images[part]) for part in parts] == expected
    assert [part.start for part in parts] == [0, parts[0].stop]


def test_parts_of_train_lie_in_train() -> None:
    names = ("train", "train_eval", "holdout", "val", "test")
    assert [packed.packed_split_of(name) for name in names] == ["train", "train", "train", "val", "test"]


def test_the_default_path_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THUMBNET_DATA", str(tmp_path))
    assert packed.default_path() == tmp_path
    monkeypatch.delenv("THUMBNET_DATA")
    monkeypatch.setenv("THUMBNET_CACHE", str(tmp_path / "cache"))
    assert packed.default_path() == tmp_path / "cache" / "tiny-imagenet-200"
    monkeypatch.delenv("THUMBNET_CACHE")
    assert packed.default_path() == Path(platformdirs.user_cache_dir("thumbnet")) / "tiny-imagenet-200"
    assert packed.default_path("pets") == Path(platformdirs.user_cache_dir("thumbnet")) / "pets"
