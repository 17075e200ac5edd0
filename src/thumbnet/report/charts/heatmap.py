"""The confusion matrix as a picture, one pixel a cell, transparent where nothing is, for light and dark."""

import numpy as np
from numpy.typing import NDArray

_RIGHT = (37, 99, 235)
_WRONG = (234, 88, 12)


def draw_heatmap(matrix: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the picture u8[K,K,4] of a confusion matrix i64[K,K] (rows are true classes).

    The diagonal is blue and the errors orange. Opacity is the square root of the share of the row's images, so that
    single errors can still be seen.
    """
    totals = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    picture = np.zeros((*matrix.shape, 4), dtype=np.uint8)
    picture[..., :3] = _WRONG
    picture[np.arange(len(matrix)), np.arange(len(matrix)), :3] = _RIGHT
    picture[..., 3] = np.round(255 * np.where(share > 0, 0.25 + 0.75 * np.sqrt(share), 0))
    # Transparent pixels that are all alike compress better.
    picture[picture[..., 3] == 0] = 0
    return picture
