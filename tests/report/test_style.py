"""The colours of reports can be told apart."""

import re
from importlib import resources

from tests.colours import contrast, named


def test_colours_can_be_read() -> None:
    """Text on its backgrounds has WCAG's contrast of 4.5, curves and borders of controls have 3, in both themes."""
    style = resources.files("thumbnet.report").joinpath("templates", "report.css").read_text()
    light, automatic, dark = (named(block) for block in re.findall(r"\{\s*[^{}]*--page:[^}]*\}", style))
    assert automatic == dark
    assert light.keys() == dark.keys()
    for theme in (light, dark):
        for name in ("text", "muted", "accent", "good", "bad"):
            for behind in ("sheet", "page"):
                assert contrast(theme[name], theme[behind]) >= 4.5, (name, behind)
        assert contrast(theme["text"], theme["note"]) >= 4.5
        for behind in ("sheet", "page"):
            assert contrast(theme["control"], theme[behind]) >= 3, behind
        for number in range(8):
            assert contrast(theme[f"c{number}"], theme["sheet"]) >= 3, number
