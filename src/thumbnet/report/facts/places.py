"""Images that an analysis names by their places in a packed split: their ids."""

import numpy as np
from numpy.typing import NDArray

from thumbnet.report.facts.table import Missing
from thumbnet.report.subject import Subject


def ids_of(subject: Subject, split: str, positions: NDArray[np.int64]) -> list[str]:
    """Return the ids of the images at `positions` of a packed split; without the data, the split and the place."""
    if isinstance(subject.dataset, Missing) or split not in subject.dataset.split_names:
        return [f"{split} {position}" for position in positions.tolist()]
    known = subject.dataset.split(split, verify=False).image_ids
    return [known[position] for position in positions.tolist()]
