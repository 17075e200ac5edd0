from pathlib import Path

import pytest

from tests.challenge.world import IMAGES, TRUTH
from tests.workflows.recorded import CPU, run_record
from thumbnet import records
from thumbnet.records import Measurement


@pytest.fixture
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of the test's own, for the token that `join` keeps."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("THUMBNET_SERVER", "THUMBNET_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def labels_file(tmp_path: Path) -> Path:
    path = tmp_path / "test.csv"
    path.write_text("image,class\n" + "".join(f"{a},{b}\n" for a, b in zip(IMAGES, TRUTH, strict=True)))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
