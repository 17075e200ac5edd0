"""Reports clicked through in headless Chromium."""

import re
from importlib import resources
from pathlib import Path

import pytest

from tests.report.browser import click_through, opened, overflow
from tests.report.made import HOSTILE, Made, make_data, make_run, simple
from thumbnet.packed import PackedDataset
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


def test_curves_tell_their_own_values(made: Made, data: PackedDataset, file: Path, tmp_path: Path) -> None:
    """What is told is what was measured, and never the value of one epoch as that of another."""
    run, other = (make_run(made, tmp_path / name, data) for name in ("one", "two"))
    rows = [row | {"val_top1": 0.123456} for row in run.metrics.read() if row["kind"] == "evaluation"]
    run.metrics.truncate(0)
    run.metrics.append([*rows[:3], rows[3] | {"val_top1": 0.98765}])
    rows = [row | {"epoch": row["epoch"] + 0.5} for row in other.metrics.read() if row["kind"] == "evaluation"]
    other.metrics.truncate(0)
    other.metrics.append(rows)
    write_report(make_report([run, other]), file)
    with opened(file) as page:
        chart, tip = page.locator("figure", has_text="Top-1 accuracy").locator("svg.lines"), page.locator("#tip")
        chart.focus()
        chart.press("Home")
        assert "one: val: 12.3%" in tip.inner_text()
        assert "two" not in tip.inner_text()
        chart.press("ArrowRight")
        assert tip.inner_text().startswith("epoch 1.5\ntwo: val: 20.0%")
        assert "one" not in tip.inner_text()
        chart.press("End")
        chart.press("ArrowLeft")
        assert tip.inner_text().startswith("epoch 4\none: val: 98.8%")


def test_a_tap_tells_what_pointing_does(single_report: Report, file: Path) -> None:
    write_report(single_report, file)
    with opened(file, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}) as page:
        tip, dots = page.locator("#tip"), page.locator("svg.dots [data-tip] circle").first
        for target, told in ((dots, "class "), (page.locator("svg.lines").first, "epoch ")):
            target.scroll_into_view_if_needed()
            target.tap()
            assert tip.is_visible()
            assert tip.inner_text().startswith(told)


def test_all_errors_can_be_seen_without_script(file: Path, tmp_path: Path) -> None:
    made = simple(40, 8)
    run = make_run(made, tmp_path / "many", make_data(made, tmp_path / "packed"), skill=0.0)
    write_report(make_report([run]), file)
    shown = {}
    for script in (True, False):
        with opened(file, java_script_enabled=script) as page:
            shown[script] = page.locator(".gallery .items > li:visible").count()
            every = page.locator(".gallery .items > li").count()
    assert shown[True] == 60
    assert shown[False] == every > 60
