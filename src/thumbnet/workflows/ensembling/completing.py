"""What the networks that a run kept say about splits that they were not judged on while it trained."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from thumbnet.data import judged_subset
from thumbnet.evaluate import predict_subset
from thumbnet.run import choosing_splits
from thumbnet.train import load_own_data
from thumbnet.watch import Watch, silent
from thumbnet.workflows.ensembling.members import Lack
from thumbnet.workflows.judging import load_network


def complete_kept(
    lacking: Sequence[Lack], *, data: Path | None = None, device: torch.device | None = None, watch: Watch = silent
) -> None:
    """Compute the predictions that are lacking from the stored weights, and store them in the runs.

    Each is stored as soon as it is there, so that a stopped call goes on with those that are left.

    Args:
        lacking: of which network, for which split.
        data: where the runs' packed data lies now; `None` takes it from where each run found it.
        device: where to compute; `None` is the CPU.
        watch: told how many are done.

    Raises:
        ThumbnetError: weights are damaged, the data is gone or other data than a run's, or the run directory is in
            use by another process or cannot be written.
    """
    place, done = device or torch.device("cpu"), 0
    for run, split in dict.fromkeys((one.run, one.split) for one in lacking):
        with run.lock():
            dataset = load_own_data(run, data)
            subset, commit = judged_subset(dataset, split, place), run.sessions()[0].get("commit")
            for kept in [one.kept for one in lacking if (one.run, one.split) == (run, split)]:
                watch(f"{run.path}: predictions of kept networks", done, len(lacking))
                model = load_network(run, kept.tag, place)
                found = predict_subset(model, subset, run.recipe(), dataset, weights=kept.tag, commit=commit)
                found = replace(found, provenance={**found.provenance, **asdict(kept)})
                found.with_choice(choosing_splits(run, kept.tag)).save(run.predictions_path(split, kept))
                done += 1
                watch(f"{run.path}: predictions of kept networks", done, len(lacking))
