"""The parts of a data set that a run uses: what trains, what is held out, val and test."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from thumbnet.data.resident import ImageSet, balanced_selection, place
from thumbnet.packed import PackedDataset, PackedSplit, subset_indices


@dataclass(frozen=True)
class Subset:
    """Some images of a split: `positions` (i64[M]) into `images`, their ids and labels (i64[M], -1 where unknown)."""

    name: str
    images: ImageSet
    positions: Tensor
    image_ids: tuple[str, ...]
    labels: Tensor


def training_subsets(
    dataset: PackedDataset, device: torch.device, train_on: Literal["fit", "all"], probe_images: int
) -> Mapping[str, Subset]:
    """Return the subsets that a run trains on and judges.

    'train' is what trains, 'train_eval' a fixed, class-balanced selection of it of about `probe_images`; 'holdout',
    'val' and 'test' are there when the data has them.
    """
    subsets = {name: whole_split(dataset, name, device) for name in dataset.split_names if name != "train"}
    split = dataset.split("train")
    images = place(split, device)
    fit = subset_indices(split, train_on)
    subsets["train"] = _subset("train", split, images, torch.from_numpy(fit))
    subsets["holdout"] = _subset("holdout", split, images, torch.from_numpy(subset_indices(split, "holdout")))
    if probe_images:
        probe = torch.from_numpy(balanced_selection(split.labels, fit, probe_images))
        subsets["train_eval"] = _subset("train_eval", split, images, probe)
    return subsets


def judged_subset(dataset: PackedDataset, name: str, device: torch.device) -> Subset:
    """Return the subset called `name`: 'holdout', or a whole split of the data.

    Raises:
        DataError: the data has no such split.
    """
    if name != "holdout":
        return whole_split(dataset, name, device)
    split = dataset.split("train")
    return _subset("holdout", split, place(split, device), torch.from_numpy(subset_indices(split, "holdout")))


def whole_split(dataset: PackedDataset, name: str, device: torch.device) -> Subset:
    """Return all images of the split `name`.

    Raises:
        DataError: the data has no such split.
    """
    split = dataset.split(name)
    return _subset(name, split, place(split, device), torch.arange(len(split)))


def _subset(name: str, split: PackedSplit, images: ImageSet, positions: Tensor) -> Subset:
    ids = split.image_ids
    chosen = tuple(ids) if len(positions) == len(ids) else tuple(ids[i] for i in positions.tolist())
    return Subset(name, images, positions, chosen, torch.from_numpy(split.labels)[positions])
