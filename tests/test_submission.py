"""The submission format: what is written is valid, and any other bytes get one line that names the place."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thumbnet import submission
from thumbnet.errors import PredictionError
from thumbnet.predictions import Predictions

IMAGES = ("test_0.JPEG", "test_1.JPEG", "test_2.JPEG")
CLASSES = ("n01443537", "n02124075")
GOOD = b"test_0.JPEG n02124075\ntest_1.JPEG n01443537\ntest_2.JPEG n02124075\n"
EXPECTED = dict(zip(IMAGES, ("n02124075", "n01443537", "n02124075"), strict=True))

NAMES = [name.encode() for name in (*IMAGES, *CLASSES, "é", "x")]
BYTES = [b" ", b"\t", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1c"]
PIECES = st.sampled_from(NAMES + BYTES)


def check_message(error: PredictionError) -> None:
    assert "\n" not in str(error)


def check(data: bytes) -> dict[str, str]:
    return dict(submission.read_and_validate(data, IMAGES, CLASSES))


def test_the_official_form_is_written(tmp_path: Path) -> None:
    path = tmp_path / "test.txt"
    submission.write(path, IMAGES, list(EXPECTED.values()))
    assert path.read_bytes() == GOOD
    assert check(GOOD) == EXPECTED


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b"\n", b"\r"),
        GOOD.replace(b" ", b"\t"),
        GOOD.replace(b" ", b" \t  "),
        GOOD.rstrip(b"\n"),
        GOOD + b"\n \n\t\r\n\n",
        b"  " + GOOD.replace(b"\n", b" \n"),
        b"\n".join(reversed(GOOD.splitlines())),
    ],
)
def test_harmless_variants_are_accepted(data: bytes) -> None:
    found = check(data)
    assert found == EXPECTED
    assert list(found) == list(IMAGES)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\n \n", "empty"),
        (GOOD.replace(b"test_1", b"test_9"), r"line 2: image 'test_9.JPEG' is unknown; use"),
        (GOOD.replace(b"n01443537", b"n9"), r"line 2: class 'n9' is unknown; use one of the 2 .* 'n01443537'"),
        (GOOD.replace(b"test_2", b"test_0"), r"line 3: image 'test_0.JPEG' stands on line 1 already; remove"),
        (GOOD + GOOD, "line 4: .* stands on line 1 already"),
        (GOOD[:44], "2 lines where 3 are needed; after line 2, add .* 1 missing images, .* 'test_2.JPEG'"),
        (GOOD.replace(b"\n", b"\n\n", 1), "line 2: a blank line is not an image and its class"),
        (b"\n" + GOOD, "line 1: a blank line"),
        (b"test_0.JPEG\n" + GOOD, "line 1: 'test_0.JPEG' is not an image and its class; write"),
        (GOOD.replace(b"n01443537", b"n01443537 0.9"), "line 2: more than two fields"),
        (GOOD.replace(b"test_1", b"test\0"), "line 2: a NUL byte"),
        (GOOD.decode().encode("utf-16"), "line 1: the text is UTF-16; save it as UTF-8"),
        (GOOD.decode().encode("utf-32"), "line 1: the text is UTF-32; save it as UTF-8"),
        (GOOD.decode().encode("utf-16-le"), "line 1: a NUL byte"),
        (GOOD.replace(b"test_2", b"t\xe9st_2"), "line 3: not UTF-8"),
        (GOOD.replace(b"\n", b"\r").replace(b"test_2", b"t\xe9st_2"), "line 3: not UTF-8"),
        (GOOD.replace(b"test_1", b"x" * 1000), r"line 2: image 'x{60}\.\.\.' is unknown"),
        (GOOD.replace(b" ", b"\xc2\xa0"), r"line 1: 'test_0.JPEG\\xa0n02124075' is not an image"),
    ],
)
def test_faults_are_named_with_their_line(data: bytes, message: str) -> None:
    with pytest.raises(PredictionError, match=message) as caught:
        check(data)
    assert "\n" not in str(caught.value)


def test_size_limit_is_inclusive() -> None:
    assert submission.read_and_validate(GOOD, IMAGES, CLASSES, max_bytes=len(GOOD)) == EXPECTED
    with pytest.raises(PredictionError, match="more than the limit of 65"):
        submission.read_and_validate(GOOD, IMAGES, CLASSES, max_bytes=len(GOOD) - 1)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("piece", [b" ", b"a ", b"\t ", b"x", b"\r", b"test_0.JPEG n02124075 "])
def test_hostile_input_takes_linear_time(piece: bytes) -> None:
    with pytest.raises(PredictionError):
        check((b"a" + piece * (submission.MAX_BYTES // len(piece)))[: submission.MAX_BYTES])


@given(st.binary(max_size=200) | st.lists(PIECES, max_size=25).map(b"".join))
def test_any_bytes_are_valid_or_a_prediction_error(data: bytes) -> None:
    try:
        found = check(data)
    except PredictionError as error:
        check_message(error)
        return
    assert list(found) == list(IMAGES)
    assert set(found.values()) <= set(CLASSES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=6))
def test_what_can_be_written_is_valid(tmp_path: Path, pairs: dict[str, str]) -> None:
    path = tmp_path / "test.txt"
    path.unlink(missing_ok=True)
    try:
        submission.write(path, list(pairs), list(pairs.values()))
    except PredictionError:
        assert not path.exists()
        return
    assert submission.read_and_validate(path.read_bytes(), list(pairs), list(pairs.values())) == pairs


def test_what_is_not_valid_is_never_moved_in_place(tmp_path: Path) -> None:
    path = tmp_path / "test.txt"
    submission.write(path, IMAGES, list(EXPECTED.values()))
    with pytest.raises(PredictionError, match="line 2: class 'n0' is unknown"):
        submission.write(path, IMAGES, ["n02124075", "n0", "n02124075"], known=CLASSES)
    assert path.read_bytes() == GOOD
    assert [file.name for file in tmp_path.iterdir()] == ["test.txt"]


def test_predictions_state_their_likeliest_class(tmp_path: Path) -> None:
    logits = np.array([[0, 1], [1, 0], [2, 3]], np.float32)
    made = Predictions("test", IMAGES, logits, np.full(3, -1), CLASSES, {})
    submission.write_predictions(tmp_path / "test.txt", made)
    assert check((tmp_path / "test.txt").read_bytes()) == EXPECTED


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_a_diverged_network_says_is_not_written(tmp_path: Path, value: float) -> None:
    logits = np.array([[0, 1], [1, value], [2, 3]], np.float32)
    made = Predictions("test", IMAGES, logits, np.full(3, -1), CLASSES, {})
    with pytest.raises(PredictionError, match="a value of image 1 is not finite; the network diverged"):
        submission.write_predictions(tmp_path / "test.txt", made)
    assert list(tmp_path.iterdir()) == []


def test_names_with_inner_blanks_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "test.txt"
    submission.write(path, ["my cat.png", "ÿ.png"], ["cat", "chät"])
    assert submission.read_and_validate(path.read_bytes(), ["my cat.png", "ÿ.png"], ["cat", "chät"]) == {
        "my cat.png": "cat",
        "ÿ.png": "chät",
    }


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (["a", "b"], ["x"], "2 images but 1 classes"),
        (["a", "a"], ["x", "x"], "given twice"),
        ([], [], "no images"),
        (["a"], ["tree frog"], "does not fit"),
        (["a\nb"], ["x"], "does not fit"),
        ([" a"], ["x"], "does not fit"),
        (["a"], [""], "does not fit"),
        (["\ud800"], ["x"], "does not fit"),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(
    tmp_path: Path, images: list[str], labels: list[str], message: str
) -> None:
    with pytest.raises(PredictionError, match=message):
        submission.write(tmp_path / "test.txt", images, labels)
    assert list(tmp_path.iterdir()) == []
