"""Weights averaged, and the batch-norm statistics that averaged weights need."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from thumbnet.data.resident import ImageSet, balanced_selection
from thumbnet.evaluate import Preprocessing, mixed_precision
from thumbnet.packed import PackedDataset, subset_indices
from thumbnet.randomness import derive_seed
from thumbnet.recipe import Recipe

NORM_IMAGES = 4096
"""Training images from which batch-norm statistics are computed anew, about as many of each class."""

NORM_BATCH = 128
"""Images that go through the network at a time for that, or up to twice as many; it decides the last digits."""


def average_tensors(tensors: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of each tensor, computed in float64; of whole numbers (counters) the first."""
    found = {}
    for name, first in tensors[0].items():
        if first.is_floating_point():
            total = sum((one[name].double() for one in tensors[1:]), first.double())
            found[name] = (total / len(tensors)).to(first.dtype)
        else:
            found[name] = first
    return found


def differing_norms(model: nn.Module, tensors: Sequence[Mapping[str, Tensor]]) -> list[_BatchNorm]:
    """Return the batch norms of `model` whose statistics are not the same in all of `tensors`.

    Those of a frozen pretrained part are the same, and must stay as they are.
    """
    found = []
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and module.track_running_stats:
            keys = [key for key in (f"{name}.running_mean", f"{name}.running_var") if key in tensors[0]]
            same = all(torch.equal(one[key], tensors[0][key]) for one in tensors for key in keys)
            found += [] if same else [module]
    return found


@torch.no_grad()
def refresh_norms(
    model: nn.Module, norms: Sequence[_BatchNorm], recipe: Recipe, dataset: PackedDataset, images: ImageSet
) -> None:
    """Compute the statistics of `norms` anew, from `NORM_IMAGES` of the training `images`, prepared as for judging.

    Averaged weights give other activations than those whose statistics the networks stored. The network is left in
    evaluation mode.
    Source: Izmailov et al., 'Averaging weights leads to wider optima and better generalization', UAI 2018.
    """
    preprocessing = Preprocessing.of(recipe, dataset.image_size)
    before = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
        norm.train()
    with mixed_precision(images.device, preprocessing.dtype):
        for batch in norm_batches(norm_positions(recipe, dataset)):
            model(preprocessing.finish(preprocessing.policy(images.take(batch)[0])))
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    model.eval()


def norm_batches(positions: Tensor) -> Sequence[Tensor]:
    """Return `positions` in batches as long as each other but for one image: their plain mean weighs images alike."""
    return torch.tensor_split(positions, max(1, len(positions) // NORM_BATCH))


def norm_positions(recipe: Recipe, dataset: PackedDataset) -> Tensor:
    """Return the positions of the training images that batch norm sees, shuffled: each batch has all classes."""
    split = dataset.split("train", verify=False)
    chosen = torch.from_numpy(balanced_selection(split.labels, subset_indices(split, "fit"), NORM_IMAGES))
    generator = torch.Generator().manual_seed(derive_seed(recipe.seed, "soup"))
    return chosen[torch.randperm(len(chosen), generator=generator)]
