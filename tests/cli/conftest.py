import pytest

from tests.cli.calling import Shell
from tests.workflows.runs import dataset, run, shapes

__all__ = ["dataset", "run", "shapes", "shell"]


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs commands in this process."""
    return Shell(capsys)
