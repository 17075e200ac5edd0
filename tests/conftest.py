"""What many tests share: small packed data sets and runs on them. Shared, so none must be changed."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import browser
from tests.cli.calling import Shell
from tests.disk import disk
from tests.helpers import QUIET, short_recipe
from tests.postgres import cluster
from tests.shapes import make_tiny_imagenet
from tests.workflows.runs import dataset, run, runs, unpacked
from thumbnet import train
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Checkpointing
from thumbnet.run import RunDirectory
from thumbnet.sources.pack import pack

__all__ = [
    "browser",
    "cache",
    "cluster",
    "dataset",
    "disk",
    "out",
    "run",
    "runs",
    "shapes",
    "short_run",
    "undrawn",
    "unpacked",
]


def pytest_configure() -> None:
    """Let Ctrl-C end what the tests start, also where a shell began them in the background, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Cached features of all tests, away from the user's own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THUMBNET_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Coloured shapes: 4 classes, 32 pixels, 64 train images (of which 8 are the holdout), 20 val and 8 test."""
    folder = tmp_path_factory.mktemp("shapes-32")
    source = make_tiny_imagenet(folder / "source", classes=4, train=16, val=5, test=2, size=32)
    return pack(source, folder / "packed", size=32)


@pytest.fixture(scope="session")
def short_run(shapes: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A complete run of `short_recipe` on `shapes`, with filters and weights of epoch 1 kept."""
    recipe = short_recipe(checkpointing=Checkpointing(keep=(1,), filters=(1,)), selected_on="holdout")
    return train.start(recipe, shapes, tmp_path_factory.mktemp("runs") / "short", QUIET, "a test")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the figures of studies and searches, where their numbers alone are read."""
    monkeypatch.setattr("thumbnet.workflows.study.running.draw_study", lambda *_: None)
    monkeypatch.setattr("thumbnet.workflows.tuning.searching.draw_search", lambda *_: None)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs commands in this process."""
    return Shell(capsys)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A place for a run."""
    return tmp_path / "run"
