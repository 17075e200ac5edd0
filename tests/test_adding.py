"""docs/adding.md does what it says: in a copy of the package, its files and lines make a network and a recipe."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import thumbnet
from thumbnet.recipe import Model
from thumbnet.run import RunDirectory

PAGE = (Path(__file__).parents[1] / "docs" / "adding.md").read_text()
FILES = dict(re.findall(r"^The whole of `([\w/.]+)`:\n\n```python\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL))
LINES = re.findall(r"^In `([\w/.]+)`, .* list it in `(\w+)`:\n\n```python\n(from .+)\n\n(.+)\n```", PAGE, re.MULTILINE)
COMMANDS = re.findall(r"(?:^    thumbnet .+\n)+", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package, to which the page's files and lines were added."""
    folder = tmp_path_factory.mktemp("adding")
    shutil.copytree(
        Path(thumbnet.__file__).parent, folder / "src" / "thumbnet", ignore=shutil.ignore_patterns("__pycache__")
    )
    for path, text in FILES.items():
        assert not (folder / path).exists(), path
        (folder / path).write_text(text)
    for path, table, statement, entry in LINES:
        _list(folder / path, table, statement, entry)
    program = folder / "bin" / "thumbnet"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m thumbnet "$@"\n')
    program.chmod(0o755)
    return folder


def _list(path: Path, table: str, statement: str, entry: str) -> None:
    """Add an import beside those of the same package, and an entry to the top of a table, once each."""
    package = re.escape(statement.partition(" import ")[0])
    text, imports = re.subn(rf"^({package} import .+)$", rf"\1\n{statement}", path.read_text(), count=1, flags=re.M)
    text, entries = re.subn(rf"^({table}: [^{{]+{{)$", rf"\1\n    {entry}", text, count=1, flags=re.M)
    assert (imports, entries) == (1, 1), path
    path.write_text(text)


def _shell(copy: Path, commands: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run commands as a reader would type them; the first that fails ends them."""
    environment = {
        "PATH": f"{copy / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(copy / "src"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        ["sh", "-e"],
        input=commands,
        capture_output=True,
        text=True,
        check=False,
        cwd=copy,
        env=os.environ | environment,
    )
    assert done.returncode == status, done.stderr
    return done


def test_the_page_shows_a_network_and_a_recipe() -> None:
    assert list(FILES) == ["src/thumbnet/models/separable.py", "src/thumbnet/recipes/separable.py"]
    assert [(path, table) for path, table, _, _ in LINES] == [
        ("src/thumbnet/models/registry.py", "MODELS"),
        ("src/thumbnet/recipes/__init__.py", "OWN"),
    ]
    assert len(COMMANDS) == 2


@pytest.fixture(scope="module")
def printed(copy: Path) -> str:
    """What the commands of the last section print; they pack the digits and train the recipe."""
    return _shell(copy, COMMANDS[1]).stdout


def test_what_the_page_adds_is_listed_and_trains(copy: Path, printed: str) -> None:
    summary = "Depthwise separable convolutions from scratch, with flips and crops."
    listed, shown = (line for line in printed.splitlines() if summary in line)
    assert re.fullmatch(rf"separable-small +{summary}", listed)
    assert shown == summary  # above the recipe's settings
    run = RunDirectory.open(copy / "runs" / "separable")
    assert run.is_complete
    assert (run.recipe().name, run.recipe().model) == ("separable-small", Model("separable", {"width": 16}))
    assert run.result()["scores"]["val"]["top1"] > 0.3
    assert run.result()["parameters"] == 13_962


@pytest.mark.usefixtures("printed")
def test_a_misspelt_option_gets_the_pages_answer(copy: Path) -> None:
    command = "thumbnet train separable-small --data packed --out refused --set model.options.widht=8"
    answer = _shell(copy, command, status=1).stderr.splitlines()[-1]
    assert f"```text\n{answer}\n```" in PAGE
    assert not (copy / "refused").exists()


@pytest.mark.usefixtures("printed")
def test_a_recipe_from_a_file_needs_no_edit(copy: Path) -> None:
    _shell(copy, COMMANDS[0].rstrip() + " --set fraction=0.001 --set evaluation.train_images=10")
    assert RunDirectory.open(copy / "runs" / "mine").is_complete


def test_the_tests_of_networks_pass_with_the_added_one(copy: Path) -> None:
    root = Path(__file__).parents[1]
    tests = "tests/models/test_networks.py -k separable -p no:cacheprovider"
    printed = _shell(copy, f"cd '{root}'\n'{sys.executable}' -m pytest -q -rA {tests}").stdout
    assert re.search(r"PASSED .*test_images_become_logits\S*separable", printed)
