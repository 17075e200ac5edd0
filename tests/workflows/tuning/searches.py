"""Small searches that several test modules run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna

from tests.helpers import QUIET, short_recipe
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Checkpointing, Evaluation, Optimizer, Phase, Recipe, iterations
from thumbnet.studies import Search, make_search
from thumbnet.workflows.tuning.result import SearchResult
from thumbnet.workflows.tuning.searching import run_search

RATES = ["optimizer.lr=1e-5..1:log"]


def tiny(**changes: Any) -> Recipe:
    """A run of a few steps, judged after each four."""
    recipe = short_recipe(
        name="tiny",
        optimizer=Optimizer("adamw", lr=0.01),
        phases=(Phase(iterations(12)),),
        evaluation=Evaluation(every=iterations(4), splits=("holdout", "val"), train_images=16),
        checkpointing=Checkpointing(filters=()),
    )
    return replace(recipe, **changes)


def rates(trials: int, **choices: Any) -> Search:
    return make_search(tiny(), RATES, trials, **choices)


def search(chosen: Search, dataset: PackedDataset, out: Path, **more: Any) -> SearchResult:
    return run_search(chosen, dataset, out, QUIET, **more)


def stored_study(out: Path, name: str = "tiny-tune") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{out / name / 'study.db'}")
