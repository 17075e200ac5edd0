"""The colours of reports can be told apart."""

import re
from importlib import resources

from tests.colours import contrast, named
from thumbnet.report.charts.lines import colour


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
        curves = [drawn(colour(number), theme) for number in range(16)]
        assert len(set(curves)) == 16
        for number, one in enumerate(curves):
            assert contrast(one, theme["sheet"]) >= 3, number


def drawn(colour: str, theme: dict[str, str]) -> str:
    """The colour #rrggbb of 'var(--name)', or of a mixture of two such with the share of the first."""
    first, *second = (theme[name] for name in re.findall(r"var\(--(\w+)\)", colour))
    if not second:
        return first
    share = int(colour.partition("%")[0].rpartition(" ")[2]) / 100
    parts = [(int(first[at : at + 2], 16), int(second[0][at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(share * one + (1 - share) * other):02x}" for one, other in parts)
