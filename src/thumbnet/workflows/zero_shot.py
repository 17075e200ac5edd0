"""Zero-shot: what a pretrained network says of the data's classes before it has seen any of their images."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from thumbnet.data import judged_subset
from thumbnet.errors import DataError, RecipeError
from thumbnet.evaluate import predict_subset
from thumbnet.models import check_model, has_classifier, is_packaged, placed, published_options
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipe import Head, Model, Optimizer, Phase, Recipe, epochs, to_json
from thumbnet.recipes import find_recipe
from thumbnet.train.begin import begun
from thumbnet.train.trainer import initial_model

WEIGHTS = "zero-shot"
"""What predictions call the weights of a network that was never trained on the data."""

_LIBRARIES = ("timm/", "torchvision/")


@dataclass(frozen=True)
class ZeroShot:
    """A pretrained network's predictions for a split, what made them, and the seconds that they took.

    `image_size` is the side of the images that the network saw, in pixels.
    """

    recipe: Recipe
    image_size: int
    predictions: Predictions
    seconds: float

    @property
    def name(self) -> str:
        """What a record of it is called."""
        return f"{self.recipe.name}-zero-shot"

    def figures(self) -> Mapping[str, Any]:
        """Return its figures by name: scores as fractions, and all that they depend on."""
        return {
            "split": self.predictions.split,
            **self.predictions.scores().to_json(),
            "views": self.predictions.provenance["views"],
            "image_size": self.image_size,
            "pretrained": True,
            "data": self.predictions.provenance["data"],
            "seconds": self.seconds,
            "recipe": to_json(self.recipe),
        }


def zero_shot_recipe(name: str) -> Recipe:
    """Return a recipe whose network begins as the pretrained classifier, restricted to the classes of the data.

    Args:
        name: a recipe that begins from pretrained weights, by name or path, whose preprocessing and precision stay; or
            a network of a library, such as 'timm/tf_efficientnet_lite0', with its own preprocessing.

    Raises:
        RecipeError: there is no such recipe, or it has no pretrained weights.
        StorageError: the file of a recipe cannot be read.
    """
    if name.startswith(_LIBRARIES):
        model = Model(name, published_options(name), weights="package" if is_packaged(name) else "imagenet")
        optimizer, phase = Optimizer("sgd", lr=0.1), Phase(epochs(1))
        recipe = Recipe(name.rpartition("/")[2], model, optimizer, (phase,), preprocessing="network")
    else:
        recipe = find_recipe(name)
    if recipe.model.weights is None and recipe.model.init is None:
        raise RecipeError(
            f"recipe {recipe.name!r} begins from random weights, which know no class; give one with pretrained ones, "
            "or a network such as timm/tf_efficientnet_lite0"
        )
    return _as_classifier(recipe)


def zero_shot(
    recipe: Recipe, dataset: PackedDataset, split: str, device: torch.device, *, views: str = "none"
) -> ZeroShot:
    """Return what the network with which `recipe` begins says of `split`, without any training.

    Args:
        recipe: as `zero_shot_recipe` gives it, or with other settings; its head is the classifier whatever they say.
        dataset: its classes must be ImageNet's, called by WordNet ids.
        split: a split with labels.
        device: where to compute.
        views: test-time views.

    Raises:
        ThumbnetError: a network that does not exist, weights that cannot be had, other classes, or a split that is
            missing or without labels.
    """
    check_model(replace(recipe.model, head=Head()))
    if recipe.model.weights == "imagenet" and not has_classifier(recipe.model.name):
        raise RecipeError(
            f"model {recipe.model.name}: its weights have no classifier of ImageNet's classes, so they know none; "
            "give others of its weights (timm/<name>.<weights>)"
        )
    stated = begun(_as_classifier(recipe), dataset)
    subset = judged_subset(dataset, split, device)
    if (subset.labels < 0).any():
        raise DataError(
            f"split {split!r} has no labels, so no answer can be scored; give one with labels, such as val"
        )
    model = placed(initial_model(stated, dataset), stated, device)
    started = time.perf_counter()
    predictions = predict_subset(model, subset, stated, dataset, weights=WEIGHTS, views=views)
    return ZeroShot(stated, stated.judged_size(dataset.image_size), predictions, time.perf_counter() - started)


def _as_classifier(recipe: Recipe) -> Recipe:
    return replace(recipe, model=replace(recipe.model, head=Head(start="classifier")))
