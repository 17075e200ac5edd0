"""The truth: read, checked, divided."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.challenge.world import IMAGES, TRUTH, truth
from thumbnet.challenge import labels
from thumbnet.challenge.labels import Labels
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.state import Challenge, set_up
from thumbnet.challenge.telling import check_names
from thumbnet.challenge.web import make_app
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
        "file,label\na.png,x\nb c.png,y\n",
        '"image_id","class_id"\na.png,x\nb c.png,y\n',
        "name\twnid\na.png\tx\nb c.png\ty\n",
        "image label\na.png x\nb c.png y\n",
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
        ("Bild,Klasse\na.png,x\nb.png,y\n", "line 1: 'Bild,Klasse' looks like a header"),
        ("a,z\n", "class 'z' of image 'a' is not among the classes"),
        ("a\0,x\n", "image 'a\\x00' does not fit the submission format"),
    ],
)
def test_bad_labels_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path, classes = tmp_path / "test.csv", tmp_path / "wnids.txt"
    path.write_text(text)
    classes.write_text("x\ny\n")
    with pytest.raises(ChallengeError, match=re.escape(message)):
        labels.read(path, classes)


def test_a_file_of_labels_is_named_once(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_bytes(b"a.png,\xff\n")
    with pytest.raises(ChallengeError) as refused:
        labels.read(path)
    assert str(refused.value) == f"{path}: not UTF-8 text; save it as UTF-8"


@pytest.mark.parametrize(
    ("image", "name", "known"),
    [
        ("a.png", "golden retriever", None),
        ("a.png", "x", ["golden retriever", "x"]),
        ("a.png", "", None),
        ("a.png ", "x", None),
        ("\ta.png", "x", None),
        ("a\nb.png", "x", None),
        ("", "x", None),
    ],
)
def test_names_that_no_submission_can_state_are_refused(image: str, name: str, known: list[str] | None) -> None:
    with pytest.raises(ChallengeError, match="does not fit the submission format; rename what") as refused:
        labels.make(["b c.png", image], ["x", name], known)
    assert "\n" not in str(refused.value)


def test_a_split_gives_its_labels_and_all_classes(shapes: PackedDataset) -> None:
    found = labels.from_split(shapes, "val")
    split = shapes.split("val")
    assert found.images == tuple(sorted(split.image_ids))
    assert found.classes == tuple(item.id for item in shapes.classes)
    stated = dict(zip(split.image_ids, (found.classes[label] for label in split.labels), strict=True))
    assert found.by_image() == stated
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


def test_the_order_of_the_file_is_lost(tmp_path: Path) -> None:
    lines = [f"{image} {name}" for image, name in zip(IMAGES, TRUTH, strict=True)]
    shuffled = [lines[place] for place in np.random.default_rng(1).permutation(len(lines))]
    told = []
    for number, order in enumerate((lines, shuffled, sorted(lines, key=lambda line: line.split()[1]))):
        folder = tmp_path / str(number)
        world = Challenge.open(Settings(folder=folder))
        set_up(world, labels.parse("\n".join(order)))
        with TestClient(make_app(world)) as client:
            told.append(client.get("/api/format").content)
        world.close()
    assert told[0] == told[1] == told[2]
    assert json.loads(told[0])["images"] == sorted(IMAGES)
    unsorted = truth().encode().replace(b'"test_0.JPEG","test_1.JPEG"', b'"test_1.JPEG","test_0.JPEG"')
    with pytest.raises(ChallengeError, match="are not sorted"):
        Labels.decode(unsorted, 1)


@pytest.mark.parametrize("width", [1, 5])
def test_names_that_tell_the_classes_are_refused(width: int) -> None:
    """In the order of the classes, with numbers of one width or as long as they are."""
    images = [f"{number:0{width}d}.png" for number in range(400)]
    with pytest.raises(ChallengeError, match="the names tell the classes"):
        check_names(labels.make(images, [f"c{number // 40}" for number in range(400)]))
    # A tenth of the neighbours is enough, and so is a class in the name.
    drawn = np.random.default_rng(0).integers(0, 200, 400)
    drawn[1:80:2] = drawn[0:80:2]
    with pytest.raises(ChallengeError, match="the names tell the classes"):
        check_names(labels.make(images, [f"c{label:03d}" for label in drawn]))
    for form in ("{name}/{image}", "{image}-{name}.png"):
        named = [form.format(name=TRUTH[place].upper(), image=image) for place, image in enumerate(IMAGES)]
        with pytest.raises(ChallengeError, match=r"holds its class 'n01'; give the images neutral names"):
            check_names(labels.make(named, TRUTH))


@given(seed=st.integers(0, 2**40), classes=st.integers(2, 100), images=st.integers(1, 300))
def test_names_in_a_random_order_pass(seed: int, classes: int, images: int) -> None:
    drawn = np.random.default_rng(seed).integers(0, classes, images)
    # Ids that stand in names by chance, as '7' does in '17.png'.
    check_names(labels.make([f"{number}.png" for number in range(images)], [str(label) for label in drawn]))


def test_names_are_taken_as_they_are_where_that_is_wanted(tmp_path: Path) -> None:
    telling = labels.make([f"{name}/{image}" for name, image in zip(TRUTH, IMAGES, strict=True)], TRUTH)
    refused = Challenge.open(Settings(folder=tmp_path))
    with pytest.raises(ChallengeError, match="accept_names = true"):
        set_up(refused, telling)
    assert not refused.is_set_up()
    set_up(Challenge(replace(refused.settings, accept_names=True), refused.database), telling)
    assert refused.is_set_up()
    refused.close()


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
    assert (after.images, after.number) == (before.images, 1)
    assert after.by_image() == before.by_image() | {IMAGES[-1]: "n01"}
    np.testing.assert_array_equal(after.private, before.private)
    with pytest.raises(ChallengeError, match="stands in only one"):
        before.corrected(labels.make(IMAGES[1:], TRUTH[1:]))
    with pytest.raises(ChallengeError, match="class 'n09'"):
        before.corrected(labels.make(IMAGES, ("n09", *TRUTH[1:])))
