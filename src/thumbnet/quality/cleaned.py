"""What an accuracy would be without the images that are in doubt."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.errors import PredictionError
from thumbnet.metrics import Accuracy


@dataclass(frozen=True)
class Cleaned:
    """An accuracy on the images that are left when some are taken out.

    Args:
        removed: images that were taken out.
        images: images that are left.
        top1: accuracy on those, in [0, 1]; `None` where none is left.
        top1_interval: its 95% interval; `None` where none is left.
        removed_top1: accuracy on the images that were taken out; `None` where there are none.
    """

    removed: int
    images: int
    top1: float | None
    top1_interval: tuple[float, float] | None
    removed_top1: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the same as JSON data."""
        interval = None if self.top1_interval is None else list(self.top1_interval)
        return {**asdict(self), "top1_interval": interval}


def accuracy_without(correct: NDArray[np.bool_], removed: NDArray[np.bool_]) -> Cleaned:
    """Return the accuracy `correct` bool[N] without the images that `removed` bool[N] marks.

    Suspected labels are ones that the network contradicts, so that without those that the same network suspects its
    accuracy rises by choice as well as by cleaning.

    Raises:
        PredictionError: the two are not of the same images.
    """
    if correct.shape != removed.shape or correct.ndim != 1:
        raise PredictionError(f"accuracy without images: {correct.shape} and {removed.shape} images; give the same")
    left, gone = correct[~removed], correct[removed]
    found = Accuracy.of(left) if len(left) else None
    return Cleaned(
        removed=len(gone),
        images=len(left),
        top1=None if found is None else found.top1,
        top1_interval=None if found is None else found.top1_interval,
        removed_top1=float(gone.mean()) if len(gone) else None,
    )
