"""A small recipe that several test modules make studies of."""

from dataclasses import replace
from typing import Any

from tests.helpers import short_recipe
from thumbnet.recipe import Checkpointing, Evaluation, Optimizer, Phase, Recipe, iterations


def tiny(name: str = "tiny", **changes: Any) -> Recipe:
    """A run of a few steps, judged after each two."""
    recipe = short_recipe(
        name=name,
        optimizer=Optimizer("adamw", lr=0.01),
        phases=(Phase(iterations(6)),),
        evaluation=Evaluation(every=iterations(2), splits=("holdout", "val"), train_images=16),
        checkpointing=Checkpointing(filters=()),
        selected_on="val",
    )
    return replace(recipe, **changes)
