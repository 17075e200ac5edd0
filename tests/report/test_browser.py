"""Reports clicked through in headless Chromium."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.made_analyses import analyze
from playwright.sync_api import Browser, Locator, Page

from tests.browser import overflow
from tests.colours import contrast, luminance
from tests.helpers import QUIET, short_recipe
from tests.report.browser import click_through, opened, told
from tests.report.made import HOSTILE, Made, make_data, make_run, simple
from tests.report.reading import check, rows_of
from thumbnet import train
from thumbnet.analyses import PARTS
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Evaluation, Model, Optimizer, Phase, epochs
from thumbnet.report import Report, make_report, write_report
from thumbnet.run import RunDirectory
from thumbnet.watch import silent
from thumbnet.workflows import analyzing

KINDS = ["theme", ".gallery", ".heat", ".one-class", "svg.lines", "table.sortable"]


def sources(images: Locator) -> list[str]:
    """Where the images come from, of which there is at least one."""
    assert images.count() > 0
    return [str(image.get_attribute("src")) for image in images.all()]


def text_size(page: Page, charts: str) -> float:
    """The size in pixels, on the screen, of the smallest text in the figures that the selector names."""
    scale = "Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b)"
    size = f"texts => Math.min(...texts.map(text => parseFloat(getComputedStyle(text).fontSize) * {scale}))"
    return float(page.locator(f"{charts} text").evaluate_all(size))


def borders(page: Page) -> list[tuple[str, str]]:
    """The colours of the border of each control, and of what lies within it."""
    colours = """controls => controls.map(one => [one, getComputedStyle(one)])
        .filter(([one, style]) => one.checkVisibility() && style.borderTopWidth !== "0px")
        .map(([one, style]) => [style.borderTopColor, style.backgroundColor])"""
    found = page.locator("button, select").evaluate_all(colours)
    return [(hexadecimal(border), hexadecimal(inside)) for border, inside in found]


def hexadecimal(colour: str) -> str:
    """A colour 'rgb(1, 2, 3)' as '#010203'."""
    red, green, blue = map(int, re.findall(r"\d+", colour))
    return f"#{red:02x}{green:02x}{blue:02x}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "report.html"


def test_a_report_of_one_run(browser: Browser, single_report: Report, file: Path) -> None:
    write_report(single_report, file)
    with opened(browser, file) as page:
        assert click_through(page) == KINDS
        page.locator("[data-tip]").first.hover()
        assert re.match(r"class \d: \d", page.locator("#tip").inner_text())
        # Within a bar a gap has another colour than above it, so that its outline tells it, and none is named.
        assert page.locator("svg.reliability .gap").first.evaluate("gap => getComputedStyle(gap).strokeOpacity") == "1"
        assert "the outlined part" in page.locator("#run-1-calibration").inner_text()
        assert "orange" not in page.locator("#run-1-calibration").inner_text()
        page.keyboard.press("Escape")
        assert not page.locator("#tip").is_visible()


def test_a_comparison(browser: Browser, pair_report: Report, file: Path) -> None:
    write_report(pair_report, file)
    with opened(browser, file) as page:
        assert click_through(page) == KINDS
        compared, tip = page.locator("#pair-compare"), page.locator("#tip")
        assert compared.locator(".verdict").inner_text().startswith(("The difference", "No difference"))
        assert compared.locator(".items").count() == 2
        assert all(uri.startswith("data:image/") for uri in sources(compared.locator(".items img")))
        compared.locator("svg.dots [data-tip]").first.hover()
        assert re.fullmatch(r"class \d: [+-][\d.]+ points, \d+ fixed, \d+ broken", tip.inner_text())


def test_an_analysed_run(browser: Browser, analyzed_report: Report, file: Path) -> None:
    write_report(analyzed_report, file)
    with opened(browser, file) as page:
        assert click_through(page) == KINDS
        maps, lay = page.locator(".gallery .items > li:visible .map"), page.locator(".lay input")
        assert maps.first.is_hidden()
        lay.check()
        for image in maps.all():
            assert image.is_visible()
            assert image.bounding_box() == image.locator("xpath=preceding-sibling::img").bounding_box()
        lay.uncheck()
        assert maps.first.is_hidden()
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True, "is_mobile": True}
    with opened(browser, file, **phone) as page:
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert overflow(page) == 0
        point, tip = page.locator("#run-1-features svg.scatter .point").last, page.locator("#tip")
        point.scroll_into_view_if_needed()
        point.tap()
        assert re.fullmatch(r"class \d\nval_\d+\.png", tip.inner_text())
        for section in ("features .image-map", "features .neighbours", "filters", "maps", "robustness .examples"):
            images = page.locator(f"#run-1-{section} img")
            assert images.count() >= 1, section
            assert images.first.evaluate("image => image.decode().then(() => image.naturalWidth > 0)"), section


@pytest.mark.parametrize("classes", [2, 1000])
def test_few_and_many_classes(browser: Browser, file: Path, tmp_path: Path, classes: int) -> None:
    made = simple(classes, 20 if classes == 2 else 1, train=2)
    data = make_data(made, tmp_path / "packed")
    run = make_run(made, tmp_path / "run", data, skill=1.0 if classes == 2 else 4.0)
    analyze(run, data, side=5)
    report = make_report([run])
    check(report)
    assert len(rows_of(report, "confusion")) == classes
    write_report(report, file)
    with opened(browser, file) as page:
        assert click_through(page) == KINDS
        for section in ("features svg.scatter .point", "filters img.pixels", "maps img", "robustness svg.chart"):
            assert page.locator(f"#run-1-{section}").count() >= 1, section
        assert page.locator(".one-class option").count() == classes
        page.set_viewport_size({"width": 390, "height": 844})
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert overflow(page) == 0


def test_a_run_that_was_trained(browser: Browser, short_run: RunDirectory, file: Path) -> None:
    write_report(make_report([short_run]), file)
    with opened(browser, file) as page:
        assert click_through(page) == KINDS


def test_a_fine_tuned_run(browser: Browser, shapes: PackedDataset, file: Path, tmp_path: Path) -> None:
    """A network of ImageNet's weights: the head on cached features, then all, judged larger than the data."""
    recipe = short_recipe(
        model=Model("timm/tf_efficientnet_lite0", weights="package"),
        optimizer=Optimizer("adamw", lr=1e-3),
        phases=(Phase(epochs(1), image_size=32, trainable="head", cached_features=1), Phase(epochs(1), image_size=48)),
        evaluation=Evaluation(splits=("holdout", "val"), train_images=16, image_size=64),
    )
    run = train.start(recipe, shapes, tmp_path / "run", QUIET, "a test")
    done = analyzing.analyze(
        run, analyzing.AnalysisWish(), device=torch.device("cpu"), watch=silent, tell=lambda _done: None
    )
    assert [one.state for one in done] == ["computed"] * len(PARTS)
    write_report(make_report([run]), file)
    with opened(browser, file) as page:
        assert click_through(page) == KINDS
        text = page.locator("main").inner_text()
        for words in ("from pretrained weights", "without its cached features", "32 px, judged at 64 px"):
            assert words in text
        changed = page.locator("#run-1-filters .changed li")
        assert changed.count() == 12
        assert len(set(sources(changed.locator("img:nth-of-type(3)")))) == 12
        kernels = page.get_by_alt_text("Kernels of the second convolution").bounding_box()
        assert kernels is not None
        assert kernels["height"] < kernels["width"]


