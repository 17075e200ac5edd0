"""Drawn as HTML: two runs side by side."""

from typing import NamedTuple

from markupsafe import Markup

from thumbnet.report.charts.dots import Dot, draw_dots
from thumbnet.report.facts.compare import ClassDifference, Compared, make_compared
from thumbnet.report.facts.table import Missing
from thumbnet.report.section import Scene, Section

_IMAGES, _CLASSES = 18, 8
"""How many images of each kind, and how many classes of each kind, are shown."""


class Change(NamedTuple):
    """An image that one run alone gets right: its data URI (or `None`), its id, and the names that matter."""

    uri: str | None
    image: str
    true: str
    first: str
    second: str
    probabilities: tuple[float, float]


def make(scene: Scene) -> Compared | Missing:
    """Return how the second run stands to the first."""
    return make_compared(*scene.subjects)


def draw(facts: Compared, scene: Scene) -> Markup:
    """Return the section."""
    known = sorted((one for one in facts.classes if one.images), key=lambda one: one.difference)
    return scene.render(
        "compare.html",
        facts=facts,
        counts=_counts(facts),
        fixed=_changes(facts, scene, fixed=True),
        broken=_changes(facts, scene, fixed=False),
        figure=_figure(facts, known),
        gained=[one for one in reversed(known) if one.difference > 0 and one.is_real][:_CLASSES],
        lost=[one for one in known if one.difference < 0 and one.is_real][:_CLASSES],
        known=known,
    )


def _counts(facts: Compared) -> dict[str, int]:
    compared = facts.comparison
    both = round(compared.first_top1 * compared.images) - compared.broken
    neither = compared.images - both - compared.fixed - compared.broken
    return {"both": both, "fixed": compared.fixed, "broken": compared.broken, "neither": neither}


def _changes(facts: Compared, scene: Scene, *, fixed: bool) -> list[Change]:
    found = []
    for row in facts.changed(fixed)[:_IMAGES].tolist():
        true, first, second = (facts.names[place] for place in (facts.truth[row], *facts.answers[:, row]))
        image = facts.images[row]
        both = float(facts.probabilities[0, row]), float(facts.probabilities[1, row])
        found.append(Change(scene.picture(image), image, true, first, second, both))
    return found


def _figure(facts: Compared, known: list[ClassDifference]) -> Markup:
    dots = [
        Dot(
            one.difference,
            (min(0.0, one.difference), max(0.0, one.difference)),
            f"{facts.names[one.label]}: {100 * one.difference:+.1f} points, {one.fixed} fixed, {one.broken} broken",
        )
        for one in known
    ]
    low = -max(0.05, *(abs(one.difference) for one in known)) * 1.05
    title = (
        f"Difference of accuracy of {len(known)} classes, sorted: from {100 * known[0].difference:+.1f} points "
        f"({facts.names[known[0].label]}) to {100 * known[-1].difference:+.1f} ({facts.names[known[-1].label]})"
    )
    return draw_dots(title, "classes, the greatest loss first", "difference", dots, low=low, line=0)


SECTION = Section("compare", "Side by side", "pair", make, draw)
