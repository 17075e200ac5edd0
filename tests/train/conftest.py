from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers import QUIET
from thumbnet import train


@pytest.fixture
def options(tmp_path: Path) -> train.Options:
    """Options with a cache of their own."""
    return replace(QUIET, cache=tmp_path / "cache")
