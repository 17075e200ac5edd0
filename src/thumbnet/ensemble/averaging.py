"""The predictions of several networks for the same images, averaged into one."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.errors import PredictionError, nearest
from thumbnet.predictions import Predictions, align

Over = Literal["probabilities", "logits"]
"""What is averaged: probabilities (Milani 2017, equation 2) or last-layer activations (Hansen 2015, section 4.1)."""

_SMALL = 1e-30
"""A mean probability below this is computed from logarithms: its terms are near the end of what a float32 holds."""


class Mean:
    """The running mean of logits or probabilities, of members given one after the other.

    Probabilities are summed as they are, which is ten times as fast as summing their logarithms. Only those that are
    too small for it are summed as logarithms in the end, so that they keep their rank.
    """

    def __init__(self, over: Over) -> None:
        check_over(over)
        self._over = over
        self._members: list[tuple[NDArray[np.float32], NDArray[np.float64], int]] = []
        self._count = 0
        self.total: NDArray[np.float64] = np.zeros(0)
        """Sum of the members' terms, f64[N,K]; its highest value in a row is the predicted class."""

    def add(self, logits: NDArray[np.float32], count: int = 1) -> None:
        """Take in a member's `logits` f32[N,K], `count` times."""
        term, norm = terms(logits, self._over)
        if not self._count:
            self.total = np.zeros(logits.shape)
        self.total += term if count == 1 else count * term
        self._count += count
        self._members.append((logits, norm, count))

    def logits(self) -> NDArray[np.float32]:
        """Return the mean logits, or the logarithms of the mean probabilities, f32[N,K]."""
        if self._over == "logits":
            return (self.total / self._count).astype(np.float32)
        small = self.total < _SMALL * self._count
        with np.errstate(divide="ignore"):
            found = np.log(self.total / self._count)
        if small.any():
            rows, columns = np.nonzero(small)
            parts = [logits[rows, columns] - norm[rows] + np.log(count) for logits, norm, count in self._members]
            found[rows, columns] = np.logaddexp.reduce(parts) - np.log(self._count)
        return found.astype(np.float32)


def terms(logits: NDArray[np.float32], over: Over) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return what a member adds to the sum, f32[N,K], and the logarithms f64[N] that normalise its probabilities.

    Raises:
        PredictionError: there are no images, or a logit is not finite.
    """
    metrics.check_logits(logits)
    if over == "logits":
        return logits, np.zeros(0)
    highest = logits.max(axis=1, keepdims=True)
    shares = logits - highest
    np.exp(shares, out=shares)
    total = shares.sum(axis=1, keepdims=True)
    shares /= total
    return shares, (highest.astype(np.float64) + np.log(total.astype(np.float64)))[:, 0]


def average(
    members: Sequence[Predictions], over: Over = "probabilities", counts: Sequence[int] | None = None
) -> Predictions:
    """Return the predictions of the ensemble of `members`, in the first one's order of images.

    Its logits, f32[N,K], are the logarithms of the mean probabilities, or the mean logits. Its provenance is
    `{"ensemble": over, "members": [their provenances]}`, with `data` (the fingerprint) where the members state it and
    `counts` where one counts more than once.

    Args:
        members: predictions for the same images.
        over: what is averaged.
        counts: how often each member counts; `None` is once each.

    Raises:
        PredictionError: there are no members, they are not about the same images of the same split of the same data
            with the same labels and classes, a logit is not finite, or `over` is unknown.
    """
    mean, often = Mean(over), counts or [1] * len(members)
    for logits, count in zip(align(members), often, strict=True):
        mean.add(logits, count)
    first = members[0]
    provenance: dict[str, Any] = {"ensemble": over, "members": [dict(member.provenance) for member in members]}
    fingerprints = [member.provenance["data"] for member in members if member.provenance.get("data") is not None]
    provenance |= {"data": fingerprints[0]} if fingerprints else {}
    provenance |= {"counts": list(often)} if max(often) > 1 else {}
    return Predictions(first.split, first.image_ids, mean.logits(), first.labels, first.classes, provenance)


def growth(members: Sequence[Predictions], over: Over = "probabilities") -> NDArray[np.bool_]:
    """Return which images the ensembles of the first 1, 2, ... of `members` classify rightly, bool[M,N].

    Raises:
        PredictionError: as in `average`.
    """
    aligned = align(members)
    mean, labels = Mean(over), members[0].labels
    found = np.zeros((len(members), len(labels)), dtype=np.bool_)
    for row, logits in zip(found, aligned, strict=True):
        mean.add(logits)
        row[:] = mean.total.argmax(axis=1) == labels
    return found


def ranking(members: Sequence[Predictions]) -> list[int]:
    """Return the positions of `members` by their own top-1 accuracy, best first; equal ones keep their order.

    Raises:
        PredictionError: a label is unknown, or a logit is not finite.
    """
    right = [metrics.top_k_correct(member.logits, member.labels, 1).sum() for member in members]
    return [int(place) for place in np.argsort([-count for count in right], kind="stable")]


def check_over(over: str) -> None:
    """Check that `over` names what can be averaged.

    Raises:
        PredictionError: it does not.
    """
    if over not in get_args(Over):
        raise PredictionError(f"ensemble over {over!r} is unknown; {nearest(over, get_args(Over))}")
