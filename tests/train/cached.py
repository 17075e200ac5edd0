"""Recipes with phases on cached features, for tests of what they train and of how they resume."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.helpers import CROP, FLIP, short_recipe
from thumbnet import train
from thumbnet.recipe import (
    Checkpointing,
    Ema,
    Evaluation,
    Head,
    Loss,
    Model,
    Optimizer,
    Phase,
    Recipe,
    epochs,
    iterations,
)

NETWORK = Model("timm/test_resnet")


def linear(copies: int, **changes: Any) -> Recipe:
    """A linear head for three epochs, on so many cached copies or on images."""
    defaults: dict[str, Any] = {
        "model": NETWORK,
        "optimizer": Optimizer("adamw", lr=0.01),
        "phases": (Phase(epochs(3), trainable="head", cached_features=copies),),
    }
    return short_recipe(**(defaults | changes))


def head_then_all(**changes: Any) -> Recipe:
    """A head on two copies under two policies, then everything."""
    phases = (
        Phase(epochs(1.5), policies=(FLIP, CROP), trainable="head", cached_features=2),
        Phase(epochs(1), policies=(FLIP,)),
    )
    defaults: dict[str, Any] = {
        "phases": phases,
        "model": replace(NETWORK, head=Head(hidden=8, dropout=0.2)),
        "ema": Ema(0.8),
        "clip_norm": 1.0,
        "loss": Loss(0.1),
        "selected_on": "holdout",
        "evaluation": Evaluation(every=iterations(3), splits=("holdout", "val"), train_images=16),
        "checkpointing": Checkpointing(snapshots=2),
    }
    return linear(2, **(defaults | changes))


def folders(options: train.Options) -> list[Path]:
    """Return the folders of features in the cache of `options`, sorted."""
    assert options.cache is not None
    return sorted(place for place in (options.cache / "features").iterdir() if place.is_dir())
