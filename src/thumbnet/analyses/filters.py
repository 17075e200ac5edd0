"""First-layer filters that training has recorded, and which of them changed most."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thumbnet.arrays import read_array
from thumbnet.errors import RunError
from thumbnet.run import RunDirectory

Filters = NDArray[np.float32]
"""First-layer filters f32 [filters, channels, height, width]."""


@dataclass(frozen=True, eq=False)
class FilterChange:
    """How far each filter went between two stages.

    Attributes:
        distance: f64 [filters], Euclidean norm of the difference.
        relative: f64 [filters], that distance over the norm before; infinite where a filter was zero before.
        cosine: f64 [filters], of the angle between before and after; nan where one of them is zero.
        order: i64 [filters], the filters, most changed (by `distance`) first; of equal ones the lower number first.
    """

    distance: NDArray[np.float64]
    relative: NDArray[np.float64]
    cosine: NDArray[np.float64]
    order: NDArray[np.int64]


def recorded_filters(run: RunDirectory) -> dict[str, Filters]:
    """Return the run's first-layer filters by tag: initial, epochs in order, last.

    Raises:
        RunError: a file is damaged, or holds filters of another shape than the others.
    """
    found: dict[str, Filters] = {}
    for tag in run.filters_tags():
        path = run.filters_path(tag)
        try:
            filters = read_array(path)
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: these filters are damaged; train again, or remove the file") from error
        first = next(iter(found.values()), filters)
        if filters.ndim != 4 or filters.shape != first.shape or filters.dtype != np.float32:
            raise RunError(f"{path}: these filters are not of the shape of the others; remove the file")
        found[tag] = filters
    return found


def filter_change(before: Filters, after: Filters) -> FilterChange:
    """Return how far each filter went from `before` to `after`, both of the same shape."""
    old = before.reshape(len(before), -1).astype(np.float64)
    new = after.reshape(len(after), -1).astype(np.float64)
    distance = np.linalg.norm(new - old, axis=1)
    norm_old, norm_new = np.linalg.norm(old, axis=1), np.linalg.norm(new, axis=1)
    relative, cosine = np.full(len(old), np.inf), np.full(len(old), np.nan)
    np.divide(distance, norm_old, out=relative, where=norm_old > 0)
    product = norm_old * norm_new
    np.divide((old * new).sum(1), product, out=cosine, where=product > 0)
    return FilterChange(distance, relative, cosine, np.argsort(-distance, kind="stable"))
