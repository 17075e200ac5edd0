"""The parts of a data set that a run uses: what trains, what is held out, val and test."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thumbnet.data.resident import ImageSet, balanced_selection, place
from thumbnet.errors import RecipeError
from thumbnet.packed import PackedDataset, PackedSplit, subset_indices
from thumbnet.randomness import derive_seed
from thumbnet.recipe import Recipe


@dataclass(frozen=True)
class Subset:
    """Some images of a split: `positions` (i64[M]) into `images`, their ids and labels (i64[M], -1 where unknown)."""

    name: str
    images: ImageSet
    positions: Tensor
    image_ids: tuple[str, ...]
    labels: Tensor


def training_subsets(dataset: PackedDataset, device: torch.device, recipe: Recipe) -> Mapping[str, Subset]:
    """Return the subsets that a run of `recipe` trains on and judges.

    'train' is what trains, 'train_eval' a fixed, class-balanced selection of it of about the recipe's
    `evaluation.train_images`; 'holdout', 'val' and 'test' are there when the data has them.
    """
    subsets = {name: whole_split(dataset, name, device) for name in dataset.split_names if name != "train"}
    split = dataset.split("train")
    images = place(split, device)
    fit = training_positions(split, recipe)
    subsets["train"] = _subset("train", split, images, torch.from_numpy(fit))
    subsets["holdout"] = _subset("holdout", split, images, torch.from_numpy(subset_indices(split, "holdout")))
    if recipe.evaluation.train_images:
        probe = torch.from_numpy(balanced_selection(split.labels, fit, recipe.evaluation.train_images))
        subsets["train_eval"] = _subset("train_eval", split, images, probe)
    return subsets


def training_positions(split: PackedSplit, recipe: Recipe) -> NDArray[np.int64]:
    """Return the positions in the training split `split` of the images that `recipe` trains on, i64[M], ascending.

    Raises:
        RecipeError: it asks for more images than there are.
    """
    positions = subset_indices(split, recipe.train_on)
    if recipe.train_count is None:
        return positions
    if recipe.train_count > len(positions):
        raise RecipeError(
            f"train_count: {recipe.train_count} images where there are {len(positions)} to train on; lower it"
        )
    random = np.random.default_rng(derive_seed(recipe.seed, "train_count"))
    return np.sort(random.choice(positions, recipe.train_count, replace=False))


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
