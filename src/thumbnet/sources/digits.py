"""The embedded sample: scikit-learn's 1,797 real handwritten digits, 8x8 pixels in 17 shades of grey.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998;
the test part, as `sklearn.datasets.load_digits` ships it.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from thumbnet.packed import ClassInfo
from thumbnet.sources.listing import Listing, Row, listed_split, smallest_by_hash

TEST_FRACTION = 0.1


class DigitsSource:
    """The digits as files: each a PNG image made on demand, so that they take the same way as any other image."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images = images

    def read(self, name: str) -> bytes:
        """Return the digit `name`, such as `digit_0000`, as the bytes of a PNG image."""
        buffer = io.BytesIO()
        Image.fromarray(self._images[int(name.rpartition("_")[2])]).save(buffer, "PNG")
        return buffer.getvalue()

    def where(self, name: str) -> str:
        """Return how a message names the digit."""
        return f"digits: {name}"


def list_digits(val_fraction: float) -> tuple[DigitsSource, Listing]:
    """List the digits: of each class a tenth for test (without labels), `val_fraction` for val, the rest for train.

    The choice is by the smallest SHA-256 of the id, so it is the same everywhere.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    # Values run from 0 to 16.
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    rows = [Row(int(label), f"digit_{i:04d}", f"digit_{i:04d}") for i, label in enumerate(digits.target)]
    for_test = smallest_by_hash(rows, TEST_FRACTION)
    test = [row._replace(label=-1) for row in rows if row.image_id in for_test]
    rows = [row for row in rows if row.image_id not in for_test]
    for_val = smallest_by_hash(rows, val_fraction)
    splits = {
        "train": listed_split("train", (row for row in rows if row.image_id not in for_val)),
        "val": listed_split("val", (row for row in rows if row.image_id in for_val)),
        "test": listed_split("test", test),
    }
    classes = tuple(ClassInfo(str(digit), str(digit)) for digit in range(10))
    facts = {"val_cut_from_train": {"fraction": val_fraction, "chosen_by": "smallest SHA-256 of the id, per class"}}
    return DigitsSource(images), Listing("digits", "digits", classes, splits, facts)
