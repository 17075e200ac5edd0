"""Class folders: their splits, what is left out, and what is refused."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.shapes import draw, zip_folder
from tests.sources.helpers import image_in, refusal
from thumbnet.sources import pack


def class_folders(folder: Path, split: str, classes: list[str], images: int, seed: int) -> Path:
    random = np.random.default_rng(seed)
    for label, name in enumerate(classes):
        (folder / split / name).mkdir(parents=True)
        for index in range(images):
            draw(label, 40, random)[0].save(folder / split / name / f"{index:03d}.png")
    return folder


def test_class_folders_with_train_val_and_flat_test(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", "train", ["cat", "dog", "émeu"], 5, seed=0)
    class_folders(folder, "val", ["cat", "dog", "émeu"], 2, seed=1)
    (folder / "test").mkdir()
    shutil.copy(folder / "val" / "cat" / "000.png", folder / "test" / "question.png")
    (folder / "train" / "cat" / "notes.txt").write_text("not an image")
    (folder / "train" / ".DS_Store").write_text("")
    dataset = pack(folder, tmp_path / "out", size=32)
    assert [item.name for item in dataset.classes] == ["cat", "dog", "émeu"]
    assert dataset.counts == {"train": 15, "val": 6, "test": 1}
    assert dataset.image_size == 32
    assert dataset.split("train").image_ids[0] == "cat/000.png"
    assert dataset.split("test").labels.tolist() == [-1]
    assert dataset.facts["notes"] == [
        "left out, as not named like an image: 1 of the files, first train/cat/notes.txt"
    ]
    assert "val_cut_from_train" not in dataset.facts
    assert (
        pack(zip_folder(folder, tmp_path / "pets.zip"), tmp_path / "two", size=32).fingerprint == dataset.fingerprint
    )


def test_images_in_no_class_folder_are_called_so(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", "train", ["cat", "dog"], 3, seed=0)
    for place in ("cover.png", "train/cover.png", "extra/cover.png"):
        (folder / place).parent.mkdir(exist_ok=True)
        shutil.copy(folder / "train" / "cat" / "000.png", folder / place)
    (folder / "eval").mkdir()
    (folder / "eval" / "notes.txt").write_text("a folder without images may be called as it likes")
    assert pack(folder, tmp_path / "out").facts["notes"] == [
        "left out, as in no class folder of train, val or test: 3 of the files, first cover.png",
        "left out, as not named like an image: 1 of the files, first eval/notes.txt",
    ]
    bare = pack(folder / "train", tmp_path / "bare").facts["notes"]
    assert bare == ["left out, as in no class folder: 1 of the files, first cover.png"]


def test_classes_without_splits_may_be_called_like_splits(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "tickets", "", ["valid", "testing"], 3, seed=0)
    assert [item.name for item in pack(folder, tmp_path / "out").classes] == ["testing", "valid"]


def test_a_test_split_of_class_folders_is_labelled(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", "train", ["cat", "dog"], 3, seed=0)
    class_folders(folder, "test", ["cat", "dog"], 1, seed=1)
    test = pack(folder, tmp_path / "out").split("test")
    assert test.labels.tolist() == [0, 1]


@pytest.mark.parametrize("nested", ["", "train"])
def test_val_is_cut_from_train_by_hash_where_there_is_none(tmp_path: Path, nested: str) -> None:
    folder = class_folders(tmp_path / "pets", nested, ["cat", "dog"], 20, seed=0)
    dataset = pack(folder, tmp_path / "out", val_fraction=0.2)
    assert dataset.counts == {"train": 32, "val": 8}
    assert dataset.facts["val_cut_from_train"]["fraction"] == 0.2
    ids = sorted(f"cat/{index:03d}.png" for index in range(20))
    expected = sorted(sorted(ids, key=lambda name: hashlib.sha256(name.encode()).digest())[:4])
    assert [name for name in dataset.split("val").image_ids if name.startswith("cat")] == expected
    assert not set(dataset.split("val").image_ids) & set(dataset.split("train").image_ids)


def test_a_symbolic_link_to_a_class_is_followed(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", "train", ["cat", "dog"], 3, seed=0)
    shutil.move(folder / "train" / "dog", tmp_path / "elsewhere")
    (folder / "train" / "dog").symlink_to(tmp_path / "elsewhere")
    assert pack(folder, tmp_path / "out").counts == {"train": 4, "val": 2}


@pytest.mark.parametrize("nested", ["", "train/"])
def test_a_folder_with_one_class(nested: str, shapes_folder: Path, tmp_path: Path) -> None:
    image_in(tmp_path / f"pets/{nested}cat/1.jpg", shapes_folder)
    assert "one class (cat); a classifier needs at least two" in refusal(tmp_path / "pets", tmp_path)


def test_class_folders_with_a_class_without_images(shapes_folder: Path, tmp_path: Path) -> None:
    image_in(tmp_path / "pets/cat/1.jpg", shapes_folder)
    (tmp_path / "pets" / "dog").mkdir()
    assert "pets: dog: this class has no images" in refusal(tmp_path / "pets", tmp_path)


def test_class_folders_with_a_val_class_that_train_does_not_know(shapes_folder: Path, tmp_path: Path) -> None:
    for name in ("train/cat/1.jpg", "train/dog/1.jpg", "val/dig/1.jpg"):
        image_in(tmp_path / "pets" / name, shapes_folder)
    assert "val/dig: this class is not in train; did you mean dog?" in refusal(tmp_path / "pets", tmp_path)


@pytest.mark.parametrize(
    ("folder", "meant"),
    [("valid", "val"), ("validation", "val"), ("Val", "val"), ("dev", "val"), ("testing", "test"), ("TEST", "test")],
)
def test_a_split_by_another_name_is_not_lost(folder: str, meant: str, shapes_folder: Path, tmp_path: Path) -> None:
    for name in ("train/cat/1.jpg", "train/cat/2.jpg", "train/dog/1.jpg", "train/dog/2.jpg", f"{folder}/cat/3.jpg"):
        image_in(tmp_path / "pets" / name, shapes_folder)
    message = refusal(tmp_path / "pets", tmp_path)
    assert f"pets: {folder}: looks like the {meant} split, which must be called {meant}; rename it" in message


@pytest.mark.parametrize(
    ("folders", "wrong"),
    [(("Train", "Val"), "Train"), (("training", "validation"), "training"), (("TRAIN", "test"), "TRAIN")],
)
def test_splits_are_not_taken_for_classes(
    folders: tuple[str, ...], wrong: str, shapes_folder: Path, tmp_path: Path
) -> None:
    for folder in folders:
        for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg"):
            image_in(tmp_path / "pets" / folder / name, shapes_folder)
    assert f"pets: {wrong}: looks like the train split, which must be called train; rename it" in refusal(
        tmp_path / "pets", tmp_path
    )


def test_more_folders_beside_all_splits_are_left_out(shapes_folder: Path, tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", "train", ["cat", "dog"], 3, seed=0)
    class_folders(folder, "val", ["cat", "dog"], 1, seed=1)
    for name in ("dev/readme.png", "valid/cat/1.png"):
        image_in(folder / name, shapes_folder)
    dataset = pack(folder, tmp_path / "out")
    assert dataset.counts == {"train": 6, "val": 2}
    assert dataset.facts["notes"] == [
        "left out, as in no class folder of train, val or test: 2 of the files, first dev/readme.png"
    ]


def test_a_class_too_small_to_cut_val_from(shapes_folder: Path, tmp_path: Path) -> None:
    for name in ("cat/1.jpg", "dog/1.jpg"):
        image_in(tmp_path / "pets" / name, shapes_folder)
    assert "leaves the class cat without training images" in refusal(tmp_path / "pets", tmp_path)
