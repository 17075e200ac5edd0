"""Phases on cached features: what such a phase trains on, and what it is judged by."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from thumbnet.data import RowBatches, Subset, place_rows, take_rows
from thumbnet.evaluate import DTYPES, mixed_precision
from thumbnet.features.extraction import FrozenBody, Wanted, extract
from thumbnet.models import evaluation_mode, head_of
from thumbnet.packed import packed_split_of
from thumbnet.predictions import SPLITS
from thumbnet.recipe import Policy, Recipe
from thumbnet.train.plan import PhasePlan, Plan
from thumbnet.watch import Watch


def judges_features(recipe: Recipe, phase: PhasePlan) -> bool:
    """Return whether images are judged by cached features in `phase`, which takes the body that it trains the head of.

    An average of the weights has another body, once an earlier phase has trained that.
    """
    same_body = recipe.ema is None or all(before.cached_features for before in recipe.phases[: phase.index])
    return same_body and phase.phase.cached_features > 0


def training_features(phase: PhasePlan) -> list[list[Wanted]]:
    """Return the features that `phase` trains on: by copy, of those that it comes to use, and policy.

    Where a policy draws nothing, one copy stands for all.
    """
    copies = min(phase.phase.cached_features, -(-phase.steps // phase.steps_per_epoch))

    def wanted(policy: Policy, copy: int) -> Wanted:
        plain = Wanted("train", phase.image_size, policy)
        return replace(plain, copy=copy) if plain.is_random else plain

    return [[wanted(policy, copy) for policy in phase.phase.policies] for copy in range(copies)]


def judging_features(
    recipe: Recipe, plan: Plan, phase: PhasePlan, judged_size: int, subsets: Collection[str]
) -> dict[str, Wanted]:
    """Return the features that images are judged by while `phase` lasts and, after the last one, at the end, by split.

    Args:
        recipe: the recipe.
        plan: its plan.
        phase: one of its phases.
        judged_size: side of judged images, in pixels.
        subsets: names of those that there are.
    """
    if not judges_features(recipe, phase):
        return {}
    at_the_end = SPLITS if phase is plan.phases[-1] else ()
    names = ("train_eval", *recipe.evaluation.splits, *at_the_end)
    splits = dict.fromkeys(packed_split_of(name) for name in names if name in subsets)
    return {split: Wanted(split, judged_size, recipe.evaluation.policy) for split in splits}


@dataclass
class PhaseFeatures:
    """The features that one phase needs, computed or found on the disk as they are asked for.

    Args:
        body: the network as the phase begins.
        subsets: of the run: 'train', and 'val' and 'test' where they are judged.
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
        return RowBatches(
            copies=[[self.rows(wanted) for wanted in copy] for copy in training_features(phase)],
            positions=train.positions,
            labels=train.labels,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            phase=phase.index,
            device=train.images.device,
        )

    def rows(self, wanted: Wanted) -> Tensor:
        """Return the features f[N,D] that are `wanted`, of all images of their split."""
        images = self.subsets[wanted.split].images
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
