"""Calling the command line, within the test's process and in one of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.runs import SETTINGS
from thumbnet.cli import main

THUMBNET = str(Path(sys.executable).with_name("thumbnet"))
TINY = SETTINGS | {"phases.0.length": "4 iterations", "name": "tiny", "evaluation.every": "2 iterations"}

_MODULES_AFTER = """
import json, sys
from thumbnet.cli import main
for command in json.loads(sys.argv[1]):
    try:
        main(command)
    except SystemExit as ended:
        assert ended.code == 0, (command, ended.code)
print()
print(json.dumps(list(sys.modules)))
"""


def set_options(settings: Mapping[str, str]) -> list[str]:
    """Return the options that change these settings of a recipe."""
    return [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]


def modules_after(commands: Sequence[Sequence[object]]) -> set[str]:
    """Run commands, which must succeed, in a process of their own and return the names of the modules it then has."""
    words = json.dumps([[str(word) for word in command] for command in commands])
    line = [sys.executable, "-c", _MODULES_AFTER, words]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


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
