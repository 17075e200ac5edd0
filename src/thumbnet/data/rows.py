"""Batches of rows that were computed before, such as features: the order of a phase's images, and no images."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from thumbnet.data.batches import EpochOrder
from thumbnet.data.resident import to_device


@dataclass
class RowBatches:
    """Batches of one phase by epoch and position, in the order in which `Batches` would give the images.

    Args:
        copies: by copy and policy, the rows f[N,D] of all images, on the device or memory-mapped; epoch k takes copy
            k modulo their number.
        positions: i64[M], the images that train.
        labels: i64[M], theirs.
        batch_size: rows a batch; the last one of an epoch may be shorter and is kept.
        seed: the run's seed.
        phase: number of the phase, so that phases draw differently.
        device: where batches go.
    """

    copies: Sequence[Sequence[Tensor]]
    positions: Tensor
    labels: Tensor
    batch_size: int
    seed: int
    phase: int
    device: torch.device
    _order: EpochOrder = field(init=False)

    def __post_init__(self) -> None:
        self._order = EpochOrder(self.seed, self.phase, len(self.positions) * len(self.copies[0]))

    def batch(self, epoch: int, index: int) -> tuple[Tensor, Tensor]:
        """Return batch `index` of `epoch` (both from 0): rows f32[B,D] and labels i64[B]."""
        pairs = self._order.of(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        copy, images = self.copies[epoch % len(self.copies)], len(self.positions)
        policies, chosen = pairs // images, pairs % images
        parts = [torch.nonzero(policies == policy)[:, 0] for policy in range(len(copy))]
        rows = [
            take_rows(of_policy, self.positions[chosen[part]], self.device)
            for of_policy, part in zip(copy, parts, strict=True)
        ]
        return torch.cat(rows), to_device(self.labels[chosen[torch.cat(parts)]], self.device)


def take_rows(rows: Tensor, positions: Tensor, device: torch.device) -> Tensor:
    """Return the rows at `positions` (i64[B]) as f32[B,D] on `device`."""
    return to_device(rows.index_select(0, to_device(positions, rows.device)), device).float()
