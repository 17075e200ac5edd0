"""Recipes: everything that decides a run, as names and numbers."""

from thumbnet.recipe.codec import assign, from_json, to_json
from thumbnet.recipe.schema import (
    Checkpointing,
    Ema,
    Evaluation,
    Length,
    Loss,
    Model,
    Normalization,
    Operation,
    Optimizer,
    Phase,
    Policy,
    Recipe,
    Schedule,
    epochs,
    iterations,
    operation,
)

__all__ = [
    "Checkpointing",
    "Ema",
    "Evaluation",
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
    "to_json",
]
