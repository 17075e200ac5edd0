"""The training images that the network finds most like each judged image."""

import torch
from torch import Tensor
from torch.nn import functional

from thumbnet.analyses import Neighbours
from thumbnet.analysis.subject import Subject
from thumbnet.watch import Watch

COUNT = 8
"""Neighbours of an image."""

_QUERIES, _CANDIDATES = 1000, 10_000
"""Images that are compared at a time: 40 MB of similarities."""


def find_neighbours(subject: Subject) -> Neighbours:
    """Return the nearest training images of every judged image, by the cosine between their features.

    An image is no neighbour of itself, as it would be where the holdout is judged.

    Raises:
        ThumbnetError: the features cannot be computed or kept.
    """
    judged, train = subject.judged, subject.train
    own = judged.positions if subject.split == "train" else None
    similarity, found = nearest(
        subject.judged_features(), subject.train_features(), COUNT, subject.device, subject.watch, own=own
    )
    return Neighbours(
        subject.origin,
        positions=judged.positions.numpy(),
        labels=judged.labels.numpy(),
        found=found.numpy(),
        found_labels=train.labels[found].numpy(),
        similarity=similarity.numpy(),
        split=subject.split,
        subset=judged.name,
    )


@torch.no_grad()
def nearest(
    queries: Tensor, candidates: Tensor, count: int, device: torch.device, watch: Watch, *, own: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the cosines f32[Q,k] and the numbers i64[Q,k] of the nearest candidates of each query, nearest first.

    Of equal cosines the lower number comes first. k is `count`, or as many candidates as there are for each query.

    Args:
        queries: f[Q,D], features.
        candidates: f[N,D], features.
        count: how many neighbours.
        device: where to compute.
        watch: is told the progress, in queries.
        own: i64[Q], for each query the candidate that it is itself, which does not count.
    """
    count = min(count, len(candidates) - (own is not None))
    similarities, numbers = [], []
    for start in range(0, len(queries), _QUERIES):
        rows = functional.normalize(queries[start : start + _QUERIES].to(device).float(), dim=1)
        excluded = None if own is None else own[start : start + _QUERIES].to(device)
        best = torch.full((len(rows), 0), 0.0, device=device), torch.empty(len(rows), 0, dtype=torch.int64).to(device)
        for first in range(0, len(candidates), _CANDIDATES):
            block = functional.normalize(candidates[first : first + _CANDIDATES].to(device).float(), dim=1)
            cosines = rows @ block.T
            if excluded is not None:
                inside = (excluded >= first) & (excluded < first + len(block))
                cosines[inside.nonzero()[:, 0], excluded[inside] - first] = -torch.inf
            best = _merge(best, cosines, first, count)
        similarities.append(best[0].cpu())
        numbers.append(best[1].cpu())
        watch("neighbours", min(start + _QUERIES, len(queries)), len(queries))
    return torch.cat(similarities), torch.cat(numbers)


def _merge(best: tuple[Tensor, Tensor], cosines: Tensor, first: int, count: int) -> tuple[Tensor, Tensor]:
    """Return the best of what was found before and of a block of cosines, whose first candidate is `first`."""
    # Twice as many as needed, so that equal cosines at the end can be put in order.
    values, places = cosines.topk(min(2 * count, cosines.shape[1]), dim=1)
    values, places = torch.cat([best[0], values], 1), torch.cat([best[1], places + first], 1)
    order = places.argsort(dim=1)
    values, places = values.gather(1, order), places.gather(1, order)
    order = values.argsort(dim=1, descending=True, stable=True)[:, :count]
    return values.gather(1, order), places.gather(1, order)
