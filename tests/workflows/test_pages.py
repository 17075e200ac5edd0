"""The pages agree with the records, the registries and the command line."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from thumbnet import environment, records
from thumbnet.augment import IMAGE_OPERATIONS, MIXING_OPERATIONS
from thumbnet.cli.main import app
from thumbnet.errors import StorageError
from thumbnet.models import model_names
from thumbnet.optim import optimizer_names, schedule_names
from thumbnet.packed import PackedDataset
from thumbnet.recipes import RECIPES
from thumbnet.records import Measurement, Peak
from thumbnet.run import RunDirectory
from thumbnet.workflows import pages
from thumbnet.workflows.recording import make_record

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_readme_shows_what_the_records_say() -> None:
    page = (ROOT / "README.md").read_text()
    folder = ROOT / "records"
    measured = records.load_all(folder) if folder.is_dir() else []
    assert pages.readme(page, measured) == page, "run: make pages"
    for one in measured:
        if isinstance(one, records.Record):
            assert f"| {one.top1:.2%} |" in page


def test_the_training_page_shows_what_the_registries_hold() -> None:
    page = (ROOT / "docs" / "training.md").read_text()
    assert pages.training_page(page) == page, "run: make pages"
    names = [*RECIPES, *model_names(), *schedule_names(), *optimizer_names()]
    names += [*IMAGE_OPERATIONS.names(), *MIXING_OPERATIONS.names()]
    for name in names:
        assert f"`{name}`" in page
    assert "`gamma=0.1`" in page
    assert "| `step` | `every`, `gamma=0.1` |" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_on_pages_exist(page: Path) -> None:
    commands = {name for name in app if not name.startswith("-")}
    for name in re.findall(r"^    thumbnet (\w+)", page.read_text(), re.MULTILINE):
        assert name in commands


def test_a_record_becomes_a_row(run: RunDirectory, dataset: PackedDataset) -> None:
    assert dataset.counts["val"] == 24
    record = replace(
        make_record(run),
        name="mkrtchyan-m1",
        selected_on="val",
        top1=0.28765,
        top1_interval=(0.2789, 0.2965),
        peak=Peak(7, 0.30125, (0.29, 0.31)),
        train_seconds=1230.0,
        epochs=20,
    )
    measured = Measurement("startup", "python x", None, {}, {}, {"seconds_median": 0.2149})
    rows = pages.results([record, measured]).splitlines()
    assert len(rows) == 3
    assert rows[2] == (
        "| `mkrtchyan-m1` | 29.5% (Mkrtchyan 2022, figure 3) | 30.12% (epoch 7) | 28.77% | 27.89% to 29.65% | 20 "
        "| 20 min | [mkrtchyan-m1](records/mkrtchyan-m1.json) |"
    )
    assert "| `thumbnet --help` | 0.21 s | [startup](records/startup.json) |" in pages.measurements([record, measured])


def test_every_measurement_has_its_line() -> None:
    figures: dict[str, dict[str, Any]] = {
        "pack": {
            "images": {"train": 100_000, "val": 10_000},
            "seconds_median": 9.34,
            "peak_memory_bytes": 456_000_000,
        },
        "augmentation": {
            "horizontal_flip": {"microseconds_per_image": 4.84},
            "mkrtchyan set 2": {"microseconds_per_image": 51.26},
        },
        "training-loop": {"b": {"ratio_median": 0.9811}, "a": {"ratio_median": 0.9}},
        "resume-after-kill": {"identical": 20, "kills": 20},
    }
    about = environment.versions()
    found = pages.measurements([Measurement(name, "python x", None, about, {}, one) for name, one in figures.items()])
    assert "9.3 s for 110,000 images, peak memory 0.46 GB" in found
    assert "4.8 microseconds an image for a flip, 51.3 for rotation" in found
    assert "`a` 90.0%, `b` 98.1%" in found
    assert "20 of 20 runs end with identical results" in found


def test_pages_without_records() -> None:
    page = "<!-- results -->\nold\n<!-- /results -->\n<!-- measurements -->\n<!-- /measurements -->\n"
    filled = pages.readme(page, [])
    assert "No run is recorded yet." in filled
    assert "Nothing is measured yet." in filled
    assert "old" not in filled


@pytest.mark.parametrize("page", ["", "<!-- a -->", "<!-- /a --> <!-- a -->", "<!-- a --><!-- a --><!-- /a -->"])
def test_markers_must_stand_once(page: str) -> None:
    with pytest.raises(StorageError, match="needs one <!-- a -->"):
        pages.fill(page, "a", "content")
