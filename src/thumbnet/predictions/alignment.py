"""Predictions of several networks for the same images, brought into one order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import PredictionError
from thumbnet.predictions.saved import Predictions


def align(
    members: Sequence[Predictions], what: str = "ensemble: its members", names: Sequence[str] = ()
) -> list[NDArray[np.float32]]:
    """Return each member's logits with its rows in the first one's order of images.

    Args:
        members: predictions.
        what: what they are, for messages.
        names: what each of them is called, for messages; they are counted where there are none.

    Raises:
        PredictionError: there are none, or they are not about the same images of the same split of the same data with
            the same labels and classes.
    """
    if not members:
        raise PredictionError("ensemble: it has no members; give at least one")
    called = names or [f"number {place}" for place in range(1, len(members) + 1)]
    known = next((place for place, member in enumerate(members) if _fingerprint(member) is not None), 0)
    first = members[0]
    aligned: list[NDArray[np.float32]] = []
    for place, member in enumerate(members):
        pair = (called[0], called[place])
        _check_same(first, member, pair, what)
        if _fingerprint(member) not in (None, _fingerprint(members[known])):
            raise PredictionError(
                f"{what} judge different data: {called[known]} has the fingerprint "
                f"{_fingerprint(members[known])!s:.8}, {called[place]} {_fingerprint(member)!s:.8}; "
                "give predictions of one data set"
            )
        aligned.append(_in_order(first, member, pair, what))
    return aligned


def _fingerprint(member: Predictions) -> Any:
    return member.provenance.get("data")


def _check_same(first: Predictions, other: Predictions, names: tuple[str, str], what: str) -> None:
    """Check that both are of one split and have the same classes in the same order."""
    if other.split != first.split:
        raise PredictionError(
            f"{what} are of different splits: {names[0]} of {first.split!r}, {names[1]} of {other.split!r}; "
            "give predictions of one split of one data set"
        )
    if other.classes != first.classes:
        listed = zip(first.classes, other.classes, strict=False)
        places = (place for place, (one, two) in enumerate(listed) if one != two)
        there = next(places, min(len(first.classes), len(other.classes)))
        raise PredictionError(
            f"{what} have different classes: class {there + 1} is {_class(first, there)} in {names[0]}, "
            f"{_class(other, there)} in {names[1]}; give predictions of one data set"
        )


def _class(member: Predictions, place: int) -> str:
    return repr(member.classes[place]) if place < len(member.classes) else "none"


def _in_order(first: Predictions, other: Predictions, names: tuple[str, str], what: str) -> NDArray[np.float32]:
    logits, labels = other.logits, other.labels
    if other.image_ids != first.image_ids:
        place = {image: row for row, image in enumerate(other.image_ids)}
        _check_images(first, other, names, what)
        rows = [place[image] for image in first.image_ids]
        logits, labels = logits[rows], labels[rows]
    if not np.array_equal(labels, first.labels):
        row = int(np.argmax(labels != first.labels))
        one, two = (first.classes[label] if label >= 0 else None for label in (first.labels[row], labels[row]))
        raise PredictionError(
            f"{what} have different labels: {first.image_ids[row]!r} is {one!r} in {names[0]}, {two!r} in {names[1]}; "
            "give predictions of one data set"
        )
    return logits


def _check_images(first: Predictions, other: Predictions, names: tuple[str, str], what: str) -> None:
    """Check that both are about the same images, in whatever order."""
    ours, theirs = set(first.image_ids), set(other.image_ids)
    for name, lacking, images in ((names[0], names[1], ours - theirs), (names[1], names[0], theirs - ours)):
        if images:
            raise PredictionError(
                f"{what} judge different images: {name} has {min(images)!r}, {lacking} has not; "
                "give predictions for the same ones"
            )
