"""Drawn as HTML: suspected labels with their images, pairs of images that are alike, and what they cost."""

import shlex
from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from thumbnet.analyses.places import read_cross_fitted
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.quality.duplicates import Duplicates, find_duplicates
from thumbnet.quality.stored import stored_duplicates
from thumbnet.report.facts.quality import Quality, Suspected, Suspicion, make_quality
from thumbnet.report.facts.table import Missing
from thumbnet.report.facts.twins import Twin, Twins
from thumbnet.report.pictures import Pictures
from thumbnet.report.section import Scene, Section
from thumbnet.report.subject import Subject

_SUSPECTS = 48
_TWINS = 60
_SOON = 100_000_000, 20_000
"""Bytes of packed images, and images, up to which duplicates are searched while the report is made: a few seconds.

Reading takes time by the bytes, comparing by the square of the images.
"""


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
    if isinstance(judged, Missing):
        return judged
    return make_quality(judged, _cross_fitted(scene.subject), _duplicates(scene))


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


def _cross_fitted(subject: Subject) -> Predictions | Missing:
    found = read_cross_fitted(subject.run, subject.origin)
    return found or subject.not_analyzed("out-of-sample probabilities of its training images", "crossfit")


def _duplicates(scene: Scene) -> tuple[PackedDataset, Duplicates] | Missing:
    """Return the data with its duplicates; those of one data set are read or searched once a page."""
    dataset, known = scene.subject.dataset, scene.library.duplicates
    if isinstance(dataset, Missing):
        return Missing("duplicates cannot be searched, as the packed data is not at hand", dataset.remedy)
    found = known[dataset.fingerprint] if dataset.fingerprint in known else stored_duplicates(dataset)
    if found is None:
        total = sum(dataset.counts.values())
        if total < 2 or total * dataset.image_size**2 * 3 > _SOON[0] or total > _SOON[1]:
            return Missing(
                "the duplicates of this data have not been searched yet",
                f"thumbnet data report {shlex.quote(str(dataset.path))}, once; then write this report anew",
            )
        found = find_duplicates(dataset)
    known[dataset.fingerprint] = found
    return dataset, found


SECTION = Section("quality", "Suspected labels and duplicates", "run", make, draw)
