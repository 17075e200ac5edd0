from pathlib import Path

import pytest

from tests.shapes import make_tiny_imagenet, zip_folder


@pytest.fixture(scope="session")
def shapes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set in Tiny ImageNet's layout; shared, so it must not be changed."""
    return make_tiny_imagenet(tmp_path_factory.mktemp("shapes") / "shapes")


@pytest.fixture(scope="session")
def shapes_zip(shapes_folder: Path) -> Path:
    """The same data set as a zip archive; shared, so it must not be changed."""
    return zip_folder(shapes_folder, shapes_folder.parent / "shapes.zip")
