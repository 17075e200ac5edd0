"""Drawn as HTML: a gallery of mistakes that can be filtered by class, with maps of where the network looked."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from markupsafe import Markup
from numpy import float32
from numpy.typing import NDArray

from thumbnet.report.charts.mosaic import heat_tile
from thumbnet.report.facts.errors import Mistake, Mistakes, make_mistakes
from thumbnet.report.facts.places import ids_of
from thumbnet.report.pictures import png_uri
from thumbnet.report.section import Scene, Section, for_judged

_WORST = 60
_OF_ALL_CLASSES = 1000
"""About how many images the page holds, over all classes and runs, so that each class has some of its own."""


class Item(NamedTuple):
    """A mistake, its image and the map for its answer (or `None`), its likeliest answers, whether shown at first."""

    mistake: Mistake
    uri: str | None
    map: str | None
    answers: list[tuple[str, float]]
    shown: bool


def draw(facts: Mistakes, scene: Scene) -> Markup:
    """Return the section."""
    of_each = max(1, min(5, _OF_ALL_CLASSES // (len(facts.names) * scene.runs)))
    maps = _maps(facts, scene)
    items = [_item(facts, scene, one, maps.get(one.image)) for one in facts.gallery(_WORST, of_each)]
    present = {one.mistake.label for one in items}, {one.mistake.predicted for one in items}
    named, answered = (sorted((facts.names[label], label) for label in some) for some in present)
    return scene.render(
        "errors.html",
        facts=facts,
        items=items,
        named=named,
        answered=answered,
        of_each=of_each,
        maps=scene.subject.maps,
        mapped=sum(one.map is not None for one in items),
    )


def _maps(facts: Mistakes, scene: Scene) -> Mapping[str, NDArray[float32]]:
    """Return the stored maps for the wrong answers, by image; one without anything that speaks for them is none."""
    found = scene.subject.maps
    if found is None or found.subset != facts.judged.predictions.split:
        return {}
    answers = {one.image: one.predicted for one in facts.mistakes}
    images = ids_of(scene.subject, found.split, found.positions)
    return {
        image: one
        for image, answer, one in zip(images, found.predicted.tolist(), found.for_predicted, strict=True)
        if answers.get(image) == answer and one.max() > 0
    }


def _item(facts: Mistakes, scene: Scene, one: Mistake, looked: NDArray[float32] | None) -> Item:
    laid = [] if looked is None else [partial(png_uri, heat_tile(looked))]
    uris = scene.pictures.uris(one.image, *laid) or []
    answers = [(facts.names[to], value) for to, value in one.answers]
    return Item(one, uris[0] if uris else None, uris[1] if len(uris) > 1 else None, answers, one.rank <= _WORST)


SECTION = Section("errors", "Errors", "run", for_judged(make_mistakes), draw)
