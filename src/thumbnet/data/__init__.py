"""Packed images on the training device, and the batches that a step sees."""

from thumbnet.data.batches import Batches
from thumbnet.data.resident import ImageSet, balanced_selection, place, place_rows
from thumbnet.data.rows import RowBatches, take_rows
from thumbnet.data.subsets import Subset, judged_subset, training_positions, training_subsets, whole_split

__all__ = [
    "Batches",
    "ImageSet",
    "RowBatches",
    "Subset",
    "balanced_selection",
    "judged_subset",
    "place",
    "place_rows",
    "take_rows",
    "training_positions",
    "training_subsets",
    "whole_split",
]
