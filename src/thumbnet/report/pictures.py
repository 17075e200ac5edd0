"""Packed images as data URIs for a page: a split is opened once, an image encoded once, within a limit of bytes."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from thumbnet.packed import PackedDataset, PackedSplit, packed_split_of
from thumbnet.quality.duplicates import Duplicates
from thumbnet.report.facts.table import Missing

_LARGEST_SIDE = 96
"""Side in pixels that larger images are brought down to."""

_LOSSLESS_SIDE = 32
"""Side in pixels up to which images are kept as they are, as PNG; larger ones become JPEG."""

_QUALITY = 85


_TAG = 300
"""Bytes that the page takes for an image besides its pixels: its tag, its words, its caption."""


@dataclass
class Budget:
    """How many bytes of images a page may still take, and how many images were left out for want of them."""

    left: int
    omitted: int = 0

    @property
    def is_spent(self) -> bool:
        """Whether no image fits any more, so that none need be encoded."""
        return self.left <= _TAG

    def fit(self, make: Callable[[], str]) -> str | None:
        """Return the data URI that `make` makes; `None` where it does not fit. Once nothing fits, none is made."""
        found = self.fit_all([make])
        return None if found is None else found[0]

    def fit_all(self, makes: Sequence[Callable[[], str]]) -> list[str] | None:
        """Return the data URIs that `makes` make; `None` where not all of them fit, and then each is left out."""
        if not self.is_spent:
            uris = [make() for make in makes]
            size = sum(map(len, uris)) + _TAG * len(uris)
            if size <= self.left:
                self.left -= size
                return uris
        self.omitted += len(makes)
        return None


@dataclass(frozen=True, eq=False)
class Source:
    """One packed split that a page takes images from: opened and checked when the first of them is wanted.

    Args:
        dataset: packed.
        name: of the split.
        verify: whether it is checked.
        uris: data URIs by the id of the image: an image is encoded once, whichever runs show it.
    """

    dataset: PackedDataset
    name: str
    verify: bool
    uris: dict[str, str] = field(default_factory=dict)

    @cached_property
    def split(self) -> PackedSplit:
        """The split, whose files are compared with their checksums where that is asked for.

        Raises:
            DataError: it is damaged.
        """
        return self.dataset.split(self.name, self.verify)

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each image by its id."""
        return {image: row for row, image in enumerate(self.split.image_ids)}


@dataclass(frozen=True, eq=False)
class Pictures:
    """The images of one split by their ids.

    Args:
        source: where they come from; `None` where the data is not at hand, and then there are no pictures.
        budget: bytes that they may take.
    """

    source: Source | None
    budget: Budget

    @property
    def at_hand(self) -> bool:
        """Whether there are any pictures."""
        return self.source is not None

    def pixels(self, image: str) -> NDArray[np.uint8]:
        """Return the pixels u8[H,W,3] of the image with this id, of pictures that are at hand."""
        assert self.source is not None
        found: NDArray[np.uint8] = self.source.split.images[self.source.rows[image]]
        return found

    def uri(self, image: str) -> str | None:
        """Return a data URI of the image with this id; `None` where there are no pixels or no room on the page."""
        found = self.uris(image)
        return None if found is None else found[0]

    def uris(self, image: str, *more: Callable[[], str]) -> list[str] | None:
        """Return data URIs of the image with this id and of what `more` makes; `None` where not all can be shown."""
        if self.source is None or (not self.budget.is_spent and image not in self.source.rows):
            return None
        return self.budget.fit_all([partial(self._encoded, image), *more])

    def _encoded(self, image: str) -> str:
        assert self.source is not None
        if image not in self.source.uris:
            self.source.uris[image] = encode(self.pixels(image))
        return self.source.uris[image]


@dataclass(frozen=True, eq=False)
class Library:
    """All that a page takes from packed data, each once for all runs on the same data.

    Args:
        sources: splits, by the fingerprint of their data and their name.
        duplicates: what is alike in it, by its fingerprint.
        verify: whether the files of each split are compared with their checksums.
    """

    sources: dict[tuple[str, str], Source] = field(default_factory=dict)
    duplicates: dict[str, Duplicates] = field(default_factory=dict)
    verify: bool = True

    def pictures(self, dataset: PackedDataset | Missing, split: str, budget: Budget) -> Pictures:
        """Return the pictures of a split of predictions; those of 'holdout' are in the training split."""
        name = packed_split_of(split)
        if isinstance(dataset, Missing) or name not in dataset.split_names:
            return Pictures(None, budget)
        source = Source(dataset, name, self.verify)
        return Pictures(self.sources.setdefault((dataset.fingerprint, name), source), budget)


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
    """Return pixels u8[H,W,3] or u8[H,W,4] as the data URI of a PNG, without loss; grey ones need one channel."""
    buffer = io.BytesIO()
    red, green, blue = (pixels[..., channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(green, blue):
        pixels = pixels[..., [0, 3]] if pixels.shape[2] == 4 else red
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
