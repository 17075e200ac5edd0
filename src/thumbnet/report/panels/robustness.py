"""Drawn as HTML: accuracy by corruption and severity, and an image under all of them."""

from functools import partial

from markupsafe import Markup

from thumbnet.analyses.corruptions import DEFINITION, DEFINITIONS
from thumbnet.report.charts.severities import draw_severities, severity_keys
from thumbnet.report.facts.robustness import Corrupted, make_corrupted
from thumbnet.report.pictures import encode
from thumbnet.report.section import Scene, Section


def draw(facts: Corrupted, scene: Scene) -> Markup:
    """Return the section."""
    cells, clean, interval = facts.cells(), facts.clean.top1, facts.clean.top1_interval
    by_name = {name: [one for one in cells if one.corruption == name] for name in facts.found.corruptions}
    lines = {name: [(one.severity, one.accuracy, one.interval) for one in some] for name, some in by_name.items()}
    return scene.render(
        "robustness.html",
        facts=facts,
        clean=clean,
        interval=interval,
        mean=facts.mean(),
        figure=draw_severities("Accuracy on corrupted images", clean, lines),
        keys=severity_keys(lines),
        rows=by_name,
        known=DEFINITIONS if facts.found.definition == DEFINITION else {},
        parameters=dict(zip(facts.found.corruptions, facts.found.parameters, strict=True)),
        examples=_examples(facts, scene),
    )


def _examples(facts: Corrupted, scene: Scene) -> list[tuple[str, list[str]]]:
    """Return one image under each corruption, mildest first."""
    found = []
    for name, severities in zip(facts.found.corruptions, facts.found.examples, strict=True):
        uris = scene.budget.fit_all([partial(encode, pixels) for pixels in severities])
        if uris is not None:
            found.append((name, uris))
    return found


SECTION = Section("robustness", "Robustness", "run", lambda scene: make_corrupted(scene.subject), draw)
