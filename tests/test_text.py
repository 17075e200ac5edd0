"""Numbers in words."""

from pathlib import Path

import numpy as np
import pytest

from thumbnet.text import (
    chance,
    duration,
    epochs_text,
    interval,
    p_figure,
    path_labels,
    percent,
    trimmed_percent,
    with_interval,
    without_password,
)


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
        (0.4, 2, "40.00%"),
        (0.435, 0, "44%"),
    ],
)
def test_percent(fraction: float, digits: int, expected: str) -> None:
    assert percent(fraction, digits) == percent(np.float64(fraction), digits) == expected


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.4365, "43.65%"), (0.4, "40%"), (0.435, "43.5%"), (1.0, "100%"), (0.0, "0%")]
)
def test_percent_without_zeros_at_its_end(fraction: float, expected: str) -> None:
    assert trimmed_percent(fraction) == expected


def test_an_interval() -> None:
    assert interval((0.2589, 1.0)) == "25.9 to 100.0%"
    assert interval((0.25891, 1.0), 2) == "25.89 to 100.00%"
    assert interval(None) == ""
    assert with_interval(0.26755, (0.2589, 0.2763)) == "26.8% (25.9 to 27.6%)"
    assert with_interval(0.26755, [0.2589, 0.2763], 2) == "26.76% (25.89 to 27.63%)"


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(None, ""), (20.0, "20"), (100, "100"), (51.1509, "51.15"), (0.1, "0.1"), (20_000.0, "20,000")],
)
def test_epochs(epochs: float | None, expected: str) -> None:
    assert epochs_text(epochs) == expected


def test_labels_of_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert path_labels([tmp_path / "x", tmp_path / "y"]) == ["x", "y"]
    assert path_labels([tmp_path / "one" / "run", tmp_path / "two" / "run"]) == ["one/run", "two/run"]
    same = [tmp_path / "a" / "1" / "run", tmp_path / "b" / "1" / "run", tmp_path / "other"]
    assert path_labels(same)[:2] == ["a/1/run", "b/1/run"]
    assert path_labels([]) == []
    # What is behind a link is called as the link.
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "x")
    assert path_labels([tmp_path / "link"]) == ["link"]
    monkeypatch.chdir(tmp_path / "x")
    assert path_labels([Path()]) == ["x"]
    assert path_labels([Path("..")]) == [tmp_path.name]


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


@pytest.mark.parametrize(
    ("p_value", "expected"),
    [(1.0, "p = 1"), (0.0312, "p = 0.031"), (1e-4, "p = 0.0001"), (9.9e-5, "p below 0.0001"), (0.0, "p below 0.0001")],
)
def test_a_p_value_that_is_not_more_exact_than_it_can_be(p_value: float, expected: str) -> None:
    assert chance(p_value) == expected
    assert p_figure(p_value) == expected.removeprefix("p ").removeprefix("= ")


def test_a_p_value_with_the_digits_asked_for() -> None:
    assert chance(0.04996, 3) == "p = 0.05"
    assert chance(0.04966, 3) == "p = 0.0497"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://u:secret@h:5/db", "postgresql+psycopg://u:***@h:5/db"),
        ("postgresql://u:se/cr?et@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:se@cret@h/db", "postgresql://u:***@h/db"),
        ("postgresql+psycopg//u:secret@h/db", "postgresql+psycopg//u:***@h/db"),
        ("postgresql:/u:secret@h/db", "postgresql:/u:***@h/db"),
        ("u:secret@h/db", "***@h/db"),
        ("postgresql://u@h/db?password=se@cret&x=1", "postgresql://u@h/db?password=***&x=1"),
        ("postgresql://u:secret@h/db?x=1&SSLpassword=secret", "postgresql://u:***@h/db?x=1&SSLpassword=***"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        ("postgresql://h:5/db?options=-csearch_path%3Dx", "postgresql://h:5/db?options=-csearch_path%3Dx"),
        ("sqlite:////no/such/folder/x.db", "sqlite:////no/such/folder/x.db"),
        ("shared.db", "shared.db"),
    ],
)
def test_the_password_of_a_database_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
