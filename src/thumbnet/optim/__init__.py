"""Optimisers and learning-rate schedules by name."""

from thumbnet.optim.layers import layer_depths
from thumbnet.optim.optimizers import build_optimizer, check_optimizer, optimizer_names, parameter_groups
from thumbnet.optim.schedules import Factor, build_schedule, schedule_names

__all__ = [
    "Factor",
    "build_optimizer",
    "build_schedule",
    "check_optimizer",
    "layer_depths",
    "optimizer_names",
    "parameter_groups",
    "schedule_names",
]
