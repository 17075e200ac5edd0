"""What a complete run stores: last weights and filters, predictions of each split, and the result."""

from typing import Any

from thumbnet import metrics
from thumbnet.evaluate import predict_subset
from thumbnet.models import multiply_adds, parameter_count
from thumbnet.packed import PackedDataset
from thumbnet.predictions import SPLITS, is_scored
from thumbnet.run import RunDirectory
from thumbnet.train.hardware import peak_memory_bytes
from thumbnet.train.loop import save_filters
from thumbnet.train.state import save_weights
from thumbnet.train.trainer import Trainer
from thumbnet.views import find_views


def finish(trainer: Trainer, run: RunDirectory, dataset: PackedDataset) -> None:
    """Write all of it, mark the run complete, and remove the checkpoint to resume from.

    The holdout is scored only when the run did not train on it; its logits are stored in any case. Where the recipe
    names test-time views, predictions and scores with them are stored too.
    """
    save_weights(trainer.state.judged, run.weights_path("last"))
    save_filters(trainer, run, "last")
    result = _result(trainer, _judge(trainer, run, dataset, "none"))
    views = find_views(trainer.recipe.evaluation.views).name
    if views != "none":
        result["views"] = {"name": views, "scores": _judge(trainer, run, dataset, views)}
    run.write_result(result)
    run.keep_snapshots(trainer.state.snapshots)
    run.write_status("complete", trainer.state.step, trainer.plan.total_steps)
    run.state_path.unlink(missing_ok=True)


def _judge(trainer: Trainer, run: RunDirectory, dataset: PackedDataset, views: str) -> dict[str, Any]:
    """Store the predictions of each split with these views, and return the scores of those that can be scored."""
    scores = {}
    commit = run.sessions()[0].get("commit")
    for split in SPLITS:
        subset = trainer.subsets.get(split)
        if subset is None or len(subset.positions) == 0:
            continue
        logits = trainer.judge(subset) if views == "none" else None
        predictions = predict_subset(
            trainer.state.judged,
            subset,
            trainer.recipe,
            dataset,
            weights="last",
            views=views,
            commit=commit,
            logits=logits,
        )
        predictions.with_choice(trainer.recipe.model.selected_on).save(
            run.predictions_path(split, views=views != "none")
        )
        if is_scored(predictions.labels, predictions.provenance, split):
            scores[split] = predictions.scores().to_json()
    return scores


def _result(trainer: Trainer, scores: dict[str, Any]) -> dict[str, Any]:
    state, recipe = trainer.state, trainer.recipe
    return {
        "recipe": recipe.name,
        "scores": scores,
        "best": _best(trainer),
        "steps": state.step,
        "epochs": trainer.plan.epochs_done(state.step),
        "images_seen": state.images,
        "train_seconds": state.train_seconds,
        "total_seconds": state.total_seconds,
        "images_per_second": state.images / state.train_seconds,
        "peak_memory_bytes": peak_memory_bytes(trainer.device),
        "parameters": parameter_count(state.model),
        "multiply_adds": multiply_adds(state.judged, trainer.preprocessing.image_size),
    }


def _best(trainer: Trainer) -> dict[str, Any] | None:
    """Return the best evaluation on the split that selects: its top-1, 95% interval, step and epoch."""
    best, split = trainer.state.best, trainer.recipe.selected_on
    if split == "none" or best.step == 0:
        return None
    images = len(trainer.subsets[split].positions)
    return {
        "split": split,
        "top1": best.top1,
        "top1_interval": list(metrics.accuracy_interval(round(best.top1 * images), images)),
        "images": images,
        "step": best.step,
        "epoch": trainer.plan.epochs_done(best.step),
    }
