from pathlib import Path

import pytest

from thumbnet.recipe import Model, Optimizer, Phase, Recipe, epochs
from thumbnet.run import RunDirectory

RECIPE = Recipe("tiny", Model("m1"), Optimizer("adam", 0.001), (Phase(epochs(2)),))
DATA = {"name": "digits", "path": "data", "fingerprint": "f", "image_size": 16, "classes": [], "counts": {"fit": 1}}
ENVIRONMENT = {"versions": {"torch": "2.11.0"}, "threads": 2}


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "run", RECIPE, DATA, ENVIRONMENT, "thumbnet train tiny")
