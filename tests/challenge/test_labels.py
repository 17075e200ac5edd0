"""The truth: read, checked, divided."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.challenge.world import IMAGES, TRUTH, truth
from thumbnet.challenge import labels
from thumbnet.challenge.labels import Labels
from thumbnet.errors import ChallengeError
from thumbnet.packed import PackedDataset


@pytest.mark.parametrize(
    "text",
    [
        "image,class\na.png,x\nb c.png,y\n",
        "a.png,x\r\nb c.png,y\r\n",
        "a.png x\nb c.png y",
        "a.png\tx\t0\t0\t62\t57\nb c.png\ty\t1\t2\t3\t4\n",
        '"a.png","x"\n\n"b c.png","y"\n\n',
        "Filename,Label\na.png, x\nb c.png, y\n",
    ],
)
def test_labels_are_read_from_what_people_have(text: str, tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert labels.read(path).by_image() == {"a.png": "x", "b c.png": "y"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there are no images"),
        ("image,class\n", "there are no images"),
        ("a,x\na,y\n", "image 'a' is given 2 times"),
        ("a,x\nb\n", "line 2: 'b' is not an image and its class"),
        ("a,x,y\n", "line 1: 'a,x,y' is not an image"),
        ("a,z\n", "class 'z' of image 'a' is not among the classes"),
    ],
)
def test_bad_labels_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path, classes = tmp_path / "test.csv", tmp_path / "wnids.txt"
    path.write_text(text)
    classes.write_text("x\ny\n")
    with pytest.raises(ChallengeError, match=re.escape(message)):
        labels.read(path, classes)


def test_a_split_gives_its_labels_and_all_classes(shapes: PackedDataset) -> None:
    found = labels.from_split(shapes, "val")
    split = shapes.split("val")
    assert found.images == split.image_ids
    assert found.classes == tuple(item.id for item in shapes.classes)
    np.testing.assert_array_equal(found.labels, split.labels)
    with pytest.raises(ChallengeError, match="without a label"):
        labels.from_split(shapes, "test")


@given(fraction=st.floats(0.2, 0.8), seed=st.integers(0, 2**40), size=st.integers(5, 30))
def test_the_division_is_stratified_and_follows_from_the_seed(fraction: float, seed: int, size: int) -> None:
    whole = labels.make([str(number) for number in range(4 * size)], [f"c{number % 4}" for number in range(4 * size)])
    divided = whole.divided(fraction, seed)
    for label in range(4):
        public = np.count_nonzero(~divided.private[whole.labels == label])
        assert abs(public - fraction * size) < 1
    np.testing.assert_array_equal(divided.private, whole.divided(fraction, seed).private)
    assert (divided.private != whole.divided(fraction, seed + 1).private).any() or size < 8


def test_the_share_of_public_images_is_exact_on_average() -> None:
    one_each = labels.make([str(number) for number in range(200)], [f"c{number:03d}" for number in range(200)])
    shares = [float((~one_each.divided(0.3, seed).private).mean()) for seed in range(40)]
    assert np.mean(shares) == pytest.approx(0.3, abs=0.02)


def test_all_images_are_public_by_default_and_no_part_is_empty() -> None:
    assert not truth().divided(1.0, 0).private.any()
    with pytest.raises(ChallengeError, match="leaves a part of the images empty"):
        labels.make(["a"], ["x"]).divided(0.5, 1)


def test_labels_survive_their_encoding() -> None:
    before = truth().divided(0.5, 1)
    after = Labels.decode(before.encode(), 7)
    assert after.by_image() == dict(zip(IMAGES, TRUTH, strict=True))
    assert after.number == 7
    assert after.digest() == before.digest()
    np.testing.assert_array_equal(after.private, before.private)


def test_corrected_labels_keep_images_classes_and_division() -> None:
    before = truth().divided(0.5, 1)
    shuffled = labels.make(IMAGES[::-1], ("n01", *TRUTH[::-1][1:]), ("n01", "n02", "n03", "n04"))
    after = before.corrected(shuffled)
    assert (after.images, after.number) == (before.images, 2)
    assert after.by_image() == before.by_image() | {IMAGES[-1]: "n01"}
    np.testing.assert_array_equal(after.private, before.private)
    with pytest.raises(ChallengeError, match="stands in only one"):
        before.corrected(labels.make(IMAGES[1:], TRUTH[1:]))
    with pytest.raises(ChallengeError, match="class 'n09'"):
        before.corrected(labels.make(IMAGES, ("n09", *TRUTH[1:])))
