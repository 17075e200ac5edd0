"""The fixed holdout of a training split, on which every choice is made."""

import hashlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from thumbnet.packed.reader import PackedSplit


def holdout_mask(split: PackedSplit) -> NDArray[np.bool_]:
    """Return the fixed holdout of a training split, as bool [N].

    Of a class with n images, min(50, max(1, round(n / 10))) are held out: those whose ids have the smallest SHA-256,
    which depends neither on the order nor on a seed. A class with a single image keeps it for training.
    """
    digests = [hashlib.sha256(image_id.encode()).digest() for image_id in split.image_ids]
    mask = np.zeros(len(split), dtype=np.bool_)
    for label in np.unique(split.labels[split.labels >= 0]):
        members = np.flatnonzero(split.labels == label)
        if len(members) > 1:
            held_out = min(50, max(1, round(len(members) / 10)))
            mask[sorted(members.tolist(), key=digests.__getitem__)[:held_out]] = True
    return mask


def packed_split_of(subset: str) -> str:
    """Return the packed split that holds a subset: that of 'holdout' and 'train_eval' is train."""
    return "train" if subset in {"holdout", "train_eval"} else subset


def subset_indices(dataset_split: PackedSplit, subset: Literal["fit", "holdout", "all"]) -> NDArray[np.int64]:
    """Return the ascending positions, int64, of the images of a subset of a training split.

    Args:
        dataset_split: the training split.
        subset: `fit` (without the holdout), `holdout`, or `all`.
    """
    if subset == "all":
        return np.arange(len(dataset_split), dtype=np.int64)
    if subset not in {"fit", "holdout"}:
        raise ValueError(f"unknown subset '{subset}'; known: all, fit, holdout")
    mask = holdout_mask(dataset_split)
    return np.flatnonzero(mask if subset == "holdout" else ~mask).astype(np.int64)
