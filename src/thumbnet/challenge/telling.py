"""Whether the names of images tell their classes: participants see the names, and sort by them."""

import re

import numpy as np
from numpy.typing import NDArray

from thumbnet.challenge.labels import Labels
from thumbnet.errors import ChallengeError

_SPREADS = 5
"""Beyond so many standard deviations of what chance gives, something else is at work."""
_SHARE = 0.02
"""Least share of the images that has to be given away; less helps nobody."""
_REMEDY = (
    "give the images neutral names, numbered in a random order, or take them as they are with the setting "
    "accept_names = true"
)


def check_names(labels: Labels) -> None:
    """Check that the names of the images, and their order, do not tell the classes.

    Raises:
        ChallengeError: more names hold the id of their own class, or more neighbours in the order of the names share
            a class, than chance gives.
    """
    named = _named(labels)
    if named is not None:
        raise ChallengeError(f"labels: the name of image {named[0]!a} holds its class {named[1]!a}; {_REMEDY}")
    images = len(labels.images)
    counts = np.bincount(labels.labels, minlength=len(labels.classes))
    # Of two neighbours in a random order; each count is that of a class.
    chance = float((counts * (counts - 1)).sum()) / images
    spread = float(np.sqrt(chance * max(1 - chance / images, 0.0)))
    for order in (labels.labels, labels.labels[_natural_order(labels.images)]):
        equal = int(np.count_nonzero(order[1:] == order[:-1]))
        if equal - chance > max(_SPREADS * spread, _SHARE * images, 1):
            raise ChallengeError(
                f"labels: in the order of their names, {equal:,} of {images:,} images are of the class of the one "
                f"before, where chance gives {chance:,.0f}, so that the names tell the classes; {_REMEDY}"
            )


def _named(labels: Labels) -> tuple[str, str] | None:
    """Return an image whose name holds its class id, with that id, where more names do than chance gives."""
    names = [image.lower() for image in labels.images]
    classes = [name.lower() for name in labels.classes]
    counts = np.bincount(labels.labels, minlength=len(classes))
    own = [place for place, label in enumerate(labels.labels.tolist()) if classes[label] in names[place]]
    if not own:
        return None
    chance = sum(
        int(count) * sum(name in image for image in names) / len(names)
        for name, count in zip(classes, counts, strict=True)
        if count
    )
    if len(own) - chance <= max(_SPREADS * np.sqrt(chance), 1):
        return None
    return labels.images[own[0]], labels.classes[int(labels.labels[own[0]])]


def _natural_order(images: tuple[str, ...]) -> NDArray[np.intp]:
    """Return the positions of the images by name, with the numbers in it as numbers: 'a2' before 'a10'."""

    def key(place: int) -> list[tuple[int, int | str]]:
        parts: list[str] = re.split(r"([0-9]+)", images[place])
        return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]

    return np.array(sorted(range(len(images)), key=key), dtype=np.intp)
