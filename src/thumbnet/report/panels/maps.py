"""Drawn as HTML: images under their Grad-CAM maps."""

from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from thumbnet import analyses
from thumbnet.report.charts.mosaic import overlay
from thumbnet.report.facts.maps import Looked
from thumbnet.report.facts.places import class_ids, ids_of
from thumbnet.report.facts.table import Missing
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


def make(scene: Scene) -> Looked | Missing:
    """Return the figures of the section's run."""
    subject = scene.subject
    found = analyses.read(subject.run, analyses.Maps, subject.origin)
    if found is None:
        return subject.not_analyzed("maps of where it looked", "maps")
    return Looked(found, ids_of(subject, found.split, found.positions), class_ids(subject), subject.names)


def draw(facts: Looked, scene: Scene) -> Markup:
    """Return the section."""
    pictures = scene.pictures_of(facts.maps.split)
    errors, right = np.flatnonzero(~facts.right)[:_ERRORS], np.flatnonzero(facts.right)
    # They are stored from sure to unsure: some of all along.
    right = right[np.unique(np.linspace(0, max(len(right) - 1, 0), min(_RIGHT, len(right))).round().astype(int))]
    return scene.render(
        "maps.html",
        facts=facts,
        errors=_shown(facts, errors.tolist(), pictures),
        right=_shown(facts, right.tolist(), pictures),
        side=facts.maps.for_label.shape[1],
        at_hand=pictures.at_hand,
    )


def _shown(facts: Looked, rows: list[int], pictures: Pictures) -> list[Seen]:
    found = []
    for row in rows:
        pixels = None if pictures.budget.is_spent else pictures.pixels(facts.images[row])
        if pixels is None:
            pictures.budget.omitted += pictures.at_hand
            continue
        maps, error = facts.maps, not facts.right[row]
        uris = [
            encode(pixels),
            encode(overlay(pixels, maps.for_predicted[row], maps.box)),
            *([encode(overlay(pixels, maps.for_label[row], maps.box))] if error else []),
        ]
        if not pictures.budget.take(sum(map(len, uris))):
            continue
        names = facts.names[int(maps.labels[row])], facts.names[int(maps.predicted[row])]
        found.append(Seen(facts.images[row], uris[0], uris[1], uris[2] if error else None, names))
    return found


SECTION = Section("maps", "Where it looked", "run", make, draw)
