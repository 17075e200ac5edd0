"""The official submission format: one line an image, `test_0.JPEG n02124075` (image file name, space, class id).

`read_and_validate` is the one validator, for the client before it sends and for the server that receives.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from thumbnet import metrics
from thumbnet.errors import PredictionError
from thumbnet.files import atomic_file
from thumbnet.predictions import Predictions

MAX_BYTES = 4 * 2**20
"""Default limit of a submission's size: fifteen times that of the 10,000 test images of Tiny ImageNet."""

_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_LINE_END = re.compile(r"\r\n|\r|\n")
_BLANKS = " \t"
_NO_TEXT = re.compile(r"[\r\n\0\ufeff\ud800-\udfff]")
_FORM = "write the image's file name, a space and the class id, such as 'test_0.JPEG n02124075'"
_SHOWN = 60


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write the class that `predictions` name for each image to `path` (see `write`).

    Raises:
        PredictionError: a logit is not finite, or a name that the format cannot hold.
        StorageError: the place cannot be written or the disk is full.
    """
    metrics.check_logits(predictions.logits)
    class_ids = [predictions.classes[index] for index in predictions.predicted()]
    write(path, predictions.image_ids, class_ids, known=predictions.classes)


def write(
    path: Path, image_ids: Sequence[str], class_ids: Sequence[str], *, known: Sequence[str] | None = None
) -> None:
    """Write a submission to `path`, atomically: line i says that image `image_ids[i]` is of class `class_ids[i]`.

    What is written has passed `read_and_validate`, and states what was given.

    Args:
        path: the file.
        image_ids: the file names of the images.
        class_ids: the class of each.
        known: all class ids; `None` takes those of `class_ids`.

    Raises:
        PredictionError: other counts of images than of classes, an image given twice, or a name that the format
            cannot hold (a blank at an end of it or within a class id, a line break).
        StorageError: the place cannot be written or the disk is full.
    """
    if len(image_ids) != len(class_ids):
        raise PredictionError(
            f"{path}: {len(image_ids)} images but {len(class_ids)} classes; give one class an image, in the same order"
        )
    if len(set(image_ids)) != len(image_ids):
        raise PredictionError(f"{path}: an image is given twice; give each image once")
    if not image_ids:
        raise PredictionError(f"{path}: there are no images; a submission needs at least one")
    for image, label in zip(image_ids, class_ids, strict=True):
        if not fits(image, label):
            raise PredictionError(
                f"{path}: image {_shown(image)} with class {_shown(label)} does not fit the submission format; "
                "rename what is empty or has a blank, a line break or a character that is not text"
            )
    lines = (f"{image} {label}\n" for image, label in zip(image_ids, class_ids, strict=True))
    content = "".join(lines).encode("utf-8")
    stated = read_and_validate(content, image_ids, known or class_ids, max_bytes=len(content))
    assert list(stated.values()) == list(class_ids)
    with atomic_file(path) as handle:
        handle.write(content)


def check_classes(path: Path, class_ids: Sequence[str]) -> None:
    """Check that a submission to `path` can name any of these classes, before anything is judged.

    Raises:
        PredictionError: one does not fit the format.
    """
    for label in class_ids:
        if not fits("image", label):
            raise PredictionError(
                f"{path}: class {_shown(label)} does not fit the submission format (no blank, no line break); "
                "rename it and pack again, or give FILE.npz"
            )


def fits(image: str, label: str) -> bool:
    """Return whether a submission can state that `image` is of the class `label`.

    It cannot where one of them is empty, has a blank at an end or a line break, or is not text, or where the class id
    has a blank within.
    """
    line = f"{image} {label}"
    return bool(image and label) and _fields(line) == (image, label) and not _NO_TEXT.search(line)


def read_and_validate(
    data: bytes, image_ids: Sequence[str], class_ids: Sequence[str], *, max_bytes: int = MAX_BYTES
) -> Mapping[str, str]:
    """Return the class id of each image that a submission states, in the order of `image_ids`.

    Accepted: UTF-8 with or without a byte-order mark; LF, CRLF or CR; tabs or several spaces between the fields;
    blank lines at the end; images in any order.

    Args:
        data: the submission's bytes, as received.
        image_ids: the file names of all images that need a line.
        class_ids: the known class ids.
        max_bytes: size limit, in bytes.

    Raises:
        PredictionError: anything else, with the number of the line (the first is 1) and what to do.
    """
    lines = _lines(data, max_bytes)
    images, classes = frozenset(image_ids), frozenset(class_ids)
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        # The usual form; a server reads ten thousand such lines in a few milliseconds.
        image, _, label = line.rpartition(" ")
        if image not in images or label not in classes:
            image, label = _parse(line, number, images, classes)
        if image in found:
            # Each line before gave one image, in this order.
            before = list(found).index(image) + 1
            raise PredictionError(
                f"submission, line {number}: image {_shown(image)} stands on line {before} already; "
                "remove one of the two"
            )
        found[image] = label
    missing = [image for image in image_ids if image not in found]
    if missing:
        raise PredictionError(
            f"submission: {len(lines)} lines where {len(images)} are needed; after line {len(lines)}, add a line for "
            f"each of the {len(missing)} missing images, the first of which is {_shown(missing[0])}"
        )
    return {image: found[image] for image in image_ids}


def _lines(data: bytes, max_bytes: int) -> list[str]:
    """Return the lines of `data`, without blank ones at the end."""
    if len(data) > max_bytes:
        raise PredictionError(
            f"submission: {len(data):,} bytes, more than the limit of {max_bytes:,}; send one short line an image"
        )
    for mark, encoding in _OTHER_BOMS.items():
        if data.startswith(mark):
            raise PredictionError(f"submission, line 1: the text is {encoding}; save it as UTF-8")
    body = data.removeprefix(_BOM)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PredictionError(
            f"submission, line {_line_number(body, error.start)}: not UTF-8 text; save it as UTF-8"
        ) from error
    nul = text.find("\0")
    if nul >= 0:
        number = len(_LINE_END.findall(text, 0, nul)) + 1
        raise PredictionError(f"submission, line {number}: a NUL byte; save it as plain UTF-8 text")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    while lines and not lines[-1].strip(_BLANKS):
        lines.pop()
    if not lines:
        raise PredictionError(f"submission: empty; {_FORM}, one line an image")
    return lines


def _parse(line: str, number: int, images: frozenset[str], classes: frozenset[str]) -> tuple[str, str]:
    image, label = _fields(line)
    if not image:
        what = _shown(label) if label else "a blank line"
        raise PredictionError(f"submission, line {number}: {what} is not an image and its class; {_FORM}")
    if image not in images:
        if any(blank in image for blank in _BLANKS):
            raise PredictionError(f"submission, line {number}: more than two fields; {_FORM}")
        raise PredictionError(
            f"submission, line {number}: image {_shown(image)} is unknown; use the file names of the test images"
        )
    if label not in classes:
        raise PredictionError(
            f"submission, line {number}: class {_shown(label)} is unknown; "
            f"use one of the {len(classes)} class ids, such as {_shown(min(classes, default=''))}"
        )
    return image, label


def _fields(line: str) -> tuple[str, str]:
    """Return image and class id of `line`; the image is empty where there is one field or none.

    A class id has no blank in it; the name of an image may, as file names of other data sets do.
    """
    text = line.strip(_BLANKS)
    cut = max(text.rfind(blank) for blank in _BLANKS) + 1
    return text[:cut].rstrip(_BLANKS), text[cut:]


def _line_number(body: bytes, place: int) -> int:
    return len(_LINE_END.findall(body[:place].decode("utf-8"))) + 1


def _shown(text: str) -> str:
    """Return `text` quoted, on one line, and cut to a length that a message can bear."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
