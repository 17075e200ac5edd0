"""Test-time views: what a network is shown of each image, stated in a short text.

    views = item {"," item}
    item  = "none" | "flip" | "ten-crop" | ("full" | place "-" size) ["+flip"]
    place = "center" | "top-left" | "top-right" | "bottom-left" | "bottom-right" | "corners"

`full` is the whole image and `none` the same. `center-48` is the square of 48 by 48 pixels in the middle of an image
of 64; of images of another size it is the same share of the side, rounded to whole pixels. `corners-48` are the
squares in the four corners. `+flip` adds the mirror image of each. `flip` is `full+flip`; `ten-crop` is
`full+flip,corners-56+flip` (Milani 2017, section 4.2). A view that is named twice counts once.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from thumbnet.errors import RecipeError, nearest

SIDE = 64
"""Of the images that the sizes of crops are meant for, in pixels."""

_CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
_PLACES = ("full", "center", *_CORNERS)
_NAMED = {"none": "full", "flip": "full+flip", "ten-crop": "full+flip,corners-56+flip"}
_ITEM = re.compile(r"([a-z-]*[a-z])(?:-(\d+))?(\+flip)?")
_EXAMPLE_SIZE = "56"


@dataclass(frozen=True)
class View:
    """A square part of each image, brought to the network's size; with `mirrored`, its mirror image too.

    Args:
        place: 'full', 'center', or a corner such as 'top-left'.
        crop: side of the part in images of 64 pixels; 64 is the whole image.
        mirrored: whether the mirror image is a view as well.
    """

    place: str = "full"
    crop: int = SIDE
    mirrored: bool = False

    def box(self, size: int) -> tuple[int, int, int]:
        """Return top, left and side of the part, in pixels, of images of `size` by `size` pixels."""
        side = max(1, round(self.crop * size / SIDE))
        rest = size - side
        if self.place == "center":
            return round(rest / 2), round(rest / 2), side
        return rest * self.place.startswith("bottom"), rest * self.place.endswith("right"), side


@dataclass(frozen=True)
class Views:
    """The views of each image, in a fixed order, and the one name that all texts for them share."""

    name: str
    parts: tuple[View, ...]

    @property
    def count(self) -> int:
        """How often the network judges an image."""
        return sum(2 if view.mirrored else 1 for view in self.parts)


def find_views(text: str, where: str = "views") -> Views:
    """Return the views that `text` states.

    Args:
        text: as the module's description has it.
        where: which setting holds it, for messages.

    Raises:
        RecipeError: an unknown name (with the nearest ones), or a crop without a size or of a size that cannot be.
    """
    found: dict[tuple[str, int], bool] = {}
    for item in text.split(","):
        for view in _views(item.strip(), text, where):
            key = view.place, view.crop
            found[key] = found.get(key, False) or view.mirrored
    order = sorted(found, key=lambda key: (-key[1], _PLACES.index(key[0])))
    parts = tuple(View(place, crop, found[place, crop]) for place, crop in order)
    return Views(_name(parts), parts)


def _views(item: str, text: str, where: str) -> Iterator[View]:
    match = _ITEM.fullmatch(item)
    name, size, flip = match.groups() if match else (item, None, None)
    if name in _NAMED and size is None:
        for view in find_views(_NAMED[name]).parts:
            yield View(view.place, view.crop, view.mirrored or flip is not None)
        return
    sized = name in _PLACES[1:] or name == "corners"
    if not match or not (sized or name == "full") or (sized and size is None) or (name == "full" and size):
        inside = "" if item == text else f" ({item!r})"
        raise RecipeError(f"{where} {text!r} are unknown{inside}; {nearest(item, _known(size))}")
    crop = SIDE if size is None else int(size)
    if not 0 < crop <= SIDE:
        raise RecipeError(f"{where} {text!r}: a crop of {crop} is not in 1 to {SIDE}, the side of an image of {SIDE}")
    for place in _CORNERS if name == "corners" else (name,):
        yield View(place if crop < SIDE else "full", crop, flip is not None)


def _known(size: str | None) -> list[str]:
    """Return what an item may be, with the size that was given."""
    crops = [f"{place}-{size or _EXAMPLE_SIZE}" for place in (*_PLACES[1:], "corners")]
    return [*_NAMED, "full", *crops, *(f"{one}+flip" for one in ("full", *crops))]


def _name(parts: Sequence[View]) -> str:
    """Return the name of views that stand in their fixed order: of a list that has one, else its items."""
    items: list[str] = []
    for view in parts:
        flip = "+flip" if view.mirrored else ""
        corners = [View(place, view.crop, view.mirrored) for place in _CORNERS]
        whole = view.place in _CORNERS and all(one in parts for one in corners)
        place = "corners" if whole else view.place
        item = f"full{flip}" if place == "full" else f"{place}-{view.crop}{flip}"
        items += [] if item in items else [item]
    name = ",".join(items)
    return next((short for short, long in _NAMED.items() if long == name), name)
