"""Drawn as HTML: images under their Grad-CAM maps."""

from functools import partial
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from thumbnet.report.charts.mosaic import overlay
from thumbnet.report.facts.maps import Looked, make_looked
from thumbnet.report.pictures import Pictures, encode
from thumbnet.report.section import Scene, Section

_ERRORS, _RIGHT = 36, 12


class Seen(NamedTuple):
    """An image, and the same under the map for the predicted class and, of an error, under that for its own."""

    image: str
    plain: str
    predicted: str
    label: str | None
    names: tuple[str, str]


def draw(facts: Looked, scene: Scene) -> Markup:
    """Return the section."""
    pictures = scene.pictures_of(facts.maps.split)
    errors, right = np.flatnonzero(~facts.right), np.flatnonzero(facts.right)
    stored = {"errors": len(errors), "right": len(right)}
    # They are stored from sure to unsure: some of all along.
    right = right[np.unique(np.linspace(0, max(len(right) - 1, 0), min(_RIGHT, len(right))).round().astype(int))]
    return scene.render(
        "maps.html",
        facts=facts,
        errors=_shown(facts, errors[:_ERRORS].tolist(), pictures),
        right=_shown(facts, right.tolist(), pictures),
        stored=stored,
        side=facts.maps.for_label.shape[1],
        at_hand=pictures.at_hand,
    )


def _shown(facts: Looked, rows: list[int], pictures: Pictures) -> list[Seen]:
    found, maps = [], facts.maps
    for row in rows if pictures.at_hand else ():
        image = facts.images[row]
        laid = [maps.for_predicted[row]] if facts.right[row] else [maps.for_predicted[row], maps.for_label[row]]
        drawn = pictures.budget.fit_all([partial(_drawn, pictures, image, one, maps.box) for one in (None, *laid)])
        if drawn is not None:
            names = facts.names[int(maps.labels[row])], facts.names[int(maps.predicted[row])]
            found.append(Seen(image, drawn[0], drawn[1], None if facts.right[row] else drawn[2], names))
    return found


def _drawn(
    pictures: Pictures, image: str, one: NDArray[np.float32] | None, box: tuple[float, float, float, float]
) -> str:
    """Return the data URI of an image, or of it under a map f32[h,w] that covers `box`."""
    pixels = pictures.pixels(image)
    return encode(pixels if one is None else overlay(pixels, one, box))


SECTION = Section("maps", "Where it looked", "run", lambda scene: make_looked(scene.subject), draw)
