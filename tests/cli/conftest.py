from pathlib import Path

import pytest

from tests.cli.calling import Shell
from tests.workflows.recorded import CPU, run_record
from thumbnet import records
from thumbnet.records import Measurement


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs commands in this process."""
    return Shell(capsys)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Records of two rows, of a recipe of our own, and of expected times."""
    place = tmp_path / "records"
    place.mkdir()
    records.write(run_record("mkrtchyan-m1", correct=2582, best=(17, 2676)), place)
    records.write(run_record("mkrtchyan-m1+", correct=3127, best=(19, 3137)), place)
    records.write(run_record("resnet18-64", correct=4952, epochs=17), place)
    times = {"mkrtchyan-m4": 9000.0, "mkrtchyan-m1-set1": 1000.0, "milani-inception": 36_000.0}
    records.write(Measurement("expected-times", "python x", None, {}, CPU, times), place)
    return place
