"""The truth of a challenge: which class each image is of, and which images are private."""

import csv
import dataclasses
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from thumbnet import packed
from thumbnet.errors import ChallengeError
from thumbnet.files import storage_errors
from thumbnet.randomness import derive_seed
from thumbnet.submission import fits

_HEADER_WORD = re.compile(
    "images?|image_?id|image_name|name|ids?|file|file_?name|path|class|classes|class_?id|class_name|labels?|label_id"
    "|wnid|category|target|prediction"
)


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of all images of a challenge.

    Args:
        images: N file names, all different, sorted, so that their order tells nothing; everything else counts in it.
        classes: K class ids, all different, sorted.
        labels: int64 [N], positions in `classes`.
        private: bool [N], whether an image is scored at the end only.
        number: the version of the labels; corrected labels have the next.
    """

    images: tuple[str, ...]
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    private: NDArray[np.bool_]
    number: int = 1

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """The position of each class id."""
        return {name: index for index, name in enumerate(self.classes)}

    @cached_property
    def public_images(self) -> int:
        """How many images the board scores before the end."""
        return int(np.count_nonzero(~self.private))

    @cached_property
    def private_images(self) -> int:
        """How many images are scored at the end only."""
        return int(np.count_nonzero(self.private))

    def encode(self) -> bytes:
        """Return the labels as the bytes that the database keeps."""
        value = {
            "images": self.images,
            "classes": self.classes,
            "labels": self.labels.tolist(),
            "private": np.flatnonzero(self.private).tolist(),
        }
        return json.dumps(value, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, content: bytes, number: int) -> Self:
        """Return version `number` of the labels, from what `encode` made.

        Raises:
            ChallengeError: it is not what `encode` made.
        """
        try:
            value = json.loads(content)
            images = tuple(value["images"])
            private = np.zeros(len(images), dtype=np.bool_)
            private[value["private"]] = True
            labels = np.asarray(value["labels"], dtype=np.int64)
            made = cls(images, tuple(value["classes"]), labels, private, number)
            is_sorted = sorted(made.by_image()) == list(images)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise ChallengeError(f"labels, version {number}: damaged; restore them from a backup") from error
        if not is_sorted:
            raise ChallengeError(f"labels, version {number}: their images are not sorted; restore them from a backup")
        return made

    def digest(self) -> str:
        """Return the SHA-256 of the labels, whatever their version."""
        return hashlib.sha256(self.encode()).hexdigest()

    def same_truth(self, other: "Labels") -> bool:
        """Return whether `other` gives each image the same class."""
        return self.by_image() == other.by_image() and self.classes == other.classes

    def by_image(self) -> dict[str, str]:
        """Return the class id of each image."""
        return {image: self.classes[label] for image, label in zip(self.images, self.labels.tolist(), strict=True)}

    def divided(self, public_fraction: float, seed: int) -> Self:
        """Return the same labels with a private part, drawn for each class by itself (stratified) from `seed`.

        Of a class with n images, n * `public_fraction` are public, rounded at random so that the expected share is
        exact; at least one image in all is public, and one private where the fraction is below 1.
        """
        private = np.zeros(len(self.images), dtype=np.bool_)
        if public_fraction < 1:
            for label in range(len(self.classes)):
                random = np.random.default_rng(derive_seed(seed, "private half", label))
                members = np.flatnonzero(self.labels == label)
                public = int(np.floor(len(members) * public_fraction + random.random()))
                private[random.permutation(members)[public:]] = True
            if private.all() or not private.any():
                raise ChallengeError(
                    f"setting public_fraction: {public_fraction} leaves a part of the images empty; "
                    "choose one nearer to 0.5"
                )
        return dataclasses.replace(self, private=private)

    def corrected(self, other: "Labels") -> Self:
        """Return these labels with the classes of `other` in their place; the number and what is private stay.

        Raises:
            ChallengeError: other images, or a class that is not known.
        """
        stated = other.by_image()
        strange = sorted(stated.keys() ^ set(self.images))
        if strange:
            raise ChallengeError(
                f"corrected labels: image {strange[0]!a} stands in only one of the old and the new labels; "
                f"give a label for each of the {len(self.images)} images of the challenge"
            )
        unknown = sorted(set(stated.values()) - set(self.classes))
        if unknown:
            raise ChallengeError(f"corrected labels: class {unknown[0]!a} is not one of the challenge's classes")
        labels = np.array([self.positions[stated[image]] for image in self.images], dtype=np.int64)
        return dataclasses.replace(self, labels=labels)


def make(images: Sequence[str], class_ids: Sequence[str], known: Sequence[str] | None = None) -> Labels:
    """Return labels that give image `images[i]` the class `class_ids[i]`, all of them public.

    The order in which they are given is lost: it may follow the classes, and participants see the images' order.

    Args:
        images: file names.
        class_ids: the class of each.
        known: all classes that a submission may state; `None` for those that occur.

    Raises:
        ChallengeError: no images, an image given twice, a class that is not known, or a name that no submission can
            state.
    """
    if not images:
        raise ChallengeError("labels: there are no images; give a line for each image")
    for image, times in Counter(images).items():
        if times > 1:
            raise ChallengeError(f"labels: image {image!a} is given {times} times; keep one of its lines")
    classes = tuple(sorted(set(class_ids if known is None else known)))
    positions = {name: index for index, name in enumerate(classes)}
    for image, name in zip(images, class_ids, strict=True):
        if name not in positions:
            raise ChallengeError(f"labels: class {name!a} of image {image!a} is not among the classes given")
    _check_names(images, classes)
    ordered = sorted(zip(images, class_ids, strict=True))
    labels = np.array([positions[name] for _, name in ordered], dtype=np.int64)
    return Labels(tuple(image for image, _ in ordered), classes, labels, np.zeros(len(images), dtype=np.bool_))


def _check_names(images: Sequence[str], classes: Sequence[str]) -> None:
    """Check that a submission can state each image and each class.

    Raises:
        ChallengeError: it cannot.
    """
    named = [("image", image, fits(image, "class")) for image in images]
    named += [("class", name, fits("image", name)) for name in classes]
    for what, name, does_fit in named:
        if not does_fit:
            raise ChallengeError(
                f"labels: {what} {name!a} does not fit the submission format; rename what is empty or has a blank, "
                "a line break or a character that is not text"
            )


def read(path: Path, classes: Path | None = None) -> Labels:
    """Return the labels in the file `path` (see `parse`).

    Args:
        path: a CSV or text file.
        classes: a file with all class ids, one a line (what follows a blank is ignored), as `wnids.txt`; `None` for
            those that occur.

    Raises:
        ChallengeError: a line that is not an image and its class, or what `make` refuses.
        StorageError: a file cannot be read.
    """
    known = None if classes is None else [line.split()[0] for line in _text(classes).splitlines() if line.strip()]
    text = _text(path)
    try:
        return parse(text, known)
    except ChallengeError as error:
        raise ChallengeError(f"{path}: {error}") from error


def parse(text: str, known: Sequence[str] | None = None) -> Labels:
    """Return the labels in `text`: an image's file name and its class id a line.

    The two stand with a comma between them, with or without a header line ('image,class'), or with a blank, as in a
    submission; further fields, such as the box in `val_annotations.txt`, are ignored where tabs divide them.

    Raises:
        ChallengeError: a line that is not an image and its class, or what `make` refuses.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if lines and _is_header(lines[0][1]):
        lines = lines[1:]
    images, class_ids = [], []
    for number, line in lines:
        image, name = _fields(line)
        if not image or not name:
            raise ChallengeError(
                f"line {number}: {line[:60]!a} is not an image and its class; write 'test_0.JPEG,n02124075'"
            )
        images.append(image)
        class_ids.append(name)
    _check_first(images, class_ids, lines)
    return make(images, class_ids, known)


