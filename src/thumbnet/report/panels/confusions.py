"""Drawn as HTML: the commonest confusions with images of both classes, and the whole matrix to look around in."""

from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from thumbnet.report.charts.heatmap import draw_heatmap
from thumbnet.report.facts.confusions import Confusions, Pair, make_confusions
from thumbnet.report.facts.judged import Judged
from thumbnet.report.panels.samples import Shown, show_rows
from thumbnet.report.pictures import png_uri
from thumbnet.report.section import Scene, Section, for_judged

_PAIRS, _IMAGES = 12, 4
"""How many pairs are shown, and how many images of each class."""


class Example(NamedTuple):
    """A pair with images: of the class that is taken for the other, and of the other rightly named."""

    pair: Pair
    taken: list[Shown]
    others: list[Shown]


def draw(facts: Confusions, scene: Scene) -> Markup:
    """Return the section."""
    return scene.render(
        "confusions.html",
        facts=facts,
        examples=[_example(scene, facts.judged, one) for one in facts.pairs[:_PAIRS]],
        heatmap=png_uri(draw_heatmap(facts.ordered)),
        cells=_cells(facts),
    )


def _example(scene: Scene, judged: Judged, pair: Pair) -> Example:
    taken = (judged.labels == pair.true) & (judged.predicted == pair.predicted)
    others = (judged.labels == pair.predicted) & ~judged.wrong
    return Example(
        pair,
        show_rows(scene, judged, _surest(judged, taken), named=False),
        show_rows(scene, judged, _surest(judged, others), named=False),
    )


def _surest(judged: Judged, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    rows = np.flatnonzero(chosen)
    surest = np.argsort(-judged.probabilities[rows, judged.predicted[rows]], kind="stable")
    return np.asarray(rows[surest[:_IMAGES]], dtype=np.int64)


def _cells(facts: Confusions) -> dict[str, Any]:
    """Return what the page's script needs to name a cell: names, images of each class, and the cells that hold any."""
    ordered = facts.ordered
    rows, columns = np.nonzero(ordered)
    return {
        "names": [facts.names[label] for label in facts.order],
        "totals": ordered.sum(axis=1).tolist(),
        "cells": np.stack([rows, columns, ordered[rows, columns]], axis=1).tolist(),
    }


SECTION = Section("confusions", "Confusions", "run", for_judged(make_confusions), draw)
