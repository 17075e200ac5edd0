"""Numbers and tables as people read them."""

import io

import pytest
from rich.console import Console

from thumbnet.workflows.formats import (
    duration,
    epochs_text,
    interval_text,
    percent,
    text_table,
)


def test_text_keeps_brackets() -> None:
    console = Console(width=60, file=io.StringIO())
    console.print(text_table(("row", "note"), [["a", "pip install 'thumbnet[offline]'"]], "a [b] c", "[d]"))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "thumbnet[offline]" in shown
    assert "a [b] c" in shown
    assert "[d]" in shown


@pytest.mark.parametrize(
    ("fraction", "digits", "expected"),
    [
        (0.295, 1, "29.5%"),
        (0.29549, 1, "29.5%"),
        (0.2955, 1, "29.6%"),
        (0.0005, 1, "0.1%"),
        (0.1225, 1, "12.3%"),
        (1.0, 1, "100.0%"),
        (0.0, 1, "0.0%"),
        (0.4365, 2, "43.65%"),
        (0.4, 2, "40%"),
        (0.435, 2, "43.5%"),
        (1.0, 2, "100%"),
    ],
)
def test_percent(fraction: float, digits: int, expected: str) -> None:
    assert percent(fraction, digits) == expected


def test_an_interval() -> None:
    assert interval_text((0.2589, 1.0)) == "25.9 to 100.0%"
    assert interval_text(None) == ""


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(None, ""), (20.0, "20"), (100, "100"), (51.1509, "51.15"), (0.1, "0.1"), (20_000.0, "20,000")],
)
def test_epochs(epochs: float | None, expected: str) -> None:
    assert epochs_text(epochs) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, ""),
        (0.4, "under 1 s"),
        (1.0, "1 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (2531.2, "42 min"),
        (5399, "90 min"),
        (5400, "1.5 h"),
        (36_000, "10.0 h"),
        (172_799, "48.0 h"),
        (172_800, "2.0 days"),
    ],
)
def test_a_duration_in_the_unit_that_reads_best(seconds: float | None, expected: str) -> None:
    assert duration(seconds) == expected