def _is_header(line: str) -> bool:
    """Return whether each field of a line is a word that names a column."""
    fields = [field.strip(" \"'").lower() for field in re.split(r"[,\t ]+", line.strip())]
    return len(fields) > 1 and all(_HEADER_WORD.fullmatch(field) for field in fields)


def _check_first(images: Sequence[str], class_ids: Sequence[str], lines: Sequence[tuple[int, str]]) -> None:
    """Check that the first line is no header in other words: a name without a suffix, of a class of its own.

    Raises:
        ChallengeError: it looks like one.
    """
    if len(images) < 2 or Path(images[0]).suffix or class_ids[0] in class_ids[1:]:
        return
    if all(Path(image).suffix for image in images[1:]):
        number, line = lines[0]
        raise ChallengeError(f"line {number}: {line[:60]!a} looks like a header, not an image; remove the line")


def from_split(dataset: packed.PackedDataset, name: str) -> Labels:
    """Return the labels of the split `name` of packed data.

    Raises:
        ChallengeError: the split has images whose label is unknown.
        DataError: no such split, or a damaged file.
    """
    split = dataset.split(name)
    if (split.labels < 0).any():
        raise ChallengeError(
            f"{dataset.path}: split {name!r} has images without a label; choose a labelled one, as val"
        )
    classes = [item.id for item in dataset.classes]
    return make(split.image_ids, [classes[label] for label in split.labels], classes)


def _fields(line: str) -> tuple[str, str]:
    if "\t" in line:
        parts = [field.strip() for field in line.split("\t")]
        return parts[0], parts[1]
    if "," in line:
        fields = [field.strip() for field in next(csv.reader(io.StringIO(line)))]
        return (fields[0], fields[1]) if len(fields) == 2 else ("", "")
    image, _, name = line.strip().rpartition(" ")
    return image.strip(), name


def _text(path: Path) -> str:
    with storage_errors(path):
        content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ChallengeError(f"{path}: not UTF-8 text; save it as UTF-8") from error
