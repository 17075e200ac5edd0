"""The page on quality states what its record holds."""

import re
from pathlib import Path
from typing import Any

import pytest

from thumbnet import records
from thumbnet.quality.duplicates import OUTLINE_MATCH, RADIUS, THRESHOLD

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def figures() -> Any:
    record = records.load(ROOT / "records" / "quality.json")
    assert isinstance(record, records.Measurement)
    return record.figures


def test_the_tables_of_flips_are_the_record(figures: Any) -> None:
    of_val = {kind: found["class"] for kind, found in figures["flipped"].items()}
    for where, expected in (("", of_val), (" of train", figures["flipped_train"])):
        shown = re.findall(rf"^\| (\d+)%{where} \| (any class|similar classes) \| (.*) \|$", PAGE, re.MULTILINE)
        assert len(shown) == len(expected) == 6
        for percent, kind, cells in shown:
            found = expected[f"{int(percent) / 100:g} to {kind}"]
            names = ("precision", "recall", "precision_of_surest_1%", "precision_of_as_many_as_flipped")
            assert cells.split(" | ") == [f"{found['suspects']:,.0f}", *(f"{found[name]:.1%}" for name in names)]
    one = figures["flipped"]["0.05 to any class"]
    for name in ("recall", "precision"):
        assert f"{one['noise_rate'][name]:.1%} against {one['class'][name]:.1%}" in PAGE
    assert f"in {one['class']['precision_of_surest_1%_by_margin']:.1%} instead of" in PAGE
    assert f"right in {figures['top1']:.1%} of val" in PAGE


def test_the_table_of_retouched_images_is_the_record(figures: Any) -> None:
    shown = re.findall(r"^\| ([^|]*) \| ([\d.]+%) \|$", PAGE, re.MULTILINE)
    assert dict(shown) == {name: f"{found['found']:.1%}" for name, found in figures["retouched"].items()}


def test_the_duplicates_are_those_of_the_record(figures: Any) -> None:
    found = figures["duplicates"]
    assert (found["identical_precision"], found["identical_recall"]) == (1.0, 1.0)
    assert f"the {found['known_identical_pairs']} known pairs" in PAGE
    assert found["identical_pairs"] == found["known_identical_pairs"]
    assert listed(r"known pairs and no other: ([^.]*)\.") == found["identical_by_splits"]
    assert f"it finds {found['near_pairs']} near pairs: " in PAGE
    assert f"All {found['near_pairs']} were looked at" in PAGE
    assert listed(r"near pairs: ([^.]*)\.") == found["near_by_splits"]
    assert f"takes {found['cpu_seconds']:.0f} s of one core" in PAGE
    assert f"peak memory of {found['peak_memory_bytes'] / 1e9:.1f} GB" in PAGE
    assert f"agree by {THRESHOLD} or more" in PAGE
    assert f"up to {RADIUS} bits" in PAGE
    assert f"cosine of {OUTLINE_MATCH} or more" in PAGE


def listed(place: str) -> dict[str, int]:
    """The counts of pairs by their splits that the page states at `place`."""
    (text,) = re.findall(place, PAGE)
    within = {f"{split}-{split}": int(count) for count, split in re.findall(r"(\d+) within (\w+)", text)}
    between = re.findall(r"(\d+) between (\w+) and (\w+)", text)
    return within | {f"{first}-{second}": int(count) for count, first, second in between}
