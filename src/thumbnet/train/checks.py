"""What can be known about a recipe and its data before anything runs or is written."""

import copy
from dataclasses import replace

import torch

from thumbnet.augment import MIXING_OPERATIONS, build_policy
from thumbnet.data import training_positions
from thumbnet.errors import DataError, RecipeError, reason_of
from thumbnet.evaluate import Preprocessing
from thumbnet.features.body import check_body
from thumbnet.models import first_convolution, multiply_adds
from thumbnet.optim import check_optimizer, parameter_groups
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Phase, Recipe
from thumbnet.train.begin import begun
from thumbnet.train.phases import optimizer_of, set_modes, set_trainable
from thumbnet.train.plan import PhasePlan, make_plan
from thumbnet.train.trainer import initial_model


def check_recipe(recipe: Recipe, dataset: PackedDataset) -> Recipe:
    """Check all that can be checked before training: names, options, lengths, and one image through everything.

    Returns:
        The recipe as its run will state it (see `thumbnet.train.begin`).

    Raises:
        RecipeError: what does not fit, in one line.
        RunError: `model.init` names a folder that is no run, or an unfinished one.
        DataError: the data has no training split.
    """
    if "train" not in dataset.split_names:
        raise DataError(f"{dataset.path}: the data has no split to train on; pack data that has one")
    recipe = begun(recipe, dataset)
    for index in range(len(recipe.phases)):
        check_optimizer(optimizer_of(recipe, index))
    images = len(training_positions(dataset.split("train", verify=False), recipe))
    plan = make_plan(recipe, images, dataset.image_size)
    _check_kept(recipe, make_plan(replace(recipe, fraction=1.0), images, dataset.image_size).epochs)
    if recipe.selected_on not in ("none", "holdout", *dataset.split_names):
        raise RecipeError(f"selected_on: the data has no split {recipe.selected_on!r}; use 'holdout' or 'none'")
    model = initial_model(recipe, dataset)
    first_convolution(model)
    sizes = {f"phases.{number}": phase.image_size for number, phase in enumerate(recipe.phases)}
    sizes["evaluation"] = Preprocessing.of(recipe, dataset.image_size).image_size
    for where, size in sizes.items():
        _check_size(model, recipe, size or dataset.image_size, where)
    for planned in plan.phases:
        set_trainable(model, planned.phase)
        parameter_groups(model, optimizer_of(recipe, planned.index))
        _check_policies(planned, dataset)
        if planned.phase.cached_features:
            _check_features(model, planned.phase, planned.index, dataset)
        elif _has_batch_of_one(planned, images, recipe.batch_size):
            _check_batch_of_one(model, planned, recipe)
    blank = torch.zeros(1, 3, dataset.image_size, dataset.image_size)
    Preprocessing.of(recipe, dataset.image_size).policy(blank)
    return recipe


def _check_kept(recipe: Recipe, last: int) -> None:
    """Check that no epoch is to be kept past the `last` of the recipe's full length."""
    past = [epoch for epoch in recipe.checkpointing.keep if epoch > last]
    if past:
        raise RecipeError(
            f"checkpointing.keep: there is no epoch {past[0]}, for the last is {last}; name epochs of 1 to {last}, or "
            "lengthen the phases"
        )


def _check_size(model: torch.nn.Module, recipe: Recipe, size: int, where: str) -> None:
    try:
        multiply_adds(model, size)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise RecipeError(
            f"model {recipe.model.name}: cannot take images of {size} pixels ({reason_of(error)}); "
            f"set {where}.image_size"
        ) from error


def _check_features(model: torch.nn.Module, phase: Phase, number: int, dataset: PackedDataset) -> None:
    """Check that the head of `model` can be trained on cached features under the policies of `phase`."""
    for operation in (operation for policy in phase.policies for operation in policy):
        if operation.name in MIXING_OPERATIONS.functions:
            raise RecipeError(
                f"phases.{number}: {operation.name} mixes the images of a batch, whose features are cached singly; "
                "take it out of the phase's policies, or set cached_features=0"
            )
    check_body(model, phase.image_size or dataset.image_size)


def _has_batch_of_one(planned: PhasePlan, images: int, batch_size: int) -> bool:
    """Return whether a phase comes to a batch of one image: all are, or the last one of an epoch that it ends."""
    pairs = images * len(planned.phase.policies)
    return batch_size == 1 or (pairs % batch_size == 1 and planned.steps >= planned.steps_per_epoch)


def _check_batch_of_one(model: torch.nn.Module, planned: PhasePlan, recipe: Recipe) -> None:
    """Put one blank image through `model` as the phase trains it: batch norm over 1x1 values refuses that."""
    trained = copy.deepcopy(model)
    set_modes(trained, planned.phase)
    blank = torch.zeros(1, 3, planned.image_size, planned.image_size)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            trained(blank)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise RecipeError(
            f"phases.{planned.index}: a batch has one image, on which model {recipe.model.name} "
            f"cannot train ({reason_of(error)}); choose another batch_size"
        ) from error


def _check_policies(planned: PhasePlan, dataset: PackedDataset) -> None:
    """Build every policy and put two blank images through it: an operation may not fit their size.

    Nor may it change their size in a phase that states none, which would bring them back to the data's unasked.
    """
    for number, policy in enumerate(planned.phase.policies):
        blank = torch.zeros(2, 3, dataset.image_size, dataset.image_size)
        augmentation = build_policy(policy, len(dataset.classes))
        images, _ = augmentation(blank, torch.zeros(2, dtype=torch.int64), torch.Generator())
        side = images.shape[-1]
        if planned.phase.image_size is None and side != dataset.image_size:
            raise RecipeError(
                f"phases.{planned.index}.policies.{number}: gives images of {side} pixels, while the data has "
                f"{dataset.image_size} and the phase states no size; set phases.{planned.index}.image_size={side}, or "
                f"{dataset.image_size} to have them resized"
            )
