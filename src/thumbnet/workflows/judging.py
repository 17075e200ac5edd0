"""Judging a finished run: its network on a split, under a choice of test-time views."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from thumbnet.data import judged_subset
from thumbnet.ensemble import check_over
from thumbnet.evaluate import predict_subset
from thumbnet.models import build_model, placed, without_weights
from thumbnet.predictions import Predictions
from thumbnet.recipe import Recipe
from thumbnet.run import RunDirectory, choosing_splits, has_images_of
from thumbnet.train import load_own_data, load_run_data
from thumbnet.train.state import load_weights
from thumbnet.workflows.stored import How, find_stored


def load_network(run: RunDirectory, weights: str, device: torch.device) -> nn.Module:
    """Return the network of a complete run with its weights called `weights`, in evaluation mode, on `device`.

    Raises:
        RunError: the run is unfinished, or has no such weights.
    """
    run.require_complete()
    recipe, data = run.recipe(), run.data()
    size = recipe.first_size(data["image_size"])
    model = build_model(without_weights(recipe.model), len(data["classes"]), size)
    load_weights(model, run.stored_weights(weights))
    return placed(model, recipe, device).eval()


def judge(
    run: RunDirectory,
    split: str = "val",
    how: How = How(),
    *,
    data: Path | None = None,
    device: torch.device | None = None,
) -> Predictions:
    """Return a complete run's predictions for a split.

    What the run stored is used where it answers (last weights; no test-time views, or the recipe's); the network
    computes the rest. It sees images of other data at the size at which it judged the run's own.

    Args:
        run: the run directory.
        split: 'holdout', 'val', 'test' or another split of the data.
        how: test-time views (`thumbnet.views`), what is averaged over them, and weights: 'last', 'best', 'first', or
            as `epoch_tag` and `snapshot_tag` of `thumbnet.run` give it.
        data: packed data with the same classes, the run's own or not (`of_other_data` tells); `None` takes its own.
        device: where to compute; `None` is the CPU.

    Raises:
        ThumbnetError: the run is unfinished or damaged, or the data does not fit it; or without `data`, other data
            than the run's lies now where its own was.
    """
    check_over(how.over)
    stored = find_stored(run, split, how) if data is None else None
    if stored is not None:
        return stored
    run.require_complete()
    dataset = load_own_data(run, None) if data is None else load_run_data(run, data)
    chosen = choosing_splits(run, how.weights)
    if chosen and not has_images_of(dataset, run):
        chosen = []
    place = device or torch.device("cpu")
    found = predict_subset(
        load_network(run, how.weights, place),
        judged_subset(dataset, split, place),
        _at_own_size(run),
        dataset,
        weights=how.weights,
        views=how.views,
        over=how.over,
        commit=run.sessions()[0].get("commit"),
    )
    return found.with_choice(chosen)


def _at_own_size(run: RunDirectory) -> Recipe:
    """Return a run's recipe with the size stated at which it judges, which may be that of its data."""
    recipe = run.recipe()
    size = recipe.judged_size(run.data()["image_size"])
    return replace(recipe, evaluation=replace(recipe.evaluation, image_size=size))
