"""The demo, run whole once, and everything that it says to do next."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.cli.calling import Shell, status
from tests.report.browser import click_through, opened
from tests.shapes import draw
from tests.workflows.runs import CLASSES
from thumbnet.packed import load
from thumbnet.run import RunDirectory
from thumbnet.workflows.demo import as_text, pick_samples


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder in which the demo has run, and the lines that it printed."""
    folder = tmp_path_factory.mktemp("demo")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as said:
        assert status("demo", "--threads", 1) == 0
    return folder, said.getvalue().splitlines()


@pytest.fixture
def folder(demo: tuple[Path, list[str]]) -> Path:
    return demo[0]


@pytest.fixture
def printed(demo: tuple[Path, list[str]]) -> list[str]:
    return demo[1]


@pytest.fixture
def shell(shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs commands in the folder of the demo."""
    monkeypatch.chdir(folder)
    return shell


def test_demo_reaches_its_figure_and_shows_it(folder: Path, printed: list[str]) -> None:
    run = RunDirectory.open(folder / "runs" / "demo" / "run")
    top1 = run.result()["scores"]["val"]["top1"]
    assert top1 > 0.9
    assert any(line.startswith(f"val top-1 {top1:.1%} (95% interval ") for line in printed)
    with Image.open(folder / "runs" / "demo" / "demo.png") as picture:
        assert picture.format == "PNG"
        width, height = picture.size
        assert 800 <= width <= 2000
        assert 300 <= height <= 1200
        assert len(set(picture.convert("L").resize((64, 32)).tobytes())) > 20
    # Four digits side by side, drawn in characters, with a caption below.
    assert all(re.fullmatch(r"[ .:\-=+*#%@]+", line) for line in printed[:8])
    assert len(re.findall(r"\d \d+%", printed[8])) == 4


def test_its_report_can_be_clicked_through(browser: Browser, folder: Path, printed: list[str]) -> None:
    page_file = folder / "runs" / "demo" / "run" / "report.html"
    assert any(line.startswith("report: ") and "report.html" in line for line in printed)
    with opened(browser, page_file) as page:
        assert len(click_through(page)) == 6
        assert page.locator(".items img").count() >= 1


def test_what_to_do_next_works(shell: Shell, folder: Path, printed: list[str], unpacked: Path) -> None:
    start = printed.index("what to do next") + 1
    commands = [re.split(r"  +", line.strip())[0] for line in printed[start:]]
    assert len(commands) == 5
    image, _ = draw(0, 32, np.random.default_rng(0))
    image.save(folder / "image.png")
    said = {}
    for command in commands:
        words = shlex.split(command.replace("IMAGE ...", "image.png").replace("FOLDER", str(unpacked)))
        words = ["packed" if word == "DIR" else word for word in words]
        if words[1] == "train":
            # The same command, shorter; each phase keeps its own size and policies.
            words += ["--set", "batch_size=48", "--set", "evaluation.train_images=0", "--threads", "1"]
            for phase in range(3):
                words += ["--set", f"phases.{phase}.length=1 iterations"]
        assert words[0] == "thumbnet"
        said[words[1]] = shell.text(*words[1:])
    assert "accuracy per class" in said["evaluate"]
    assert said["predict"].startswith("image.png\n")
    assert f"{CLASSES}: " in said["data"]
    assert "val      top-1" in said["train"]
    assert "resnet18-64" in said["recipes"]


def test_a_second_demo_takes_the_next_free_folder(folder: Path) -> None:
    from thumbnet.cli.demo import _free_folder

    assert _free_folder(folder / "runs" / "demo") == folder / "runs" / "demo-2"
    assert _free_folder(folder / "runs" / "other") == folder / "runs" / "other"


def test_samples_hold_mistakes_and_spread_over_the_split(folder: Path) -> None:
    run, dataset = RunDirectory.open(folder / "runs/demo/run"), load(folder / "runs/demo/data")
    predictions = run.predictions("val")
    samples = pick_samples(dataset, predictions, 24)
    wrong = int((predictions.predicted() != predictions.labels).sum())
    assert len(samples) == 24
    assert sum(sample.truth != sample.predicted for sample in samples) == min(6, wrong)
    assert len({sample.truth for sample in samples}) > 5
    assert all(0.1 <= sample.probability <= 1 for sample in samples)


def test_pixels_as_text() -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[16:] = 255
    lines = as_text(pixels)
    assert lines == [" " * 16] * 4 + ["@" * 16] * 4
