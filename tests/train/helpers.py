"""What takes the steps of a run, without the run."""

from pathlib import Path

import torch

from thumbnet.data import training_subsets
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Recipe
from thumbnet.train.plan import make_plan
from thumbnet.train.trainer import Trainer, make_trainer

CPU = torch.device("cpu")


def trainer_of(recipe: Recipe, data: PackedDataset, cache: Path | None = None) -> Trainer:
    """Return the trainer of `recipe` on `data`, before its first step."""
    subsets = training_subsets(data, CPU, recipe)
    plan = make_plan(recipe, len(subsets["train"].positions), data.image_size)
    return make_trainer(recipe, plan, data, subsets, CPU, cache=cache)
