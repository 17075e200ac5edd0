"""Drawn as HTML: a gallery of mistakes that can be filtered by class."""

from typing import NamedTuple

from markupsafe import Markup

from thumbnet.report.facts.errors import Mistake, Mistakes, make_mistakes
from thumbnet.report.section import Scene, Section, for_judged

_WORST = 60
_OF_ALL_CLASSES = 1000
"""About how many images the page holds, over all classes and runs, so that each class has some of its own."""


class Item(NamedTuple):
    """A mistake with its image (or `None`), its likeliest answers as texts, and whether it is shown at first."""

    mistake: Mistake
    uri: str | None
    answers: list[tuple[str, float]]
    shown: bool


def draw(facts: Mistakes, scene: Scene) -> Markup:
    """Return the section."""
    of_each = max(1, min(5, _OF_ALL_CLASSES // (len(facts.names) * scene.runs)))
    items = [
        Item(
            one,
            scene.picture(one.image),
            [(facts.names[to], value) for to, value in one.answers],
            one.rank <= _WORST,
        )
        for one in facts.gallery(_WORST, of_each)
    ]
    present = {one.mistake.label for one in items}, {one.mistake.predicted for one in items}
    named, answered = (sorted((facts.names[label], label) for label in some) for some in present)
    return scene.render("errors.html", facts=facts, items=items, named=named, answered=answered, of_each=of_each)


SECTION = Section("errors", "Errors", "run", for_judged(make_mistakes), draw)
