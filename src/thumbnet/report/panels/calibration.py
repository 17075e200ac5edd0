"""Drawn as HTML: reliability diagrams, before and after the temperature."""

from markupsafe import Markup

from thumbnet.report.charts.reliability import draw_reliability
from thumbnet.report.facts.calibration import BINS, Calibration, Scaled, make_calibration
from thumbnet.report.facts.table import Missing
from thumbnet.report.section import Scene, Section


def make(scene: Scene) -> Calibration | Missing:
    """Return the figures of the section's run."""
    judged = scene.judged[0]
    return judged if isinstance(judged, Missing) else make_calibration(judged, scene.subject.holdout)


def draw(facts: Calibration, scene: Scene) -> Markup:
    """Return the section."""
    scaled = facts.scaled if isinstance(facts.scaled, Scaled) else None
    after = None
    if scaled is not None:
        after = draw_reliability(f"Reliability with temperature {scaled.temperature:.2f}", scaled.reliability)
    return scene.render(
        "calibration.html",
        facts=facts,
        bins=BINS,
        scaled=scaled,
        before=draw_reliability("Reliability of the probabilities as they are", facts.reliability),
        after=after,
    )


SECTION = Section("calibration", "Calibration", "run", make, draw)
