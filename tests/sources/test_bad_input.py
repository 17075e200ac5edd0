"""Each bad source gets one clear line, and nothing is left behind."""

import os
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.shapes import class_ids, make_tiny_imagenet, zip_folder
from tests.sources.helpers import image_in, refusal
from thumbnet.errors import DataError, StorageError, ThumbnetError
from thumbnet.sources import pack

ONE = class_ids(4)[0]


@pytest.fixture
def folder(shapes_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(shapes_folder, tmp_path / "shapes")


def test_no_such_file(tmp_path: Path) -> None:
    assert "nowhere.zip: no such file or folder; give" in refusal(tmp_path / "nowhere.zip", tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b\x08" + bytes(90), b"PK", b"PK\x03\x04" + bytes(600)])
def test_not_an_archive(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(content)
    message = refusal(path, tmp_path)
    assert "data.zip: " in message
    assert any(text in message for text in ("not a zip archive", "cut off or damaged; get it", "is empty; get"))


def test_a_device_is_not_an_archive(tmp_path: Path) -> None:
    assert "/dev/null: neither a file nor a folder" in refusal(Path("/dev/null"), tmp_path)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.99, 0.9999])
def test_an_archive_that_is_cut_off(share: float, shapes_zip: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.zip"
    data = shapes_zip.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert "cut.zip: the archive is cut off or damaged; get it again" in refusal(path, tmp_path)


def test_a_flipped_byte_in_a_member_is_named(shapes_zip: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shapes_zip) as archive:
        member = next(info for info in archive.infolist() if info.filename.endswith("val_3.JPEG"))
    path = tmp_path / "flipped.zip"
    for within in (0, 10, 26, 80, 300, 30 + len(member.filename) + member.compress_size - 1):
        data = bytearray(shapes_zip.read_bytes())
        data[member.header_offset + within] ^= 0xFF
        path.write_bytes(data)
        if within == 10:
            # A part of the local header that nobody reads: the time stamp.
            assert pack(path, tmp_path / "harmless").counts["val"] == 16
            continue
        message = refusal(path, tmp_path)
        assert "flipped.zip: shapes/val/images/val_3.JPEG: this member of the archive is damaged" in message


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ({0: b"PX"}, "the archive is cut off or damaged; get it again"),
        ({6: b"\xff"}, "the archive is cut off or damaged; get it again"),
        ({9: b"\x08", 46: b"\xff"}, "the archive is cut off or damaged; get it again"),
        ({20: b"\xff\xff\xff\xfe"}, "this member of the archive is damaged; get the archive again"),
        ({42: b"\xff\xff\xff\xfe"}, "this member of the archive is damaged; get the archive again"),
        ({-6: b"\xff\xff\xff\xff"}, "this member of the archive is damaged; get the archive again"),
        ({-10: b"\xff\xff\xff\xff"}, "the archive is cut off or damaged; get it again"),
    ],
    ids=["entry", "version", "name", "size", "place", "all places", "length"],
)
def test_a_damaged_directory_of_an_archive(
    damage: dict[int, bytes], expected: str, shapes_zip: Path, tmp_path: Path
) -> None:
    """Negative offsets of bytes count from the end of the file, others from the directory's first entry."""
    data = bytearray(shapes_zip.read_bytes())
    with zipfile.ZipFile(shapes_zip) as archive:
        start = archive.start_dir
    for offset, replacement in damage.items():
        at = start + offset if offset >= 0 else len(data) + offset
        data[at : at + len(replacement)] = replacement
    path = tmp_path / "damaged.zip"
    path.write_bytes(data)
    message = refusal(path, tmp_path)
    assert "damaged.zip: " in message
    assert expected in message


def test_random_damage_to_an_archive_is_an_error_or_harmless(tmp_path: Path) -> None:
    small = make_tiny_imagenet(tmp_path / "small", classes=2, train=2, val=1, test=1, size=16)
    data = zip_folder(small, tmp_path / "small.zip").read_bytes()
    expected = pack(small, tmp_path / "expected", size=16).fingerprint
    source = random.Random(0)
    for attempt in range(150):
        damaged = bytearray(data)
        # Half of the damage to the central directory, at the end.
        start = 0 if attempt % 2 else len(data) * 3 // 4
        damaged[source.randrange(start, len(data))] ^= 1 << source.randrange(8)
        path = tmp_path / "damaged.zip"
        path.write_bytes(damaged)
        out = tmp_path / "out"
        try:
            # Damage to a name may hide one test image, whose absence nothing can show; the rest must be as it was.
            dataset = pack(path, out, size=16)
            assert dataset.fingerprint == expected or dataset.counts.get("test", 0) < 2
        except ThumbnetError:
            assert not out.exists()
        shutil.rmtree(out, ignore_errors=True)


