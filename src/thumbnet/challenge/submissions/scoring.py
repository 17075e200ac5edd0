"""From a submission's bytes to its score, in milliseconds."""

import hashlib
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thumbnet.challenge.labels import Labels
from thumbnet.challenge.refusals import RefusalError
from thumbnet.errors import PredictionError
from thumbnet.metrics import accuracy_interval
from thumbnet.submission import read_and_validate

_LINE = re.compile(r"submission, line (\d+)")

Answers = NDArray[np.int64]
"""The class that a submission states for each image, i64[N], in the order of the challenge's images."""


@dataclass(frozen=True)
class Accuracy:
    """Top-1 on some images.

    Args:
        correct: images whose class is right.
        images: all of them.
    """

    correct: int
    images: int

    @property
    def top1(self) -> float | None:
        """The fraction of right images, in [0, 1]; `None` where there is no such number, which never ranks."""
        return self.correct / self.images if 0 <= self.correct <= self.images and self.images else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95% Wilson interval of `top1`."""
        return None if self.top1 is None else accuracy_interval(self.correct, self.images)


@dataclass(frozen=True, eq=False)
class Score:
    """How right a submission is.

    Args:
        public: on the images that the board scores before the end.
        private: on the others; of no image where all are public.
        right: bool [N], whether each image is right.
    """

    public: Accuracy
    private: Accuracy
    right: NDArray[np.bool_]

    def packed(self) -> bytes:
        """Return `right` as bits."""
        return np.packbits(self.right).tobytes()


def read_answers(content: bytes, labels: Labels, max_bytes: int | None = None) -> Answers:
    """Return the class that a submission states for each image.

    Args:
        content: the file.
        labels: whose images and classes it has to name.
        max_bytes: the most that it may have; `None` for a file that was taken already.

    Raises:
        RefusalError: it is not valid; the message and `line` say where and why.
    """
    limit = len(content) if max_bytes is None else max_bytes
    try:
        stated = read_and_validate(content, labels.images, labels.classes, max_bytes=limit)
    except PredictionError as error:
        found = _LINE.match(str(error))
        line = int(found[1]) if found else None
        raise RefusalError(str(error), code="invalid_submission", status=422, line=line) from error
    return np.fromiter(map(labels.positions.__getitem__, stated.values()), dtype=np.int64, count=len(stated))


def score(answers: Answers, labels: Labels) -> Score:
    """Return how right `answers` are."""
    right = answers == labels.labels
    private = int(np.count_nonzero(right & labels.private))
    public = int(np.count_nonzero(right)) - private
    return Score(Accuracy(public, labels.public_images), Accuracy(private, labels.private_images), right)


def unpacked(content: bytes, images: int) -> NDArray[np.bool_]:
    """Return what `Score.packed` made, as bool [`images`]."""
    return np.unpackbits(np.frombuffer(content, np.uint8), count=images).astype(np.bool_)


def answers_digest(answers: Answers) -> str:
    """Return a SHA-256 that two files share if they state the same."""
    return hashlib.sha256(np.ascontiguousarray(answers, dtype="<i4").tobytes()).hexdigest()
