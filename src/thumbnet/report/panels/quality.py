"""Drawn as HTML: suspected labels with their images, pairs of images that are alike, and what they cost."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from thumbnet.report.facts.quality import Quality, Suspected, Suspicion, make_quality
from thumbnet.report.facts.table import Missing
from thumbnet.report.facts.twins import Twin, Twins
from thumbnet.report.pictures import Pictures
from thumbnet.report.section import Scene, Section

_SUSPECTS = 48
_TWINS = 60


class SuspectShown(NamedTuple):
    """A suspected label with its image (or `None`)."""

    found: Suspicion
    uri: str | None


class TwinShown(NamedTuple):
    """A pair of images that are alike, with both images (or `None`)."""

    twin: Twin
    first: str | None
    second: str | None


def make(scene: Scene) -> Quality | Missing:
    """Return the figures of the section's run."""
    judged = scene.judged[0]
    return judged if isinstance(judged, Missing) else make_quality(judged, scene.subject, scene.library.duplicates)


def draw(facts: Quality, scene: Scene) -> Markup:
    """Return the section."""
    train = facts.train if isinstance(facts.train, Suspected) else None
    twins = facts.twins if isinstance(facts.twins, Twins) else None
    return scene.render(
        "quality.html",
        facts=facts,
        judged=_shown(facts.judged, scene.pictures),
        train=train,
        train_shown=None if train is None else _shown(train, scene.pictures_of("train")),
        twins=twins,
        twins_shown=() if twins is None else show_twins(twins.pairs[:_TWINS], scene.pictures_of),
    )


def show_twins(pairs: Sequence[Twin], pictures_of: Callable[[str], Pictures]) -> list[TwinShown]:
    """Return pairs with their images; `pictures_of` gives the pictures of a split."""
    return [
        TwinShown(one, *(pictures_of(end.split).uri(end.image) for end in (one.first, one.second))) for one in pairs
    ]


def _shown(suspected: Suspected, pictures: Pictures) -> list[SuspectShown]:
    return [SuspectShown(one, pictures.uri(one.image)) for one in suspected.found[:_SUSPECTS]]


SECTION = Section("quality", "Suspected labels and duplicates", "run", make, draw)
