"""`thumbnet analyze` at the command line."""

import shutil
from pathlib import Path

import pytest

from tests.cli.calling import Shell, status
from thumbnet.analyses import PARTS
from thumbnet.run import RunDirectory


@pytest.fixture
def own(run: RunDirectory, tmp_path: Path) -> Path:
    """A copy of a run, to be analysed."""
    return shutil.copytree(run.path, tmp_path / "run")


def test_all_parts_then_none(own: Path, shell: Shell) -> None:
    found = shell.json("analyze", own, "--device", "cpu")
    assert found["run"] == str(own)
    assert list(found["parts"]) == list(PARTS)
    assert {part["state"] for part in found["parts"].values()} == {"computed"}
    assert all(Path(part["file"]).is_file() for part in found["parts"].values())
    lines = shell.text("analyze", own).splitlines()
    assert len(lines) == len(PARTS)
    assert all(line.endswith(": stored before") for line in lines)


def test_progress_goes_to_standard_error(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("analyze", own, "--only", "maps", "--only", "layers", "--device", "cpu") == 0
    printed = capsys.readouterr()
    assert [line.partition(" ")[0] for line in printed.out.splitlines()] == ["layers", "maps"]
    assert "maps: 24 of 24" in printed.err.splitlines()


def test_mistakes_are_one_line(own: Path, shell: Shell, tmp_path: Path) -> None:
    assert "part 'umap' of an analysis is unknown" in shell.error("analyze", own, "--only", "umap")
    assert "no such run directory" in shell.error("analyze", tmp_path / "none")
    assert "class 'soks' is not one of the data's 6" in shell.error("analyze", own, "--class", "soks")
    assert "analysis" not in [place.name for place in own.iterdir()] or not list((own / "analysis").glob(".*"))


def test_an_interruption_says_how_to_go_on(
    own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from thumbnet.workflows import analyzing

    def interrupted(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(analyzing, "analyze", interrupted)
    assert status("analyze", own) == 130
    assert f"stopped; go on with: thumbnet analyze {own}" in capsys.readouterr().err
