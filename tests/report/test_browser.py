"""Reports clicked through in headless Chromium."""

import re
from importlib import resources
from pathlib import Path

import pytest

from tests.report.browser import click_through, opened, overflow
from tests.report.made import HOSTILE
from thumbnet.report import Report, make_report, write_report
from thumbnet.run import RunDirectory

KINDS = ["theme", ".gallery", ".heat", ".one-class", "svg.lines", "table.sortable"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "report.html"


def test_a_report_of_one_run(single_report: Report, file: Path) -> None:
    write_report(single_report, file)
    with opened(file) as page:
        assert click_through(page) == KINDS
        page.locator("[data-tip]").first.hover()
        assert re.match(r"class \d: \d", page.locator("#tip").inner_text())
        page.keyboard.press("Escape")
        assert not page.locator("#tip").is_visible()


def test_a_comparison(pair_report: Report, file: Path) -> None:
    write_report(pair_report, file)
    with opened(file) as page:
        assert click_through(page) == KINDS
        assert page.locator("#pair-compare .verdict").inner_text().startswith(("The difference", "No difference"))


def test_a_run_that_was_trained(short_run: RunDirectory, file: Path) -> None:
    write_report(make_report([short_run]), file)
    with opened(file) as page:
        assert click_through(page) == KINDS


def test_hostile_names(hostile: RunDirectory, file: Path) -> None:
    write_report(make_report([hostile]), file)
    with opened(file) as page:
        assert click_through(page) == KINDS
        names = page.locator(".one-class option").all_inner_texts()
        assert sorted(names) == sorted(name.partition(",")[0] for name in HOSTILE)
        assert page.locator("main script:not([type])").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(pair_report: Report, file: Path, scheme: str) -> None:
    write_report(pair_report, file)
    with opened(file, viewport={"width": 390, "height": 844}, color_scheme=scheme) as page:
        assert overflow(page) == 0
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert overflow(page) == 0
        red = int(re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[0])
        assert (red > 128) == (scheme == "light")


def test_without_script(single_report: Report, file: Path) -> None:
    write_report(single_report, file)
    with opened(file, java_script_enabled=False) as page:
        assert "top-1 on val" in page.locator("main").inner_text()
        assert page.locator(".items img:visible").count() >= 10
        assert not page.locator("#theme").is_visible()
        assert not page.locator(".heat-tools").is_visible()


def test_colours_can_be_read() -> None:
    """Text on its backgrounds has WCAG's contrast of 4.5, curves have 3, in both themes."""
    style = resources.files("thumbnet.report").joinpath("templates", "report.css").read_text()
    light, automatic, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r"\{\s*[^{}]*--page:[^}]*\}", style)
    )
    assert automatic == dark
    assert light.keys() == dark.keys()
    for theme in (light, dark):
        for name in ("text", "muted", "accent", "good", "bad"):
            for behind in ("sheet", "page"):
                assert contrast(theme[name], theme[behind]) >= 4.5, (name, behind)
        assert contrast(theme["text"], theme["note"]) >= 4.5
        for number in range(8):
            assert contrast(theme[f"c{number}"], theme["sheet"]) >= 3, number


def contrast(first: str, second: str) -> float:
    """The contrast of two colours, in 1 to 21 (WCAG 2.2)."""
    low, high = sorted(luminance(one) for one in (first, second))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
