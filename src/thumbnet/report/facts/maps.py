"""Where the network looked, by Grad-CAM."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.analyses import Maps
from thumbnet.report.facts.places import ids_of
from thumbnet.report.facts.table import Missing, Table
from thumbnet.report.subject import Subject


@dataclass(frozen=True, eq=False)
class Looked:
    """Maps with the id of each image.

    Args:
        maps: as they are stored.
        images: their ids.
        ids: of all classes.
        names: of all classes.
    """

    maps: Maps
    images: Sequence[str]
    ids: Sequence[str]
    names: Sequence[str]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each image is classified rightly, bool[M]."""
        return np.asarray(self.maps.predicted == self.maps.labels)

    def to_json(self) -> dict[str, Any]:
        """Return the layer and how fine its maps are."""
        return {
            "split": self.maps.subset,
            "layer": self.maps.layer,
            "channels": self.maps.channels,
            "side": self.maps.for_label.shape[1],
            "note": self.maps.note,
            "seen": list(self.maps.box),
            "images": len(self.images),
            "errors": int(np.count_nonzero(~self.right)),
        }

    def tables(self) -> Sequence[Table]:
        """Return one row an image, with the place of each map's peak as shares of the image's side."""
        peaks = [peak_of(one, self.maps.box) for one in self.maps.for_predicted]
        own = [peak_of(one, self.maps.box) for one in self.maps.for_label]
        rows = [
            (image, self.ids[label], self.ids[predicted], *peak, *theirs)
            for image, label, predicted, peak, theirs in zip(
                self.images, self.maps.labels.tolist(), self.maps.predicted.tolist(), peaks, own, strict=True
            )
        ]
        header = ("image", "true", "predicted", "predicted_x", "predicted_y", "true_x", "true_y")
        return [Table("maps", header, rows)]


def make_looked(subject: Subject) -> Looked | Missing:
    """Return the maps of a run, or why there are none."""
    found = subject.maps
    if found is None:
        return subject.not_analyzed("maps of where it looked", "maps")
    return Looked(found, ids_of(subject, found.split, found.positions), subject.run.class_ids(), subject.names)


def peak_of(one: NDArray[np.float32], box: tuple[float, float, float, float]) -> tuple[float | None, float | None]:
    """Return the middle of a map's highest place as shares (x, y) of the image; `None` for a map of zeros.

    Args:
        one: f32[h,w].
        box: the part of the image that it covers: top, left, height and width as shares of the side.
    """
    if one.max() <= 0:
        return None, None
    row, column = divmod(int(one.argmax()), one.shape[1])
    top, left, height, width = box
    return left + width * (column + 0.5) / one.shape[1], top + height * (row + 0.5) / one.shape[0]
