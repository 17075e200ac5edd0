"""Drawn as HTML: every class at a glance, the worst and the best with images, and one at a time in detail."""

from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from thumbnet.report.charts.dots import Dot, draw_dots
from thumbnet.report.facts.classes import ClassFacts, PerClass, make_per_class
from thumbnet.report.panels.samples import Shown, show_rows
from thumbnet.report.section import Scene, Section, for_judged
from thumbnet.report.words import percent
from thumbnet.text import interval

_SHOWN, _IMAGES = 6, 8
"""How many of the worst and of the best classes are shown, and how many images of each."""


class Card(NamedTuple):
    """A class with some of its images."""

    facts: ClassFacts
    images: list[Shown]
    spread: str


def draw(facts: PerClass, scene: Scene) -> Markup:
    """Return the section."""
    ranked = facts.ranked()
    worst = ranked[:_SHOWN]
    best = [one for one in reversed(ranked) if one not in worst][:_SHOWN]
    return scene.render(
        "classes.html",
        facts=facts,
        ranked=ranked,
        averages=facts.averages(),
        without=[one.name for one in facts.classes if not one.images],
        figure=_figure(facts),
        worst=[_card(facts, scene, one, wrong_first=True) for one in worst],
        best=[_card(facts, scene, one, wrong_first=False) for one in best],
        spreads=[_spread(facts, one) for one in facts.classes],
        detail=_detail(facts),
    )


def _figure(facts: PerClass) -> Markup:
    ranked = facts.ranked()
    dots = [
        Dot(
            one.accuracy,
            one.interval,
            f"{one.name}: {percent(one.accuracy)} ({interval(one.interval)}), {one.images} images",
        )
        for one in ranked
    ]
    title = (
        f"Accuracy of {len(ranked)} classes, sorted, with 95% intervals: from {percent(ranked[0].accuracy)} "
        f"({ranked[0].name}) to {percent(ranked[-1].accuracy)} ({ranked[-1].name})"
    )
    return draw_dots(title, "classes, the worst first", "accuracy", dots, line=float(1 - facts.judged.wrong.mean()))


def _card(facts: PerClass, scene: Scene, one: ClassFacts, *, wrong_first: bool) -> Card:
    judged = facts.judged
    rows: NDArray[np.int64] = np.flatnonzero(judged.labels == one.label)
    order = np.argsort(-judged.loss[rows] if wrong_first else judged.loss[rows], kind="stable")
    return Card(one, show_rows(scene, judged, rows[order][:_IMAGES]), _spread(facts, one))


def _spread(facts: PerClass, one: ClassFacts, most: int = 3) -> str:
    """Return a class's wrong answers in words: '28 over 20 classes: bucket 4, pole 3, wok 2, …'."""
    if not one.errors:
        return "none"
    named = [f"{facts.classes[to].name} {count}" for to, count in one.wrong[:most]]
    rest = ", …" if len(one.wrong) > most else ""
    classes = "class" if len(one.wrong) == 1 else "classes"
    return f"{one.errors} over {len(one.wrong)} {classes}: {', '.join(named)}{rest}"


def _detail(facts: PerClass) -> dict[str, Any]:
    """Return what the page's script needs to show any class."""
    return {
        "names": [one.name for one in facts.classes],
        "classes": [
            {
                "images": one.images,
                "text": f"{one.right} of {one.images} right, {percent(one.accuracy)}"
                + (f" ({interval(one.interval)})" if one.images else "")
                + f"; {one.errors} errors over {len(one.wrong)} classes",
                "wrong": one.wrong,
            }
            for one in facts.classes
        ],
    }


SECTION = Section("per-class", "Classes", "run", for_judged(make_per_class), draw)
