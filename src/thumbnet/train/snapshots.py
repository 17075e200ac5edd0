"""Snapshots: the networks of one run at each new best, with what they say about the evaluated splits.

A snapshot belongs to the run once a checkpoint knows of it. Its files bear the step's number, so that one taken after
the last checkpoint overwrites none that the checkpoint knows; a resumed run removes it and takes it again.
"""

from dataclasses import asdict

from thumbnet.evaluate import provenance
from thumbnet.predictions import Predictions
from thumbnet.run import RunDirectory, Snapshot, choosing_splits
from thumbnet.train.assess import Assessment
from thumbnet.train.state import save_weights
from thumbnet.train.trainer import Trainer


def take_snapshot(trainer: Trainer, run: RunDirectory, found: Assessment) -> None:
    """Write the judged network's weights and the logits that `found` holds, and note the snapshot in the state.

    When there are more than the recipe keeps, the oldest is no longer noted (Milani 2017, section 3.4). Its files go
    when the next checkpoint is written (`RunDirectory.keep_snapshots`).
    """
    state, recipe = trainer.state, trainer.recipe
    data, commit = run.data(), run.sessions()[0].get("commit")
    snapshot = Snapshot(state.step, found.row["epoch"], found.row[f"{recipe.selected_on}_top1"])
    save_weights(state.judged, run.weights_path(snapshot.tag))
    origin = provenance(recipe, data["fingerprint"], snapshot.tag, commit=commit)
    for split, logits in found.logits.items():
        Predictions(
            split=split,
            image_ids=trainer.subsets[split].image_ids,
            logits=logits,
            labels=trainer.subsets[split].labels.numpy(),
            classes=run.class_ids(),
            provenance=origin | asdict(snapshot),
        ).with_choice(choosing_splits(run, snapshot.tag)).save(run.predictions_path(split, snapshot))
    state.snapshots = (*state.snapshots, state.step)[-recipe.checkpointing.snapshots :]
