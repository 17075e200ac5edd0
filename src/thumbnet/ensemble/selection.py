"""Choosing the members of an ensemble, on a split that nothing is reported on."""

from collections.abc import Sequence

import numpy as np

from thumbnet.ensemble.averaging import Over, check_over, terms
from thumbnet.errors import PredictionError
from thumbnet.predictions import Predictions, align


def greedy(
    members: Sequence[Predictions],
    over: Over = "probabilities",
    *,
    size: int | None = None,
    replacement: bool = False,
) -> tuple[int, ...]:
    """Return the positions of the members that forward selection takes, in its order; one may stand there again.

    It takes the best one, then each time the one that gains most, and ends when none gains an image. Of equal ones the
    first is taken. It holds the probabilities of all members in memory, f32[M,N,K].
    Source: Caruana et al., 'Ensemble selection from libraries of models', ICML 2004, section 2.

    Args:
        members: predictions for the images that choose.
        over: what is averaged.
        size: the most picks; `None` is as many as there are members.
        replacement: whether a member may be picked again, and so count more.

    Raises:
        PredictionError: as in `average`, a label is unknown, or `size` is below 1.
    """
    check_over(over)
    if size is not None and size < 1:
        raise PredictionError(f"ensemble: a size of {size} has no members; give 1 or more")
    labels = members[0].labels if members else np.zeros(0)
    if (labels < 0).any():
        raise PredictionError("ensemble: nothing can be chosen on images without labels; choose on another split")
    parts = [terms(logits, over)[0] for logits in align(members)]
    total, best = np.zeros(parts[0].shape), -1
    room = np.empty_like(total)
    picks: list[int] = []
    while len(picks) < (size or len(members)):
        open_ = [place for place in range(len(parts)) if replacement or place not in picks]
        right = [int((np.add(total, parts[place], out=room).argmax(axis=1) == labels).sum()) for place in open_]
        if not right or max(right) <= best:
            break
        best = max(right)
        picks.append(open_[right.index(best)])
        total += parts[picks[-1]]
    return tuple(picks)
