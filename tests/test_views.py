"""Test-time views: the grammar, and the squares that they are, against torchvision's crops."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.functional import center_crop, five_crop

from thumbnet.errors import RecipeError
from thumbnet.recipe import Evaluation
from thumbnet.views import View, find_views

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")


def crop(view: View, images: torch.Tensor) -> torch.Tensor:
    top, left, side = view.box(images.shape[-1])
    return images[..., top : top + side, left : left + side]


@pytest.mark.parametrize(("size", "side"), [(64, 56), (32, 28), (224, 196), (50, 44), (1, 1)])
def test_crops_are_torchvisions_of_the_same_share(size: int, side: int) -> None:
    images = torch.arange(2 * 3 * size * size, dtype=torch.float32).view(2, 3, size, size)
    expected = five_crop(images, [side, side])
    places = (*CORNERS, "center")
    for place, one in zip(places, expected, strict=True):
        assert torch.equal(crop(View(place, 56), images), one), place
    assert torch.equal(crop(View(), images), images)


@pytest.mark.parametrize("size", [7, 31, 64, 65])
@pytest.mark.parametrize("share", [1, 33, 48, 63])
def test_the_middle_is_torchvisions(size: int, share: int) -> None:
    images = torch.rand(1, 3, size, size)
    side = max(1, round(share * size / 64))
    assert torch.equal(crop(View("center", share), images), center_crop(images, [side, side]))


def test_names_stand_for_lists() -> None:
    assert find_views("none").parts == (View(),)
    assert find_views("full") == find_views("none")
    assert find_views("flip").parts == (View(mirrored=True),)
    ten = find_views("ten-crop")
    assert ten.count == 10
    assert ten.parts == (View(mirrored=True), *(View(place, 56, mirrored=True) for place in CORNERS))


@pytest.mark.parametrize(
    ("text", "name", "count"),
    [
        ("full,flip,corners-56,center-48+flip", "full+flip,corners-56,center-48+flip", 8),
        ("full, flip", "flip", 2),
        ("flip,full,none", "flip", 2),
        ("none+flip", "flip", 2),
        ("corners-56+flip,flip", "ten-crop", 10),
        ("ten-crop,ten-crop+flip", "ten-crop", 10),
        ("top-left-56,top-right-56,bottom-right-56,bottom-left-56", "corners-56", 4),
        ("top-left-56,bottom-left-56", "top-left-56,bottom-left-56", 2),
        ("corners-56,top-left-56+flip", "top-left-56+flip,top-right-56,bottom-left-56,bottom-right-56", 5),
        ("center-64+flip", "flip", 2),
        ("corners-64", "none", 1),
        ("center-48,center-56", "center-56,center-48", 2),
    ],
)
def test_texts_for_the_same_views_have_one_name(text: str, name: str, count: int) -> None:
    found = find_views(text)
    assert (found.name, found.count) == (name, count)
    assert find_views(found.name) == found


ITEMS = st.sampled_from(["none", "flip", "ten-crop", "full", "full+flip", "ten-crop+flip"]) | st.builds(
    lambda place, size, flip: f"{place}-{size}{flip}",
    st.sampled_from([*CORNERS, "center", "corners"]),
    st.integers(1, 64),
    st.sampled_from(["", "+flip"]),
)


@given(st.lists(ITEMS, min_size=1, max_size=5))
def test_neither_order_nor_repetition_matters(items: list[str]) -> None:
    found = find_views(",".join(items))
    assert find_views(",".join([*reversed(items), items[0]])) == found
    assert find_views(found.name) == found
    assert len(set(found.parts)) == len(found.parts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tencrop", "views 'tencrop' are unknown; did you mean ten-crop"),
        ("flipp", "views 'flipp' are unknown; did you mean flip"),
        ("full,corner-48", r"views 'full,corner-48' are unknown \('corner-48'\); did you mean corners-48"),
        ("center", "views 'center' are unknown; did you mean center-56"),
        ("centre-48+flip", r"did you mean center-48\+flip"),
        ("full-56", "are unknown; "),
        ("flip-56", "are unknown; "),
        ("", "views '' are unknown; known: "),
        ("full,", r"are unknown \(''\)"),
        ("center-65", "a crop of 65 is not in 1 to 64"),
        ("corners-0", "a crop of 0 is not in 1 to 64"),
        ("center-48+mirror", "are unknown"),
    ],
)
def test_what_is_no_view_is_refused(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        find_views(text)


def test_a_recipe_refuses_them_when_it_is_made() -> None:
    assert Evaluation(views="flip,center-48").views == "flip,center-48"
    with pytest.raises(RecipeError, match=r"evaluation\.views 'tencrop' are unknown; did you mean ten-crop"):
        Evaluation(views="tencrop")