def test_an_encrypted_or_oddly_compressed_member(tmp_path: Path) -> None:
    small = make_tiny_imagenet(tmp_path / "small", classes=2, train=2, val=1, test=1, size=16)
    path = zip_folder(small, tmp_path / "small.zip")
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        encrypted = archive.start_dir + 8
    locked = tmp_path / "locked.zip"
    locked.write_bytes(data[:encrypted] + b"\x01" + data[encrypted + 1 :])
    assert "encrypted; make an archive without a password" in refusal(locked, tmp_path)
    with zipfile.ZipFile(tmp_path / "lzma.zip", "w", zipfile.ZIP_LZMA) as archive:
        for file in small.rglob("*.*"):
            archive.write(file, file.relative_to(small))
    assert "compression method 14 is not read; use deflate" in refusal(tmp_path / "lzma.zip", tmp_path)


def test_two_members_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/1.png", b"")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a/1.png", b"")
    assert "two members are named a/1.png" in refusal(path, tmp_path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("<html>404</html>")


@pytest.mark.parametrize(("spoil", "reason"), [(cut, "damaged"), (empty, "the file is empty"), (text, "not an image")])
@pytest.mark.parametrize(
    "name", [f"train/{ONE}/images/{ONE}_3.JPEG", "val/images/val_5.JPEG", "test/images/test_0.JPEG"]
)
def test_a_bad_image_is_named(
    name: str, spoil: Callable[[Path], None], reason: str, folder: Path, tmp_path: Path
) -> None:
    spoil(folder / name)
    for source in (folder, zip_folder(folder, tmp_path / "shapes.zip")):
        message = refusal(source, tmp_path)
        assert f"{source}: " in message
        assert name in message
        assert reason in message
        assert "replace or remove this file" in message


def test_of_many_bad_images_the_first_are_named(folder: Path, tmp_path: Path) -> None:
    for path in sorted((folder / "train" / ONE / "images").iterdir()):
        empty(path)
    text(folder / "test" / "images" / "test_0.JPEG")
    with pytest.raises(DataError) as caught:
        pack(folder, tmp_path / "out")
    assert str(caught.value) == "shapes: 13 of 80 files cannot be packed; mend, replace or remove them"
    *named, more = caught.value.__notes__
    assert len(named) == 10
    for line in named:
        assert line.startswith(f"{folder}: train/{ONE}/images/{ONE}_")
        assert line.endswith(".JPEG: the file is empty; replace or remove this file")
    assert more == "and 3 more"
    assert not (tmp_path / "out").exists()


def test_bad_members_of_an_archive_are_named_with_the_rest(folder: Path, tmp_path: Path) -> None:
    text(folder / "test" / "images" / "test_1.JPEG")
    path = zip_folder(folder, tmp_path / "shapes.zip")
    with zipfile.ZipFile(path) as archive:
        member = next(info for info in archive.infolist() if info.filename.endswith("val_3.JPEG"))
    data = bytearray(path.read_bytes())
    data[member.header_offset + 200] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match="2 of 80 files cannot be packed") as caught:
        pack(path, tmp_path / "out")
    damaged, other = caught.value.__notes__
    assert "val_3.JPEG: this member of the archive is damaged" in damaged
    assert "test_1.JPEG: not an image; replace or remove this file" in other


def annotation(folder: Path) -> Path:
    return folder / "val" / "val_annotations.txt"


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new, 1))


def remove_images(folder: Path) -> None:
    shutil.rmtree(folder / "train" / ONE / "images")


def duplicate_annotation(folder: Path) -> None:
    lines = annotation(folder).read_text().splitlines()
    annotation(folder).write_text("\n".join([*lines, lines[2]]))


def drop_annotation(folder: Path) -> None:
    annotation(folder).write_text("\n".join(annotation(folder).read_text().splitlines()[:-2]))


