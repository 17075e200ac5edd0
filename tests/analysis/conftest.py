from pathlib import Path

import pytest

from tests.analysis.helpers import subject_of
from thumbnet.analysis import Subject
from thumbnet.packed import PackedDataset
from thumbnet.run import RunDirectory


@pytest.fixture(scope="session")
def subject(shapes: PackedDataset, short_run: RunDirectory, cache: Path) -> Subject:
    """A network of shapes, judged on val; shared, so it must not be changed."""
    return subject_of(short_run, shapes, cache)


@pytest.fixture(scope="session")
def held_out(shapes: PackedDataset, short_run: RunDirectory, cache: Path) -> Subject:
    """The same, judged on the holdout."""
    return subject_of(short_run, shapes, cache, "holdout")
