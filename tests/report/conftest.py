import pytest
from benchmarks.made_analyses import analyze

from tests.report.made import HOSTILE, Made, make_data, make_run, simple
from thumbnet.packed import PackedDataset
from thumbnet.quality.stored import ensure_duplicates
from thumbnet.report import Report, make_report
from thumbnet.run import RunDirectory


@pytest.fixture(scope="package")
def made() -> Made:
    """Five classes with twelve val images each."""
    return simple()


@pytest.fixture(scope="package")
def data(made: Made, tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Their images, with their duplicates searched and kept, so that no page searches them anew."""
    found = make_data(made, tmp_path_factory.mktemp("data") / "packed")
    ensure_duplicates(found)
    return found


@pytest.fixture(scope="package")
def pair(made: Made, data: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> list[RunDirectory]:
    """Two runs on the same data; shared, so not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        make_run(made, folder / "first", data, seed=0),
        make_run(made, folder / "second", data, seed=1, skill=2.5),
    ]


@pytest.fixture(scope="package")
def analyzed(made: Made, data: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run with its analysis, but for cross-fitted predictions; shared, so not to be changed."""
    run = make_run(made, tmp_path_factory.mktemp("analyzed") / "run", data)
    analyze(run, data)
    return run


@pytest.fixture(scope="package")
def analyzed_report(analyzed: RunDirectory) -> Report:
    return make_report([analyzed])


@pytest.fixture(scope="package")
def single_report(pair: list[RunDirectory]) -> Report:
    return make_report(pair[:1])


@pytest.fixture(scope="package")
def pair_report(pair: list[RunDirectory]) -> Report:
    return make_report(pair)


@pytest.fixture(scope="package")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run on classes with hostile names, of which the last has no val image."""
    folder = tmp_path_factory.mktemp("<b>hostile & 'quoted'")
    made = Made(HOSTILE, [6] * (len(HOSTILE) - 1) + [0])
    return make_run(made, folder / "<i>run", make_data(made, folder / "packed"))
