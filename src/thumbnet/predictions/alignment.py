"""Predictions of several networks for the same images, brought into one order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import PredictionError
from thumbnet.predictions.saved import Predictions


def align(members: Sequence[Predictions], what: str = "ensemble: its members") -> list[NDArray[np.float32]]:
    """Return each member's logits with its rows in the first one's order of images.

    Args:
        members: predictions.
        what: what they are, for messages.

    Raises:
        PredictionError: there are none, or they are not about the same images of the same split of the same data with
            the same labels and classes.
    """
    if not members:
        raise PredictionError("ensemble: it has no members; give at least one")
    known = next((member for member in members if _fingerprint(member) is not None), members[0])
    for member in members:
        _same(what, "split", member.split, members[0].split)
        _same(what, "classes", member.classes, members[0].classes)
        if _fingerprint(member) not in (None, _fingerprint(known)):
            raise PredictionError(
                f"{what} judge different data (fingerprints {_fingerprint(member)!s:.8} and "
                f"{_fingerprint(known)!s:.8}); give predictions of one data set"
            )
    return [_in_order(member, members[0], what) for member in members]


def _fingerprint(member: Predictions) -> Any:
    return member.provenance.get("data")


def _in_order(member: Predictions, first: Predictions, what: str) -> NDArray[np.float32]:
    logits, labels = member.logits, member.labels
    if member.image_ids != first.image_ids:
        place = {image: row for row, image in enumerate(member.image_ids)}
        if place.keys() != set(first.image_ids):
            raise PredictionError(f"{what} judge different images; give predictions for the same ones")
        rows = [place[image] for image in first.image_ids]
        logits, labels = logits[rows], labels[rows]
    if not np.array_equal(labels, first.labels):
        raise PredictionError(f"{what} have different labels for an image; give predictions of one data")
    return logits


def _same(what: str, field: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise PredictionError(
            f"{what} have a different {field} ({_short(found)} and {_short(expected)}); "
            "give predictions of one split of one data set"
        )


def _short(value: Any) -> str:
    return repr(value) if isinstance(value, str) else f"{len(value)} beginning with {list(value[:2])}"