def test_hostile_names(browser: Browser, hostile: RunDirectory, file: Path) -> None:
    write_report(make_report([hostile]), file)
    with opened(browser, file) as page:
        assert click_through(page) == KINDS
        names = page.locator(".one-class option").all_inner_texts()
        assert sorted(names) == sorted(name.partition(",")[0] for name in HOSTILE)
        assert page.locator("main script:not([type])").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(browser: Browser, pair_report: Report, file: Path, scheme: str) -> None:
    write_report(pair_report, file)
    with opened(browser, file, viewport={"width": 390, "height": 844}, color_scheme=scheme) as page:
        assert overflow(page) == 0
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert overflow(page) == 0
        body = hexadecimal(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert (luminance(body) > 0.5) == (scheme == "light")
        assert text_size(page, ".chart.wide") > 11.9
        assert text_size(page, ".chart") > 9
        controls = borders(page)
        assert len(controls) > 5
        for border, inside in controls:
            assert min(contrast(border, inside), contrast(border, body)) >= 3


def test_without_script(browser: Browser, single_report: Report, file: Path) -> None:
    write_report(single_report, file)
    with opened(browser, file, java_script_enabled=False) as page:
        assert "top-1 on val" in page.locator("main").inner_text()
        assert page.locator(".items img:visible").count() >= 10
        assert not page.locator("#theme").is_visible()
        assert not page.locator(".heat-tools").is_visible()
        # Keys do nothing to the figures, so none of them says that they would.
        assert page.locator("[role=slider], [role=application]").count() == 0
        assert page.locator("svg.lines[role=img]").count() > 1


def test_curves_tell_their_own_values(
    browser: Browser, made: Made, data: PackedDataset, file: Path, tmp_path: Path
) -> None:
    """What is told is what was measured, and never the value of one epoch as that of another."""
    run, other = (make_run(made, tmp_path / name, data) for name in ("one", "two"))
    rows = [row | {"val_top1": 0.123456} for row in run.metrics.read() if row["kind"] == "evaluation"]
    run.metrics.truncate(0)
    run.metrics.append([*rows[:3], rows[3] | {"val_top1": 0.98765}])
    rows = [row | {"epoch": row["epoch"] + 0.5} for row in other.metrics.read() if row["kind"] == "evaluation"]
    other.metrics.truncate(0)
    other.metrics.append(rows)
    write_report(make_report([run, other]), file)
    with opened(browser, file) as page:
        chart, tip = page.get_by_role("slider", name=re.compile("^Top-1")), page.locator("#tip")
        chart.focus()
        assert told(chart)[0].startswith("epoch 4.5; ")
        chart.press("Home")
        assert "one: val: 12.3%" in tip.inner_text()
        assert "two" not in tip.inner_text()
        assert told(chart) == ("; ".join(tip.inner_text().split("\n")), 1)
        # It is said once, as the figure's value.
        assert tip.get_attribute("aria-live") == "off"
        chart.press("ArrowRight")
        assert tip.inner_text().startswith("epoch 1.5\ntwo: val: 20.0%")
        assert "one" not in tip.inner_text()
        chart.press("End")
        chart.press("ArrowLeft")
        assert tip.inner_text().startswith("epoch 4\none: val: 98.8%")


def test_shares_next_to_0_and_100_percent_are_told_and_sorted(browser: Browser, file: Path, tmp_path: Path) -> None:
    made = Made(["nearly", "half", "whole"], [2500, 4, 4])
    run = make_run(made, tmp_path / "run", make_data(made, tmp_path / "packed"))
    stored = run.predictions("val")
    answers = stored.labels.copy()
    for label, errors in ((0, 1), (1, 2)):
        answers[np.flatnonzero(stored.labels == label)[:errors]] = label + 1
    # Each answer has 99.7%.
    replace(stored, logits=6.5 * np.eye(3, dtype=np.float32)[answers]).save(run.predictions_path("val"))
    report = make_report([run])
    assert "whole above 99%</span>" in report.html
    assert "100%</span>" not in report.html
    write_report(report, file)
    with opened(browser, file) as page:
        table = page.locator("#run-1-per-class table.sortable")
        table.evaluate("table => { table.closest('details').open = true; }")
        for order in (["whole", "nearly", "half"], ["half", "nearly", "whole"]):
            table.locator("thead button").nth(2).click()
            assert table.locator("tbody th").all_inner_texts() == order
        assert table.locator("tbody tr", has_text="nearly").locator("td").nth(1).inner_text() == "above 99.9%"


def test_a_tap_tells_what_pointing_does(browser: Browser, single_report: Report, file: Path) -> None:
    write_report(single_report, file)
    with opened(browser, file, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}) as page:
        tip, dots = page.locator("#tip"), page.locator("svg.dots [data-tip] circle").first
        for target, told in ((dots, "class "), (page.locator("svg.lines").first, "epoch ")):
            target.scroll_into_view_if_needed()
            target.tap()
            assert tip.is_visible()
            assert tip.inner_text().startswith(told)


def test_all_errors_can_be_seen_without_script(browser: Browser, file: Path, tmp_path: Path) -> None:
    made = simple(40, 8)
    run = make_run(made, tmp_path / "many", make_data(made, tmp_path / "packed"), skill=0.0)
    write_report(make_report([run]), file)
    shown = {}
    for script in (True, False):
        with opened(browser, file, java_script_enabled=script) as page:
            shown[script] = page.locator(".gallery .items > li:visible").count()
            every = page.locator(".gallery .items > li").count()
    assert shown[True] == 60
    assert shown[False] == every > 60
