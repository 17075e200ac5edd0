"""Images where training can index them: on the device when they fit, memory-mapped when they do not."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thumbnet.packed import PackedSplit

SHARE_OF_FREE_MEMORY = 0.5


@dataclass(frozen=True)
class ImageSet:
    """Images and labels that a tensor of positions indexes.

    Attributes:
        images: u8[N,H,W,3], on `device` or memory-mapped on the host.
        labels: i64[N] on the same place; -1 where unknown.
        device: where batches go.
    """

    images: Tensor
    labels: Tensor
    device: torch.device

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images at `positions` (i64[B]) as f32[B,3,H,W] in [0, 1], contiguous, and labels i64[B].

        Augmentation is twice as fast on contiguous images as on channels-last ones, and moving single bytes into that
        order costs less than moving floats.
        """
        positions = to_device(positions, self.images.device)
        images = to_device(self.images.index_select(0, positions), self.device)
        labels = to_device(self.labels.index_select(0, positions), self.device)
        return images.permute(0, 3, 1, 2).contiguous().to(torch.float32).mul_(1 / 255), labels


def place(split: PackedSplit, device: torch.device) -> ImageSet:
    """Put a packed split on `device`, or leave it memory-mapped when it would take over half of the free memory."""
    images = torch.from_numpy(split.images)
    labels = torch.from_numpy(split.labels)
    if has_room(images, device):
        images, labels = images.to(device), labels.to(device)
    return ImageSet(images, labels, device)


def place_rows(rows: Tensor, device: torch.device) -> Tensor:
    """Put memory-mapped rows on `device`, or leave them where they would take over half of the free memory."""
    return rows.to(device) if has_room(rows, device) else rows


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return `tensor` on `device`; the host does not wait for what a GPU has yet to compute.

    A copy from pinned memory is queued behind that, and torch keeps the memory as long; any other copy waits for it.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def has_room(tensor: Tensor, device: torch.device) -> bool:
    """Return whether `device` is a GPU of whose free memory `tensor` takes half or less."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return tensor.nbytes <= free * SHARE_OF_FREE_MEMORY


def balanced_selection(labels: NDArray[np.int64], candidates: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return about `count` of the positions `candidates`, the same number of each class, ascending.

    Args:
        labels: i64[N] labels of all images.
        candidates: i64[M] positions to choose from.
        count: how many to choose in all; each class gives `count / classes`, rounded up, or all that it has.
    """
    if count >= len(candidates):
        return candidates
    classes = np.unique(labels[candidates])
    each = -(-count // len(classes))
    chosen = [candidates[labels[candidates] == label][:each] for label in classes]
    return np.sort(np.concatenate(chosen))