SPOILS: list[tuple[Callable[[Path], object], str]] = [
    (remove_images, f"train/{ONE}/images: the class {ONE} has no images"),
    (lambda folder: edit(annotation(folder), "val_7.", "val_700."), "line 8: names the image 'val_700.JPEG'"),
    (lambda folder: edit(annotation(folder), "\tn1", "\tx1"), "line 1: names the class 'x1"),
    (drop_annotation, "val_14.JPEG (and 1 more): no line in val_annotations.txt"),
    (duplicate_annotation, "line 17: val_2.JPEG is annotated twice"),
    (lambda folder: annotation(folder).write_bytes(bytes([255, 254]) * 50), "val_annotations.txt: not text"),
    (lambda folder: annotation(folder).write_bytes(b"a\0b"), "val_annotations.txt: not text"),
    (lambda folder: annotation(folder).write_text("val_0.JPEG"), "line 1: names the class ''"),
    (lambda folder: edit(annotation(folder), "\n", "\t5\n"), "line 1: needs four whole numbers"),
    (lambda folder: annotation(folder).unlink(), "val/val_annotations.txt is missing"),
    (lambda folder: annotation(folder).write_text(""), "no line in val_annotations.txt"),
    (lambda folder: (folder / "wnids.txt").unlink(), "wnids.txt is missing: it lists the classes"),
    (lambda folder: (folder / "wnids.txt").write_text(""), "no classes; a classifier needs at least two"),
    (lambda folder: (folder / "wnids.txt").write_text(ONE), f"one class ({ONE})"),
    (lambda folder: (folder / "wnids.txt").write_text(f"{ONE}\n{ONE}\n"), f"lists {ONE} 2 times"),
    (lambda folder: edit(folder / "wnids.txt", ONE, "n999"), f"train/{ONE}: this class is not in wnids.txt"),
    (lambda folder: edit(folder / "train" / ONE / f"{ONE}_boxes.txt", "_0.", "_x."), f"line 1: names '{ONE}_x.JPEG'"),
    (lambda folder: (folder / "words.txt").write_bytes(b"\xff"), "words.txt: not text"),
]


@pytest.mark.parametrize(("spoil", "expected"), SPOILS, ids=[expected[:40] for _, expected in SPOILS])
def test_a_spoilt_tiny_imagenet(spoil: Callable[[Path], object], expected: str, folder: Path, tmp_path: Path) -> None:
    spoil(folder)
    assert expected in refusal(folder, tmp_path)
    assert expected in refusal(zip_folder(folder, tmp_path / "shapes.zip"), tmp_path)


def test_missing_words_are_a_note_and_no_error(folder: Path, tmp_path: Path) -> None:
    (folder / "words.txt").unlink()
    dataset = pack(folder, tmp_path / "out")
    assert dataset.classes[0].name == ONE
    assert "words.txt is missing: classes are called by their ids" in dataset.facts["notes"]


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty: no images; give" in refusal(tmp_path / "empty", tmp_path)


def test_symbolic_links_in_a_circle_and_to_nowhere(shapes_folder: Path, tmp_path: Path) -> None:
    image_in(tmp_path / "pets/cat/1.jpg", shapes_folder)
    link = tmp_path / "pets" / "cat" / "link"
    for target, expected in (
        (tmp_path / "pets", "leads back"),
        (link, "leads nowhere"),
        (Path("no"), "leads nowhere"),
    ):
        link.symlink_to(target)
        message = refusal(tmp_path / "pets", tmp_path)
        link.unlink()
        assert expected in message
        assert "remove the link" in message


def test_a_name_that_is_not_utf_8(shapes_folder: Path, tmp_path: Path) -> None:
    image_in(tmp_path / "pets/cat/1.jpg", shapes_folder)
    Path(os.fsdecode(os.fsencode(tmp_path / "pets" / "cat") + b"/\xff.jpg")).write_bytes(b"")
    assert "not valid UTF-8; rename the file" in refusal(tmp_path / "pets", tmp_path)


def test_a_name_with_a_line_break_still_gives_one_line(shapes_folder: Path, tmp_path: Path) -> None:
    for name in ("cat/1.jpg", "dog/1.jpg"):
        image_in(tmp_path / "pets" / name, shapes_folder)
    (tmp_path / "pets" / "cat" / "two\nlines.jpg").write_bytes(b"")
    image_in(tmp_path / "pets/dog/2.jpg", shapes_folder)
    assert "lines.jpg" in refusal(tmp_path / "pets", tmp_path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"size": 2}, "size is 2"), ({"val_fraction": 1.0}, "val_fraction is 1.0"), ({"threads": -1}, "threads is -1")],
)
def test_options_out_of_range(options: dict[str, Any], expected: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=expected):
        pack("digits", tmp_path / "out", **options)


def test_too_little_space_is_said_before_packing(
    shapes_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 90, 10))
    assert "the disk has 0.0 GB free; free some space" in refusal(shapes_zip, tmp_path, StorageError)
