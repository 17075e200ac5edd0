"""Images on a page keep to their limits."""

import base64
import io

import numpy as np
from PIL import Image

from thumbnet.packed import PackedDataset
from thumbnet.report.pictures import Budget, Library, encode


def test_images_keep_to_their_budget(data: PackedDataset) -> None:
    split = data.split("val")
    pictures = Library().pictures(data, "val", Budget(5000))
    found = [pictures.uri(image) for image in split.image_ids[:20]]
    kept = [uri for uri in found if uri is not None]
    assert 0 < len(kept) < 20
    assert sum(map(len, kept)) <= 5000
    assert pictures.budget.omitted == 20 - len(kept)
    assert pictures.uri("no such image") is None


def test_large_images_are_brought_down() -> None:
    uri = encode(np.full((300, 200, 3), 200, np.uint8))
    assert uri.startswith("data:image/jpeg")
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        assert image.size == (64, 96)
