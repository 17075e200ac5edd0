"""Drawn as HTML: one card a run."""

from markupsafe import Markup

from thumbnet.report.facts.header import Header, make_header
from thumbnet.report.section import Scene, Section


def draw(facts: Header, scene: Scene) -> Markup:
    """Return a card for each run."""
    return scene.render("header.html", runs=facts.runs)


SECTION = Section("overview", "Overview", "all", lambda scene: make_header(scene.subjects), draw)
