"""Evaluation while training: the splits that the recipe names, and training accuracy in evaluation mode."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.data import Subset
from thumbnet.errors import TrainingError
from thumbnet.train.state import Best
from thumbnet.train.trainer import Trainer


class Assessment(NamedTuple):
    """One evaluation: the row for the metrics, and the logits f32[N,K] of each split that the recipe names."""

    row: dict[str, Any]
    logits: dict[str, NDArray[np.float32]]


def assess(trainer: Trainer, learning_rate: float) -> Assessment:
    """Evaluate the judged network.

    Args:
        trainer: the run, at the end of a step.
        learning_rate: of that step.

    Returns:
        The logits, and a row of `step`, `epoch`, `lr`, `running_train_loss` and `running_train_top1` (means over the
        training batches since the last evaluation, as they were seen: augmented, in training mode), `eval_train_loss`
        and `eval_train_top1` (a fixed selection of training images in evaluation mode), `<split>_loss`, `_top1`,
        `_top5` of each split, `images_per_second` and `seconds`.

    Raises:
        TrainingError: an output of the network is not finite.
    """
    state, totals = trainer.state, trainer.state.totals
    row: dict[str, Any] = {
        "step": state.step,
        "epoch": round(trainer.plan.epochs_done(state.step), 5),
        "lr": learning_rate,
        "running_train_loss": totals.loss / totals.images,
        "running_train_top1": totals.correct / totals.images,
    }
    logits: dict[str, NDArray[np.float32]] = {}
    if "train_eval" in trainer.subsets:
        _, scores = _judged(trainer, trainer.subsets["train_eval"])
        row |= {"eval_train_loss": scores.nll, "eval_train_top1": scores.top1}
    for split in trainer.recipe.evaluation.splits:
        if split in trainer.subsets:
            logits[split], scores = _judged(trainer, trainer.subsets[split])
            row |= {f"{split}_loss": scores.nll, f"{split}_top1": scores.top1, f"{split}_top5": scores.top5}
    row |= {"images_per_second": totals.images / totals.seconds, "seconds": totals.seconds}
    return Assessment(row, logits)


def improved(trainer: Trainer, row: dict[str, Any]) -> bool:
    """Note whether `row` holds the best evaluation so far on the split that selects, and return it."""
    top1 = row.get(f"{trainer.recipe.selected_on}_top1")
    if top1 is None or top1 <= trainer.state.best.top1:
        return False
    trainer.state.best = Best(top1, trainer.state.step)
    return True


def _judged(trainer: Trainer, subset: Subset) -> tuple[NDArray[np.float32], metrics.Scores]:
    logits = trainer.judge(subset)
    if not bool(logits.isfinite().all()):
        raise TrainingError(
            f"the network's outputs for {subset.name} are not finite after iteration {trainer.state.step}; "
            "the last good checkpoint is kept; lower optimizer.lr, set clip_norm, or use precision=fp32"
        )
    return logits.numpy(), metrics.score(logits.numpy(), subset.labels.numpy())
