"""Packed data sets of given images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.packed import ClassInfo, PackedDataset, create, load

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Boxes = NDArray[np.int32]


def image_ids(split: str, count: int) -> tuple[str, ...]:
    """Return ids in their canonical order."""
    return tuple(f"{split}_{number:06d}.png" for number in range(count))


def write_packed(
    folder: Path,
    classes: Sequence[ClassInfo],
    splits: Mapping[str, tuple[Images, Labels, Boxes | None]],
    *,
    name: str = "made-up",
    **facts: Any,
) -> PackedDataset:
    """Pack images to `folder` and return the data set.

    Args:
        folder: it must not be there.
        classes: the class list, sorted by id.
        splits: images u8[N,size,size,3], labels i64[N] (of 'train' ascending) and boxes i32[N,4] of each split.
        name: of the data set.
        facts: what packing found, as it stands in the sidecar.
    """
    size = next(iter(splits.values()))[0].shape[1]
    with create(folder, name=name, image_size=size, classes=classes) as writer:
        for key, (images, labels, boxes) in splits.items():
            with writer.split(key, image_ids(key, len(labels)), labels, boxes) as split:
                split.append(images)
        writer.facts.update(facts)
    return load(folder)
