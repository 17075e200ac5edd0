"""Packed images as data URIs for a page, each encoded once, within a limit of bytes for the whole page."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from thumbnet.packed import PackedDataset, PackedSplit
from thumbnet.report.facts.table import Missing

_LARGEST_SIDE = 96
"""Side in pixels that larger images are brought down to."""

_LOSSLESS_SIDE = 32
"""Side in pixels up to which images are kept as they are, as PNG; larger ones become JPEG."""

_QUALITY = 85


@dataclass
class Budget:
    """How many bytes of images a page may still take, and how many images were left out for want of them."""

    left: int
    omitted: int = 0

    def take(self, size: int) -> bool:
        """Return whether `size` bytes more fit, and take them."""
        if size > self.left:
            self.omitted += 1
            return False
        self.left -= size
        return True


@dataclass
class Pictures:
    """The images of one split by their ids.

    Args:
        split: packed; `None` where the data is not at hand, and then there are no pictures.
        budget: of the page, shared with the pictures of other runs.
        share: URIs by (fingerprint, id), shared in the same way: two runs on the same data encode an image once.
        fingerprint: of the data.
    """

    split: PackedSplit | None
    budget: Budget
    share: dict[tuple[str, str], str] = field(default_factory=dict)
    fingerprint: str = ""

    def __post_init__(self) -> None:
        ids: Iterable[str] = () if self.split is None else self.split.image_ids
        self._rows = {image: row for row, image in enumerate(ids)}

    def pixels(self, image: str) -> NDArray[np.uint8] | None:
        """Return the pixels u8[H,W,3] of the image with this id; `None` where there are none."""
        row = self._rows.get(image)
        return None if row is None or self.split is None else self.split.images[row]

    def uri(self, image: str) -> str | None:
        """Return a data URI of the image with this id; `None` where there are no pixels or no room on the page."""
        pixels = self.pixels(image)
        if pixels is None:
            return None
        key = (self.fingerprint, image)
        if key not in self.share:
            self.share[key] = encode(pixels)
        uri = self.share[key]
        # The page holds it wherever it is shown.
        return uri if self.budget.take(len(uri)) else None


def open_pictures(
    dataset: PackedDataset | Missing, split: str, budget: Budget, share: dict[tuple[str, str], str]
) -> Pictures:
    """Return the pictures of a split of predictions; those of 'holdout' are in the training split.

    Raises:
        DataError: the packed split is damaged.
    """
    if isinstance(dataset, Missing):
        return Pictures(None, budget)
    name = "train" if split == "holdout" else split
    if name not in dataset.split_names:
        return Pictures(None, budget)
    return Pictures(dataset.split(name), budget, share, f"{dataset.fingerprint}/{name}")


def encode(pixels: NDArray[np.uint8]) -> str:
    """Return an image u8[H,W,3] or u8[H,W,4] as a data URI, brought down to 96 pixels where it is larger."""
    image = Image.fromarray(pixels)
    if max(image.size) > _LARGEST_SIDE:
        image.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE), Image.Resampling.LANCZOS)
    if max(image.size) <= _LOSSLESS_SIDE or pixels.shape[2] == 4:
        return png_uri(np.asarray(image))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """Return pixels u8[H,W,3] or u8[H,W,4] as the data URI of a PNG, without loss."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def samples(rows: NDArray[np.int64], ids: Sequence[str], count: int) -> list[str]:
    """Return the ids of up to `count` of `rows`, in their order."""
    return [ids[row] for row in rows[:count].tolist()]
