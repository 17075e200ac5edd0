"""Images on a page keep to their limits."""

import base64
import io
from collections.abc import Callable

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


def test_a_group_that_does_not_fit_is_left_out_whole_and_each_of_it_counts() -> None:
    made: list[str] = []

    def make(uri: str) -> Callable[[], str]:
        def made_uri() -> str:
            made.append(uri)
            return uri

        return made_uri

    budget = Budget(3000)
    assert budget.fit_all([make("a" * 900), make("b" * 900)]) == ["a" * 900, "b" * 900]
    assert budget.fit_all([make("c" * 100), make("d" * 100), make("e" * 100)]) is None
    assert (budget.left, budget.omitted) == (600, 3)
    assert budget.fit(make("f" * 300)) == "f" * 300
    made.clear()
    assert budget.fit_all([make("g"), make("h")]) is None
    assert budget.fit(make("i")) is None
    assert (made, budget.left, budget.omitted) == ([], 0, 6)


def test_large_images_are_brought_down() -> None:
    uri = encode(np.full((300, 200, 3), 200, np.uint8))
    assert uri.startswith("data:image/jpeg")
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        assert image.size == (64, 96)
