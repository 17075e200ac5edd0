"""A run's network with its images, to be analysed."""

from pathlib import Path

import torch

from thumbnet import analyses
from thumbnet.analysis import Subject
from thumbnet.data import judged_subset, whole_split
from thumbnet.packed import PackedDataset
from thumbnet.run import RunDirectory
from thumbnet.watch import silent
from thumbnet.workflows.judging import load_network

CPU = torch.device("cpu")


def subject_of(run: RunDirectory, dataset: PackedDataset, folder: Path, judged: str = "val") -> Subject:
    """Return the last network of `run`, judged on that subset, with its features kept in `folder`."""
    return Subject(
        origin=analyses.current_origin(run),
        model=load_network(run, "last", CPU),
        recipe=run.recipe(),
        image_size=dataset.image_size,
        class_names=tuple(info.name for info in dataset.classes),
        class_ids=tuple(info.id for info in dataset.classes),
        find_judged=lambda: judged_subset(dataset, judged, CPU),
        train=whole_split(dataset, "train", CPU),
        device=CPU,
        folder=folder,
        watch=silent,
    )
