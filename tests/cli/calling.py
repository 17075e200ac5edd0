"""Calling the command line within the test's process."""

import json
from typing import Any

import pytest

from thumbnet.cli import main


def status(*arguments: object) -> int:
    """Run `thumbnet` with these arguments and return its exit status."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def row_of(text: str, name: str) -> str:
    """The line of a table that is of the row `name`."""
    (line,) = (line for line in text.splitlines() if line.split()[:1] == [name])
    return line


class Shell:
    """Runs commands and gives what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def text(self, *arguments: object) -> str:
        """Standard output of a command that must succeed."""
        code = status(*arguments)
        printed = self._capsys.readouterr()
        assert code == 0, printed.err
        return printed.out

    def json(self, *arguments: object) -> Any:
        """The JSON value that a command prints."""
        return json.loads(self.text(*arguments, "--json"))

    def error(self, *arguments: object) -> str:
        """The one line by which a command must fail with status 1."""
        code = status(*arguments)
        printed = self._capsys.readouterr()
        assert code == 1, (code, printed.err)
        assert "Traceback" not in printed.err
        assert printed.out == ""
        lines = printed.err.splitlines()
        assert len(lines) == 1, printed.err
        assert lines[0].startswith("thumbnet: ")
        return lines[0]
