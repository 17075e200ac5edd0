import pytest

from tests.cli.calling import Shell
from tests.workflows.runs import dataset, run, runs, shapes

__all__ = ["dataset", "run", "runs", "shapes", "shell"]


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs commands in this process."""
    return Shell(capsys)
