"""Run directories: the only package that knows the names of the files in one."""

from thumbnet.run.choice import choosing_splits, has_images_of, splits_behind
from thumbnet.run.directory import RunDirectory, State
from thumbnet.run.metrics import MetricsFile, evaluations, iterations, steps_to_perfect
from thumbnet.run.places import KeptEpoch, Snapshot, epoch_tag, is_selected, snapshot_tag
from thumbnet.run.whereabouts import find_data

__all__ = [
    "KeptEpoch",
    "MetricsFile",
    "RunDirectory",
    "Snapshot",
    "State",
    "choosing_splits",
    "epoch_tag",
    "evaluations",
    "find_data",
    "has_images_of",
    "is_selected",
    "iterations",
    "snapshot_tag",
    "splits_behind",
    "steps_to_perfect",
]
