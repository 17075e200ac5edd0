"""A data set of shapes and a finished run on it, small enough to be made anew in each test process."""

from pathlib import Path

import pytest

from tests.shapes import make_tiny_imagenet
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Recipe, assign
from thumbnet.recipes import find_recipe
from thumbnet.run import RunDirectory
from thumbnet.sources import pack
from thumbnet.train import Options, start

CLASSES, VAL, TEST = 6, 4, 3
SETTINGS = {
    "name": "shapes",
    "phases.0.length": "10 epochs",
    "phases.0.policies": "[[]]",
    "batch_size": "12",
    "evaluation.train_images": "12",
    "evaluation.every": "5 epochs",
    "selected_on": "holdout",
    "channels_last": "true",
}


def shapes_recipe(**more: str) -> Recipe:
    """The demo's recipe, shortened."""
    return assign(find_recipe("demo"), SETTINGS | more)


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpacked shapes in Tiny ImageNet's layout; shared, so it must not be changed."""
    folder = tmp_path_factory.mktemp("source") / "shapes"
    return make_tiny_imagenet(folder, classes=CLASSES, train=16, val=VAL, test=TEST, size=32)


@pytest.fixture(scope="session")
def dataset(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """The same, packed; shared, so it must not be changed."""
    return pack(unpacked, tmp_path_factory.mktemp("packed") / "shapes", size=32, threads=1)


@pytest.fixture(scope="session")
def runs(dataset: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> list[RunDirectory]:
    """Three short runs on it from the same seed's weights, with snapshots, kept epochs and views.

    They are shared, so not to be changed.
    """
    folder = tmp_path_factory.mktemp("several")
    return [
        start(
            shapes_recipe(
                **{
                    "phases.0.length": "4 epochs",
                    "evaluation.every": "1 epochs",
                    "evaluation.views": "flip",
                    "checkpointing.snapshots": "3",
                    "checkpointing.keep": "[2, 3]",
                    "optimizer.lr": rate,
                }
            ),
            dataset,
            folder / f"lr-{rate}",
            Options(device="cpu", threads=1, quiet=True),
            "thumbnet train shapes",
        )
        for rate in ("0.003", "0.01", "0.03")
    ]


@pytest.fixture(scope="session")
def run(dataset: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A complete run on it; shared, so it must not be changed."""
    out = tmp_path_factory.mktemp("runs") / "shapes"
    return start(shapes_recipe(), dataset, out, Options(device="cpu", threads=1, quiet=True), "thumbnet train shapes")
