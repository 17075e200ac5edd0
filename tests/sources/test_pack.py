"""Packing of good sources: the same content from every packaging, and facts that are true."""

import itertools
import shutil
import tracemalloc
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.shapes import class_ids, class_name, make_tiny_imagenet, zip_folder
from tests.sources.helpers import image_in
from thumbnet.packed import ClassInfo
from thumbnet.sources import pack, tiny_imagenet
from thumbnet.sources.identical import identical_files
from thumbnet.sources.listing import Listing, Row, listed_split


def test_the_archive_and_the_folder_give_the_same_data(shapes_folder: Path, shapes_zip: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.zip"
    with zipfile.ZipFile(bare, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(shapes_folder.rglob("*"), reverse=True):
            archive.write(path, path.relative_to(shapes_folder))
    sources = (shapes_folder, shapes_zip, bare)
    packs = [pack(source, tmp_path / f"out{index}", threads=index) for index, source in enumerate(sources)]
    assert len({dataset.fingerprint for dataset in packs}) == 1
    np.testing.assert_array_equal(packs[0].split("train").images, packs[1].split("train").images)


def test_enclosing_folders_are_taken_off(shapes_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(shapes_folder, tmp_path / "a" / "b" / "shapes")
    first, second = pack(tmp_path / "a", tmp_path / "out"), pack(shapes_folder, tmp_path / "other")
    assert first.fingerprint == second.fingerprint


def test_what_was_drawn_is_what_is_packed(shapes_folder: Path, shapes_zip: Path, tmp_path: Path) -> None:
    dataset = pack(shapes_zip, tmp_path / "out")
    train, val, test = (dataset.split(name) for name in ("train", "val", "test"))
    assert [item.id for item in dataset.classes] == class_ids(4)
    assert dataset.classes[2].name == f"{class_name(2)}, drawn"
    assert (len(train), len(val), len(test)) == (48, 16, 16)
    assert train.labels.tolist() == sorted(train.labels.tolist())
    assert list(val.image_ids) == sorted(val.image_ids)
    assert (test.labels == -1).all()
    lines = (shapes_folder / "val" / "val_annotations.txt").read_text().splitlines()
    annotations = {line.split("\t")[0]: line.split("\t")[1:] for line in lines}
    assert val.boxes is not None
    for index, name in enumerate(val.image_ids):
        wnid, *box = annotations[name]
        assert dataset.classes[val.labels[index]].id == wnid
        assert val.boxes[index].tolist() == [int(value) for value in box]
        with Image.open(shapes_folder / "val" / "images" / name) as image:
            np.testing.assert_array_equal(val.images[index], np.asarray(image))
    assert dataset.facts["images_per_class"]["train"] == dict.fromkeys(class_ids(4), 12)
    assert dataset.facts["boxes"] == ["train", "val"]


def test_other_counts_are_noted_as_not_the_full_tiny_imagenet(shapes_zip: Path, tmp_path: Path) -> None:
    dataset = pack(shapes_zip, tmp_path / "out")
    assert dataset.name == "shapes"
    assert dataset.facts["full_tiny_imagenet"] is False
    assert any("not the full Tiny ImageNet" in note for note in dataset.facts["notes"])


def test_the_official_classes_and_counts_are_the_full_tiny_imagenet(
    shapes_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny_imagenet, "OFFICIAL_CLASSES", 4)
    monkeypatch.setattr(tiny_imagenet, "OFFICIAL_PER_CLASS", {"train": 12, "val": 4})
    monkeypatch.setattr(tiny_imagenet, "OFFICIAL_TEST", 16)
    dataset = pack(shapes_zip, tmp_path / "out")
    assert (dataset.name, dataset.facts["notes"]) == ("tiny-imagenet-200", [])
    assert dataset.facts["full_tiny_imagenet"] is True
    monkeypatch.setattr(tiny_imagenet, "OFFICIAL_PER_CLASS", {"train": 12, "val": 5})
    assert pack(shapes_zip, tmp_path / "other").facts["full_tiny_imagenet"] is False


def test_conversions_and_identical_files_are_counted(tmp_path: Path) -> None:
    folder = make_tiny_imagenet(tmp_path / "shapes")
    train = folder / "train" / class_ids(4)[0] / "images"
    names = sorted(train.iterdir())
    for name in names[:3]:
        with Image.open(name) as image:
            grey = image.convert("L")
        grey.save(name)
    with Image.open(names[3]) as image:
        larger = image.resize((90, 70))
    larger.save(names[3])
    other = folder / "train" / class_ids(4)[1] / "images"
    shutil.copy(names[4], sorted(other.iterdir())[0])
    shutil.copy(names[5], names[6])
    shutil.copy(names[7], folder / "test" / "images" / "test_0.JPEG")
    for source in (folder, zip_folder(folder, tmp_path / "shapes.zip")):
        dataset = pack(source, tmp_path / f"out{source.suffix}")
        assert dataset.facts["converted"] == {"train": {"greyscale": 3, "resized": 1}, "val": {}, "test": {}}
        identical = dataset.facts["identical_files"]
        assert identical["pairs"] == 3
        assert identical["pairs_by_splits"] == {"train-train": 2, "train-test": 1}
        assert identical["conflicting_pairs_by_splits"] == {"train-train": 1}
        conflict = [group for group in identical["groups"] if group["labels_conflict"]]
        assert [group["classes"] for group in conflict] == [class_ids(4)[:2]]
        assert conflict[0]["files"][0].endswith(names[4].name)


class Copies:
    """A source in which the digit before the slash in a file's name is all of its content."""

    def read(self, name: str) -> bytes:
        return name[:1].encode()

    def where(self, name: str) -> str:
        return name


def copies(contents: list[int], labels: list[int], splits: list[str]) -> dict[str, Any]:
    """What is found of identical files among files of these contents, in three classes."""
    rows: dict[str, list[Row]] = {name: [] for name in ("train", "val", "test")}
    for number, (content, label, split) in enumerate(zip(contents, labels, splits, strict=True)):
        rows[split].append(Row(label, f"{number:05d}", f"{content}/{number:05d}"))
    listed = {name: listed_split(name, found) for name, found in rows.items() if found}
    classes = tuple(ClassInfo(name, name) for name in "abc")
    # All checksums are the same, so that the content alone tells the files apart.
    checksums = {name: [(0, 1)] * len(split.files) for name, split in listed.items()}
    return identical_files(Copies(), Listing("made", "made", classes, listed), checksums)


def test_pairs_of_identical_files_are_those_of_all_combinations() -> None:
    random = np.random.default_rng(0)
    contents, labels = random.integers(0, 5, 60).tolist(), random.integers(-1, 3, 60).tolist()
    splits = random.choice(["train", "val", "test"], 60).tolist()
    order = ("train", "val", "test")
    files = sorted(zip(splits, contents, labels, strict=True), key=lambda file: order.index(file[0]))
    pairs = [(a, b) for a, b in itertools.combinations(files, 2) if a[1] == b[1]]
    conflicting = [(a, b) for a, b in pairs if -1 not in (a[2], b[2]) and a[2] != b[2]]
    found = copies(contents, labels, splits)
    assert found["pairs"] == len(pairs)
    assert found["pairs_by_splits"] == Counter(f"{a[0]}-{b[0]}" for a, b in pairs)
    assert found["conflicting_pairs_by_splits"] == Counter(f"{a[0]}-{b[0]}" for a, b in conflicting)
    assert found["groups_found"] == len(found["groups"]) == 5


def test_many_identical_files_are_counted_without_a_list_of_their_pairs() -> None:
    tracemalloc.start()
    found = copies([1] * 2000, [0, 1] * 1000, ["train"] * 2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found["pairs_by_splits"] == {"train-train": 2000 * 1999 // 2}
    assert found["conflicting_pairs_by_splits"] == {"train-train": 1000 * 1000}
    (group,) = found["groups"]
    assert (group["copies"], group["labels_conflict"]) == (2000, True)
    assert len(group["files"]) == len(group["splits"]) == len(group["classes"]) == 100
    assert peak < 10e6


def test_large_images_are_decoded_few_at_a_time(shapes_folder: Path, tmp_path: Path) -> None:
    for name in ("cat/1.jpg", "cat/2.jpg", "cat/3.jpg", "dog/1.jpg", "dog/2.jpg", "dog/3.jpg"):
        image_in(tmp_path / "pets" / name, shapes_folder)
    done = [0]
    pack(tmp_path / "pets", tmp_path / "out", size=1024, watch=lambda _what, count, _total: done.append(count))
    assert done[-1] == 6
    assert max(np.diff(done)) * 1024 * 1024 * 3 <= 4 * 2**20


def test_train_images_numbered_from_zero_in_each_class_get_their_class_in_the_id(tmp_path: Path) -> None:
    folder = make_tiny_imagenet(tmp_path / "shapes")
    for wnid in class_ids(4):
        (folder / "train" / wnid / f"{wnid}_boxes.txt").unlink()
        for path in sorted((folder / "train" / wnid / "images").iterdir()):
            path.rename(path.with_name(path.name.partition("_")[2]))
    train = pack(folder, tmp_path / "out").split("train")
    assert train.image_ids[0] == f"{class_ids(4)[0]}/0.JPEG"
    assert train.boxes is None


def test_digits(tmp_path: Path) -> None:
    dataset = pack("digits", tmp_path / "out")
    train, val, test = (dataset.split(name) for name in ("train", "val", "test"))
    assert [item.name for item in dataset.classes] == [str(digit) for digit in range(10)]
    assert len(train) + len(val) + len(test) == 1797
    assert set(train.labels.tolist()) == set(val.labels.tolist()) == set(range(10))
    assert (test.labels == -1).all()
    assert train.images.shape[1:] == (32, 32, 3)
    assert (train.images[..., 0] == train.images[..., 2]).all()
    assert train.images.max() == 255
    assert pack("digits", tmp_path / "again", threads=1).fingerprint == dataset.fingerprint
    assert pack("digits", tmp_path / "small", size=8).image_size == 8


def test_progress_counts_every_image_once(shapes_zip: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    pack(shapes_zip, tmp_path / "out", watch=lambda *told: seen.append(told))
    assert seen[-1] == ("reading", 80, 80)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_member_names_that_climb_write_nothing_outside(shapes_folder: Path, tmp_path: Path) -> None:
    archive = zip_folder(shapes_folder, tmp_path / "evil.zip")
    with zipfile.ZipFile(archive, "a") as handle:
        for name in ("../../climbed.txt", str(tmp_path / "absolute.txt"), "shapes/../../x.JPEG"):
            handle.writestr(name, b"harm")
    expected = pack(shapes_folder, tmp_path / "expected").fingerprint
    assert pack(archive, tmp_path / "deep" / "out").fingerprint == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "evil.zip", "expected"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
