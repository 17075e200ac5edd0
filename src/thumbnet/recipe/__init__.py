"""Recipes: everything that decides a run, as names and numbers."""

from thumbnet.recipe.begun import same_recipe, start_from
from thumbnet.recipe.codec import assign, from_json, to_json
from thumbnet.recipe.length import Length, epochs, iterations
from thumbnet.recipe.model import Head, InitialWeights, Model
from thumbnet.recipe.schema import (
    Checkpointing,
    Ema,
    Evaluation,
    Loss,
    Normalization,
    Operation,
    Optimizer,
    Phase,
    Policy,
    Recipe,
    Schedule,
    operation,
)

__all__ = [
    "Checkpointing",
    "Ema",
    "Evaluation",
    "Head",
    "InitialWeights",
    "Length",
    "Loss",
    "Model",
    "Normalization",
    "Operation",
    "Optimizer",
    "Phase",
    "Policy",
    "Recipe",
    "Schedule",
    "assign",
    "epochs",
    "from_json",
    "iterations",
    "operation",
    "same_recipe",
    "start_from",
    "to_json",
]
