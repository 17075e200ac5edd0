"""Run directories: the only package that knows the names of the files in one."""

from thumbnet.run.directory import RunDirectory, State
from thumbnet.run.metrics import MetricsFile, evaluations, iterations, steps_to_perfect
from thumbnet.run.places import Snapshot, epoch_tag, snapshot_tag

__all__ = [
    "MetricsFile",
    "RunDirectory",
    "Snapshot",
    "State",
    "epoch_tag",
    "evaluations",
    "iterations",
    "snapshot_tag",
    "steps_to_perfect",
]
