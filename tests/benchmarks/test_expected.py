"""benchmarks.expected: every row and study is timed, and a study takes as long as its runs."""

from pathlib import Path

import pytest
from benchmarks.expected import NAMES, kept_figures, recipes_of, with_studies

from thumbnet import records
from thumbnet.errors import RecipeError, StorageError
from thumbnet.recipes import ROWS
from thumbnet.studies import STUDIES

SOLVERS = ["hansen-solvers-momentum", "hansen-solvers-nesterov", "hansen-solvers-adagrad", "hansen-solvers-sgd"]
ABOUT = {"commit": None, "versions": {}, "device": {"type": "cpu", "name": "x", "cpus": 2}, "threads": 2}


def test_every_row_and_study_is_timed() -> None:
    assert {*ROWS, *STUDIES, "resnet18-64"} <= set(NAMES)
    assert len(NAMES) == len(set(NAMES))
    assert list(recipes_of(["hansen-solvers", "yu-vgg"])) == [*SOLVERS, "yu-vgg"]
    with pytest.raises(RecipeError, match="row 'hansen-solver' is unknown; did you mean hansen-solvers"):
        recipes_of(["hansen-solver"])


def test_a_study_takes_as_long_as_its_runs() -> None:
    seconds = {name: 10.0 + place for place, name in enumerate(recipes_of(NAMES))}
    found = with_studies(seconds)
    assert set(found) == {*NAMES, *SOLVERS}
    assert found["hansen-solvers"] == sum(seconds[name] for name in SOLVERS)
    assert found["hansen-ensemble"] == 4 * seconds["hansen-prelu-development"]
    assert found["yu-vgg"] == seconds["yu-vgg"]
    assert with_studies({SOLVERS[0]: 1.0, "yu-vgg": 2.0}) == {"yu-vgg": 2.0, SOLVERS[0]: 1.0}


def test_figures_are_kept_of_the_same_device_only(tmp_path: Path) -> None:
    path = tmp_path / "times.json"
    assert kept_figures(path, ABOUT) == {}
    found = with_studies(dict.fromkeys((*SOLVERS, "yu-vgg"), 5.0))
    records.write_measurement(path, found, ABOUT, "a test")
    assert kept_figures(path, ABOUT) == dict.fromkeys((*SOLVERS, "yu-vgg"), 5.0)
    with pytest.raises(StorageError, match="measured on another device or with other threads; measure all rows"):
        kept_figures(path, ABOUT | {"threads": 1})
