"""Class folders: their splits, what is left out, and what is refused."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.shapes import draw, zip_folder
from tests.sources.helpers import image_in, refusal
from thumbnet.sources import pack
from thumbnet.sources.listing import IMAGE_SUFFIXES


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


def test_classes_in_train_may_be_called_like_splits(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "tickets", "train", ["valid", "testing"], 3, seed=0)
    assert [item.name for item in pack(folder, tmp_path / "out").classes] == ["testing", "valid"]


@pytest.mark.parametrize(
    ("folder", "inner", "meant"),
    [("test", "", "test"), ("val", "cat/", "val"), ("Valid", "", "val"), ("testing", "dog/", "test")],
)
def test_a_split_without_train_is_not_taken_for_a_class(
    folder: str, inner: str, meant: str, shapes_folder: Path, tmp_path: Path
) -> None:
    for name in (
        "cat/1.jpg",
        "cat/2.jpg",
        "dog/1.jpg",
        "dog/2.jpg",
        f"{folder}/{inner}1.jpg",
        f"{folder}/{inner}2.jpg",
    ):
        image_in(tmp_path / "pets" / name, shapes_folder)
    message = refusal(tmp_path / "pets", tmp_path)
    assert f"pets: {folder}: named like the {meant} split, which needs train beside it; put the class" in message


def test_a_test_split_of_class_folders_is_labelled(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pets", "train", ["cat", "dog"], 3, seed=0)
    class_folders(folder, "test", ["cat", "dog"], 1, seed=1)
    test = pack(folder, tmp_path / "out").split("test")
    assert test.labels.tolist() == [0, 1]


def test_a_test_split_of_which_some_folders_are_classes_is_refused(tmp_path: Path, shapes_folder: Path) -> None:
    folder = class_folders(tmp_path / "pets", "train", ["cat", "dog"], 3, seed=0)
    for name in ("test/cat/1.jpg", "test/dig/1.jpg"):
        image_in(folder / name, shapes_folder)
    assert "pets: test/dig: this class is not in train; did you mean dog?" in refusal(folder, tmp_path)


def test_a_test_split_of_other_folders_is_said_to_have_no_labels(tmp_path: Path, shapes_folder: Path) -> None:
    folder = class_folders(tmp_path / "pets", "train", ["cat", "dog"], 3, seed=0)
    image_in(folder / "test/images/1.jpg", shapes_folder)
    dataset = pack(folder, tmp_path / "out")
    assert dataset.split("test").labels.tolist() == [-1]
    assert dataset.facts["notes"] == ["test has no labels: none of its folders is named like a class (first images)"]


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


def test_val_is_not_cut_from_a_class_of_one_image(shapes_folder: Path, tmp_path: Path) -> None:
    for name in ("cat/1.jpg", "dog/1.jpg"):
        image_in(tmp_path / "pets" / name, shapes_folder)
    assert "each class has a single image, so no val split can be cut; add" in refusal(tmp_path / "pets", tmp_path)
    image_in(tmp_path / "pets/dog/2.jpg", shapes_folder)
    for fraction in (0.1, 0.9):
        dataset = pack(tmp_path / "pets", tmp_path / f"out{fraction}", val_fraction=fraction)
        assert dataset.facts["images_per_class"] == {"train": {"cat": 1, "dog": 1}, "val": {"cat": 0, "dog": 1}}
        assert dataset.facts["notes"] == [
            "val has none of the classes with a single image, which train keeps: 1, first cat"
        ]


def test_images_of_every_usual_suffix_are_taken(shapes_folder: Path, tmp_path: Path) -> None:
    """The suffix says only that it is an image; what kind of image, the content says."""
    usual = [*sorted(IMAGE_SUFFIXES), ".JPG", ".Jpeg"]
    assert len(usual) == 16
    for number, suffix in enumerate(usual):
        for name in ("cat", "dog"):
            image_in(tmp_path / f"pets/{name}/{number}{suffix}", shapes_folder)
    dataset = pack(tmp_path / "pets", tmp_path / "out")
    assert (sum(dataset.counts.values()), dataset.facts["notes"]) == (2 * len(usual), [])


def test_a_folder_keeps_what_follows_the_last_dot_of_its_name(shapes_folder: Path, tmp_path: Path) -> None:
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg"):
        image_in(tmp_path / "photos.2023" / name, shapes_folder)
    assert pack(tmp_path / "photos.2023", tmp_path / "out").name == "photos.2023"
    archive = zip_folder(tmp_path / "photos.2023", tmp_path / "photos.2024.zip")
    assert pack(archive, tmp_path / "other").name == "photos.2024"


@pytest.mark.parametrize(("encoding", "in_ascii"), [("utf-8", "Groesse"), ("cp437", "Grxxe")])
def test_names_of_an_archive_that_lack_the_mark_of_utf_8(
    encoding: str, in_ascii: str, shapes_folder: Path, tmp_path: Path
) -> None:
    for name in (f"{in_ascii}/1.jpg", f"{in_ascii}/2.jpg", "Zahl/1.jpg", "Zahl/2.jpg"):
        image_in(tmp_path / "pets" / name, shapes_folder)
    archive = zip_folder(tmp_path / "pets", tmp_path / "pets.zip")
    # Of as many bytes, so that nothing else in the archive changes, the mark of ASCII names included.
    archive.write_bytes(archive.read_bytes().replace(in_ascii.encode(), "Größe".encode(encoding)))
    dataset = pack(archive, tmp_path / "out")
    assert [item.id for item in dataset.classes] == ["Größe", "Zahl"]
    said = "the archive does not say how its names are encoded: they are read as UTF-8, which they fit"
    assert dataset.facts["notes"] == ([said] if encoding == "utf-8" else [])


def test_a_class_name_with_a_blank_is_noted(shapes_folder: Path, tmp_path: Path) -> None:
    for name in ("polar bear/1.jpg", "polar bear/2.jpg", "dog/1.jpg", "dog/2.jpg"):
        image_in(tmp_path / "pets" / name, shapes_folder)
    (note,) = pack(tmp_path / "pets", tmp_path / "out").facts["notes"]
    assert note.startswith("1 of the class names have a blank, first 'polar bear': predictions can be written as .npz")
