"""Packing of good sources: the same content from every packaging, and facts that are true."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.shapes import class_ids, class_name, make_tiny_imagenet, zip_folder
from thumbnet.sources import pack, tiny_imagenet


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
