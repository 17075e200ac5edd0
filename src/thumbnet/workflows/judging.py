"""Judging a finished run: its network on a split, under a choice of test-time views."""

import shlex
from pathlib import Path

import torch
from torch import nn

from thumbnet.data import judged_subset
from thumbnet.errors import DataError, PredictionError, RunError
from thumbnet.evaluate import predict_subset
from thumbnet.models import build_model
from thumbnet.predictions import Predictions
from thumbnet.run import RunDirectory
from thumbnet.train import load_run_data
from thumbnet.train.state import load_weights


def load_network(run: RunDirectory, weights: str, device: torch.device) -> nn.Module:
    """Return the network of a complete run with its weights called `weights`, in evaluation mode, on `device`.

    Raises:
        RunError: the run is unfinished, or has no such weights.
    """
    run.require_complete()
    recipe, data = run.recipe(), run.data()
    model = build_model(recipe.model, len(data["classes"]), recipe.phases[0].image_size or data["image_size"])
    load_weights(model, run.weights_path(weights))
    if recipe.channels_last:
        model = model.to(memory_format=torch.channels_last)
    return model.to(device).eval()


def judge(
    run: RunDirectory,
    split: str = "val",
    *,
    views: str = "none",
    weights: str = "last",
    data: Path | None = None,
    device: torch.device | None = None,
) -> Predictions:
    """Return a complete run's predictions for a split.

    What the run stored is used where it answers (last weights, no test-time views); the network computes the rest.

    Args:
        run: the run directory.
        split: 'holdout', 'val', 'test' or another split of the data.
        views: 'none', 'flip' or 'ten-crop'.
        weights: 'last', 'best', 'first' or as `thumbnet.run.epoch_tag` gives it.
        data: packed data with the same classes; `None` takes the run's own.
        device: where to compute; `None` is the CPU.

    Raises:
        ThumbnetError: the run is unfinished or damaged, or the data does not fit it.
    """
    run.require_complete()
    if data is None and views == "none" and weights == "last" and run.predictions_path(split).exists():
        return stored_predictions(run, split)
    dataset = load_run_data(run, data)
    place = device or torch.device("cpu")
    return predict_subset(
        load_network(run, weights, place),
        judged_subset(dataset, split, place),
        run.recipe(),
        dataset,
        weights=weights,
        views=views,
        commit=run.sessions()[0].get("commit"),
    )


def stored_predictions(run: RunDirectory, split: str) -> Predictions:
    """Return what the run stored for a split: last weights, no test-time views.

    Raises:
        RunError: nothing is stored for it, or it is damaged.
    """
    try:
        return Predictions.load(run.predictions_path(split))
    except PredictionError as error:
        described = shlex.quote(str(run.data()["path"]))
        raise RunError(
            f"run {run.path}: its stored predictions for {split!r} are missing or damaged; "
            f"have the network compute them with --data {described}, or train again"
        ) from error


def seen_in_training(run: RunDirectory, split: str) -> bool:
    """Return whether the run trained on images of `split`, so that its figures there say nothing of new images."""
    return split == "train" or (split == "holdout" and run.recipe().train_on == "all")


def require_labels(predictions: Predictions) -> None:
    """Check that the predictions can be scored.

    Raises:
        DataError: the split has no labels.
    """
    if (predictions.labels < 0).any():
        raise DataError(
            f"split {predictions.split!r} has no labels, so it cannot be scored; "
            "write a submission with: thumbnet predict RUN --split test --out FILE"
        )
