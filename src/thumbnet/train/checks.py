"""What can be known about a recipe and its data before anything runs or is written."""

import torch

from thumbnet.augment import build_policy
from thumbnet.data import training_positions
from thumbnet.errors import DataError, RecipeError
from thumbnet.evaluate import Preprocessing
from thumbnet.models import check_model, first_convolution, multiply_adds
from thumbnet.optim import check_optimizer
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Phase, Recipe
from thumbnet.train.phases import optimizer_of, set_trainable
from thumbnet.train.plan import make_plan
from thumbnet.train.trainer import initial_model


def check_recipe(recipe: Recipe, dataset: PackedDataset) -> None:
    """Check all that can be checked before training: names, options, lengths, and one image through everything.

    Raises:
        RecipeError: what does not fit, in one line.
        DataError: the data has no training split.
    """
    if "train" not in dataset.split_names:
        raise DataError(f"{dataset.path}: the data has no split to train on; pack data that has one")
    check_model(recipe.model)
    for index in range(len(recipe.phases)):
        check_optimizer(optimizer_of(recipe, index))
    images = len(training_positions(dataset.split("train", verify=False), recipe))
    make_plan(recipe, images, dataset.image_size)
    if recipe.selected_on not in ("none", "holdout", *dataset.split_names):
        raise RecipeError(f"selected_on: the data has no split {recipe.selected_on!r}; use 'holdout' or 'none'")
    model = initial_model(recipe, dataset)
    first_convolution(model)
    sizes = {f"phases.{number}": phase.image_size for number, phase in enumerate(recipe.phases)}
    sizes["evaluation"] = Preprocessing.of(recipe, dataset.image_size).image_size
    for where, size in sizes.items():
        _check_size(model, recipe, size or dataset.image_size, where)
    for phase in recipe.phases:
        set_trainable(model, phase)
        _check_policies(phase, dataset)
    blank = torch.zeros(1, 3, dataset.image_size, dataset.image_size)
    Preprocessing.of(recipe, dataset.image_size).policy(blank)


def _check_size(model: torch.nn.Module, recipe: Recipe, size: int, where: str) -> None:
    try:
        multiply_adds(model, size)
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).splitlines()[0][:160]
        raise RecipeError(
            f"model {recipe.model.name}: cannot take images of {size} pixels ({reason}); set {where}.image_size"
        ) from error


def _check_policies(phase: Phase, dataset: PackedDataset) -> None:
    """Build every policy and put two blank images through it: an operation may not fit their size."""
    for policy in phase.policies:
        blank = torch.zeros(2, 3, dataset.image_size, dataset.image_size)
        build_policy(policy, len(dataset.classes))(blank, torch.zeros(2, dtype=torch.int64), torch.Generator())
