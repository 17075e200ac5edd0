"""Ensembles: the predictions of several networks for the same images, averaged into one."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.errors import PredictionError, nearest
from thumbnet.predictions import Predictions

Over = Literal["probabilities", "logits"]
"""What is averaged: probabilities (Milani 2017, equation 2) or last-layer activations (Hansen 2015, section 4.1)."""

_OVER = ("probabilities", "logits")


def average(members: Sequence[Predictions], over: Over = "probabilities") -> Predictions:
    """Return the predictions of the ensemble of `members`, in the first one's order of images.

    Its logits, f32[N,K], are the logarithms of the mean probabilities, or the mean logits. Its provenance is
    `{"ensemble": over, "members": [their provenances]}`.

    Raises:
        PredictionError: there are no members, they are not about the same images of the same split with the same
            labels and classes, a logit is not finite, or `over` is unknown.
    """
    aligned = _aligned(members)
    *_, logits = _running(aligned, over)
    first = members[0]
    provenance = {"ensemble": over, "members": [dict(member.provenance) for member in members]}
    return Predictions(first.split, first.image_ids, logits, first.labels, first.classes, provenance)


def curve(members: Sequence[Predictions], over: Over = "probabilities") -> list[metrics.Scores]:
    """Return the scores of the ensembles of the best 1, 2, ... of `members` (Milani 2017, figure 6).

    The members are ordered by their own top-1 accuracy, best first; equal ones keep their order.

    Raises:
        PredictionError: as in `average`, or a label is unknown.
    """
    aligned = _aligned(members)
    order = np.argsort([-member.scores().top1 for member in members], kind="stable")
    labels = members[0].labels
    return [metrics.score(logits, labels) for logits in _running([aligned[i] for i in order], over)]


def _running(logits: Sequence[NDArray[np.float32]], over: str) -> Iterator[NDArray[np.float32]]:
    """Yield the mean of the first 1, 2, ... of `logits`, each f32[N,K]."""
    if over not in _OVER:
        raise PredictionError(f"ensemble over {over!r} is unknown; {nearest(over, _OVER)}")
    # Sums of probabilities stay logarithms: a probability that is too small for a float keeps its rank.
    parts = (one.astype(np.float64) if over == "logits" else metrics.log_softmax(one) for one in logits)
    for count, total in enumerate(itertools.accumulate(parts, np.add if over == "logits" else np.logaddexp), start=1):
        mean = total / count if over == "logits" else total - np.log(count)
        yield mean.astype(np.float32)


def _aligned(members: Sequence[Predictions]) -> list[NDArray[np.float32]]:
    """Return each member's logits with its rows in the first one's order of images."""
    if not members:
        raise PredictionError("ensemble: it has no members; give at least one")
    return [_in_order(member, members[0]) for member in members]


def _in_order(member: Predictions, first: Predictions) -> NDArray[np.float32]:
    _same("split", member.split, first.split)
    _same("classes", member.classes, first.classes)
    logits, labels = member.logits, member.labels
    if member.image_ids != first.image_ids:
        place = {image: row for row, image in enumerate(member.image_ids)}
        if place.keys() != set(first.image_ids):
            raise PredictionError("ensemble: its members judge different images; give predictions for the same ones")
        rows = [place[image] for image in first.image_ids]
        logits, labels = logits[rows], labels[rows]
    if not np.array_equal(labels, first.labels):
        raise PredictionError("ensemble: its members have different labels for an image; give predictions of one data")
    return logits


def _same(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise PredictionError(
            f"ensemble: its members have a different {what} ({_short(found)} and {_short(expected)}); "
            "give predictions of one split of one data set"
        )


def _short(value: Any) -> str:
    return repr(value) if isinstance(value, str) else f"{len(value)} beginning with {list(value[:2])}"
