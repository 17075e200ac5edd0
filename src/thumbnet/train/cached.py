"""Phases on cached features: what such a phase trains on, and what it is judged by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from thumbnet.data import RowBatches, Subset, place_rows, take_rows
from thumbnet.evaluate import DTYPES, mixed_precision
from thumbnet.features.extraction import FrozenBody, Wanted, extract
from thumbnet.models import evaluation_mode, head_of
from thumbnet.packed import packed_split_of
from thumbnet.predictions import SPLITS
from thumbnet.recipe import Recipe
from thumbnet.train.plan import PhasePlan, Plan
from thumbnet.watch import Watch


def copies_of(phase: PhasePlan) -> int:
    """Return how many copies of the training split's features `phase` comes to use."""
    return min(phase.phase.cached_features, -(-phase.steps // phase.steps_per_epoch))


def judged_names(plan: Plan, phase: PhasePlan, recipe: Recipe) -> list[str]:
    """Return the names of the subsets that are judged while `phase` lasts; after the last one, all that are kept."""
    at_the_end = SPLITS if phase is plan.phases[-1] else ()
    return list(dict.fromkeys(["train_eval", *recipe.evaluation.splits, *at_the_end]))


def judges_features(recipe: Recipe, phase: PhasePlan) -> bool:
    """Return whether images are judged by cached features in `phase`, which takes the body that it trains the head of.

    An average of the weights has another body, once an earlier phase has trained that.
    """
    same_body = recipe.ema is None or all(before.cached_features for before in recipe.phases[: phase.index])
    return same_body and phase.phase.cached_features > 0


def needed_features(recipe: Recipe, plan: Plan, phase: PhasePlan, judged_size: int) -> list[Wanted]:
    """Return the features that `phase` needs, each once: to train on, then to judge images of `judged_size` pixels."""
    needed = [
        Wanted("train", phase.image_size, policy, copy)
        for policy in phase.phase.policies
        for copy in range(copies_of(phase) if Wanted("train", phase.image_size, policy).is_random else 1)
    ]
    if judges_features(recipe, phase):
        splits = dict.fromkeys(packed_split_of(name) for name in judged_names(plan, phase, recipe))
        needed += [Wanted(split, judged_size, recipe.evaluation.policy) for split in splits]
    return [one for index, one in enumerate(needed) if one not in needed[:index]]


@dataclass
class PhaseFeatures:
    """The features that one phase needs, computed or found on the disk as they are asked for.

    Args:
        body: the network as the phase begins.
        subsets: of the run; 'train' among them.
        folder: of all cached features.
        watch: is told the progress; it may raise to stop.
    """

    body: FrozenBody
    subsets: Mapping[str, Subset]
    folder: Path
    watch: Watch
    _opened: dict[str, Tensor] = field(default_factory=dict, init=False)

    def training_batches(self, phase: PhasePlan) -> RowBatches:
        """Return the batches that `phase` trains on."""
        train, recipe = self.subsets["train"], self.body.recipe
        copies = [
            [self._rows("train", Wanted("train", phase.image_size, policy, copy)) for policy in phase.phase.policies]
            for copy in range(copies_of(phase))
        ]
        return RowBatches(
            copies=copies,
            positions=train.positions,
            labels=train.labels,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            phase=phase.index,
            device=train.images.device,
        )

    def of_subset(self, name: str, image_size: int) -> Tensor:
        """Return the features f[N,D] of the split that holds the subset `name`, prepared as images are judged."""
        return self._rows(name, Wanted(packed_split_of(name), image_size, self.body.recipe.evaluation.policy))

    def _rows(self, name: str, wanted: Wanted) -> Tensor:
        images = self.subsets[name].images
        key = self.body.describe(wanted, images).key
        if key not in self._opened:
            found = extract(self.body, images, wanted, self.folder, self.watch)
            self._opened[key] = place_rows(torch.from_numpy(found), images.device)
        return self._opened[key]


@torch.no_grad()
def judge_features(model: nn.Module, rows: Tensor, subset: Subset, recipe: Recipe) -> Tensor:
    """Return the logits f32[M,K], on the CPU, that the network's head gives for the features of `subset`.

    Args:
        model: the network.
        rows: f[N,D], features of the whole split that holds the subset.
        subset: the images.
        recipe: states precision and batch size.
    """
    _, head = head_of(model)
    device = subset.images.device
    batches = torch.split(subset.positions, recipe.evaluation.batch_size)
    with evaluation_mode(model), mixed_precision(device, DTYPES[recipe.precision]):
        return torch.cat([head(take_rows(rows, batch, device)).float().cpu() for batch in batches])
