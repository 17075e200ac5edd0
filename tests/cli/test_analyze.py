"""`thumbnet analyze` at the command line."""

import shlex
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import thumbnet
from tests.cli.calling import Shell, status
from tests.helpers import copy_of
from thumbnet import analysis
from thumbnet.analyses import PARTS, Part
from thumbnet.cli.printing import plain_watch
from thumbnet.errors import ThumbnetError
from thumbnet.run import RunDirectory


@pytest.fixture
def own(run: RunDirectory, tmp_path: Path) -> Path:
    """A copy of a run, to be analysed."""
    return copy_of(run, tmp_path / "run").path


def test_parts_are_computed_then_kept(own: Path, shell: Shell) -> None:
    wished = ("--only", "maps", "--only", "layers")
    found = shell.json("analyze", own, *wished, "--device", "cpu")
    assert found["run"] == str(own)
    assert list(found["parts"]) == ["layers", "maps"]
    assert {part["state"] for part in found["parts"].values()} == {"computed"}
    assert all(Path(part["file"]).is_file() for part in found["parts"].values())
    lines = shell.text("analyze", own, *wished).splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["layers", "maps"]
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
    assert not (own / "analysis").exists()


def test_memory_that_runs_out_is_one_line(
    own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: Shell
) -> None:
    """On a device that others use: what was computed before is stored, and the next call goes on."""

    def exhaust(_subject: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    call = ("analyze", own, "--only", "layers", "--only", "maps", "--device", "cpu")
    with monkeypatch.context() as patch:
        patch.setattr(analysis, "find_maps", exhaust)
        assert status(*call) == 1
        *_, line = capsys.readouterr().err.splitlines()
        assert line.startswith("thumbnet: the memory of the device ran out (CUDA out of memory.")
        assert line.endswith("or compute on the processor with --device cpu")
        with pytest.raises(ThumbnetError, match="the memory of the device ran out"):
            thumbnet.analyze_run(thumbnet.open_run(own), ["maps"], device="cpu")
    assert [file.name for file in (own / "analysis").iterdir()] == ["layers.npz"]
    assert {part["state"] for part in shell.json(*call)["parts"].values()} == {"kept", "computed"}


EMBEDDING = ("--class", "a sock", "--class", "n2")
REST = tuple(word for part in tuple(PARTS)[1:] for word in ("--only", part))
PLACES = ("--data", "my data", "--cache", "c", "--device", "cpu", "--threads", "1")


@pytest.mark.parametrize(
    ("given", "done", "left"),
    [
        ((), (), ()),
        ((), ("layers",), ()),
        (("--only", "maps", "--only", "layers"), ("layers",), ("--only", "maps", "--only", "layers")),
        (PLACES, (), PLACES),
        # What was computed anew is not computed once more.
        (("--again",), (), ("--again",)),
        (
            ("--again", "--only", "maps", "--only", "layers", "--only", "robustness"),
            ("layers", "maps"),
            ("--only", "robustness", "--again"),
        ),
        (
            ("--again",),
            ("layers", "maps", "robustness", "neighbours"),
            ("--only", "embedding", "--only", "crossfit", "--again"),
        ),
        (("--again", "--only", "maps"), ("maps",), ("--only", "maps")),
        # An embedding of chosen classes is always computed.
        (EMBEDDING, ("layers",), (*REST, *EMBEDDING)),
        (EMBEDDING, tuple(PARTS)[:-1], ("--only", "crossfit")),
        (("--only", "embedding", *EMBEDDING, *PLACES), (), ("--only", "embedding", *EMBEDDING, *PLACES)),
    ],
)
def test_an_interruption_says_how_to_go_on(
    *,
    given: tuple[str, ...],
    done: tuple[Part, ...],
    left: tuple[str, ...],
    own: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from thumbnet.workflows import analyzing

    def interrupted(*_arguments: object, tell: Callable[[analyzing.Done], None], **_named: object) -> None:
        for part in done:
            tell(analyzing.Done(part, "computed", 0.1))
        raise KeyboardInterrupt

    monkeypatch.setattr(analyzing, "analyze", interrupted)
    assert status("analyze", own, *given) == 130
    said = capsys.readouterr().err.partition("stopped; go on with: ")[2]
    assert shlex.split(said) == ["thumbnet", "analyze", str(own), *left]


def test_a_line_of_progress_comes_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watch, now = plain_watch(10), iter((0.0, 4.0, 10.0, 11.0, 12.0, 13.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    for text, done, total in (
        *(("reading", 1, 9000), ("reading", 2, 9000), ("reading", 3, 9000), ("comparing", 1, 9000)),
        *(("comparing", 1, 50), ("comparing", 50, 50)),
    ):
        watch(text, done, total)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        *("reading: 1 of 9,000", "reading: 3 of 9,000", "comparing: 1 of 9,000"),
        *("comparing: 1 of 50", "comparing: 50 of 50"),
    ]
