"""Every documented command, on a small data set and a small run."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cyclopts import App
from PIL import Image

from tests.cli.calling import Shell, set_options, status
from tests.helpers import copy_of, mtimes
from tests.shapes import class_ids, class_name, draw, make_tiny_imagenet
from tests.workflows.runs import CLASSES, SETTINGS, TEST, VAL
from thumbnet import metrics, records, submission
from thumbnet.cli.main import app
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipes import RECIPES
from thumbnet.run import RunDirectory
from thumbnet.sources import pack

SET = set_options(SETTINGS)


def commands(app: App, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the words of every command of `app`, and of those below it."""
    yield path
    for name in app:
        if not name.startswith("-"):
            yield from commands(app[name], (*path, name))


@pytest.mark.parametrize("command", list(commands(app)), ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...], shell: Shell) -> None:
    printed = shell.text(*command, "--help")
    assert printed.startswith(" ".join(["Usage: thumbnet", *command]))
    assert len(printed.splitlines()) > 5


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("study", "--vary --seeds --fraction --dry-run --records --list"),
        ("tune", "--search --trials --storage --sampler --prune --fraction --record --cache"),
        ("reproduce", "--all --dry-run --table --format --fraction --epochs --random-weights --out --records"),
        ("reproduce", "--data --device --threads --json"),
    ],
)
def test_the_options_of_experiments_are_explained(command: str, options: str, shell: Shell) -> None:
    printed = shell.text(command, "--help")
    assert [option for option in options.split() if f" {option} " not in printed] == []


def test_no_command_shows_the_help(shell: Shell) -> None:
    assert shell.text() == shell.text("--help")


@pytest.mark.parametrize(
    "line",
    [
        "trian",
        "train",
        "train demo --nonsense",
        "evaluate run --threads many",
        "reproduce --table --format html",
        "reproduce --fraction half",
        "reproduce --nonsense",
        "study demo --seeds many",
        "tune demo --search optimizer.lr=1e-4..0.1:log --sampler guess",
    ],
)
def test_wrong_usage_ends_with_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(*line.split()) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_pack_then_info(unpacked: Path, tmp_path: Path, shell: Shell) -> None:
    packed = shell.json("data", "pack", unpacked, "--out", tmp_path / "packed", "--size", 16, "--threads", 1)
    assert packed["classes"] == CLASSES
    assert packed["image_size"] == 16
    assert shell.json("data", "info", tmp_path / "packed") == packed
    assert f"val {VAL} in each" in re.sub(" +", " ", shell.text("data", "info", tmp_path / "packed"))


def test_recipes_are_listed_and_shown(shell: Shell, run: RunDirectory) -> None:
    listed = [line.split()[0] for line in shell.text("recipes").splitlines()]
    assert listed == list(RECIPES)
    assert set(shell.json("recipes")) == set(RECIPES)
    shown = shell.text("recipes", "mkrtchyan-m1")
    assert shown.startswith("Ting's M1 on both augmentation sets")
    assert json.loads(shown[shown.index("\n{") :])["optimizer"]["lr"] == 0.001
    assert shell.json("recipes", run.path / "recipe.json")["name"] == "shapes"


def test_train_says_what_it_reached_and_what_comes_next(dataset: PackedDataset, tmp_path: Path, shell: Shell) -> None:
    out = tmp_path / "a run"
    arguments = ["train", "demo", *SET, "--set", "phases.0.length=1 epochs", "--data", dataset.path, "--out", out]
    printed = shell.text(*arguments, "--threads", 1)
    stored = RunDirectory.open(out)
    assert stored.is_complete
    assert stored.recipe().batch_size == 12
    top1 = stored.result()["scores"]["val"]["top1"]
    assert f"val      top-1 {top1:.2%}" in printed
    assert "best on holdout: " in printed
    assert printed.endswith(f"next: thumbnet evaluate '{out}'\n")


def test_a_run_can_be_run_again_from_its_recipe_file(
    run: RunDirectory, dataset: PackedDataset, tmp_path: Path, shell: Shell
) -> None:
    file = run.path / "recipe.json"
    options = ("--data", dataset.path, "--out", tmp_path / "again", "--threads", 1)
    result = shell.json("train", file, *options)
    before = Predictions.load(run.predictions_path("val"))
    after = Predictions.load(RunDirectory.open(tmp_path / "again").predictions_path("val"))
    np.testing.assert_array_equal(before.logits, after.logits)
    assert result["scores"] == run.result()["scores"]


def test_training_on_the_holdout_is_said_wherever_it_is_judged(
    dataset: PackedDataset, tmp_path: Path, shell: Shell
) -> None:
    settings = [*SET, "--set", "phases.0.length=1 epochs", "--set", "selected_on=none"]
    settings += ["--set", 'evaluation.splits=["val"]', "--set", "train_on=all"]
    out = tmp_path / "all"
    printed = shell.text("train", "demo", *settings, "--data", dataset.path, "--out", out, "--threads", 1)
    assert re.search(r"^val .* images$", printed, re.MULTILINE)
    assert not re.search(r"^holdout ", printed, re.MULTILINE)
    assert "the network trained on images of holdout" in shell.text("evaluate", out, "--split", "holdout")
    assert shell.json("evaluate", out, "--split", "holdout")["trained_on"] is True
    assert shell.json("evaluate", out)["trained_on"] is False


def test_other_data_than_the_runs_is_said(run: RunDirectory, tmp_path: Path, shell: Shell) -> None:
    source = make_tiny_imagenet(tmp_path / "source", classes=CLASSES, train=2, val=2, test=1, size=32, seed=9)
    other = pack(source, tmp_path / "other", size=32, threads=1)
    for data, is_other in ((["--data", other.path, "--threads", 1], True), ([], False)):
        printed = shell.text("evaluate", run.path, *data)
        assert ("note: this is val of other data than the run's" in printed) is is_other
        assert ("val of other data, views" in " ".join(printed.split())) is is_other
        assert shell.json("evaluate", run.path, *data)["other_data"] is is_other


def test_resume_leaves_a_complete_run_as_it_is(run: RunDirectory, shell: Shell) -> None:
    before = mtimes(run.path)
    assert shell.json("resume", run.path) == {"run": str(run.path), **run.result()}
    assert mtimes(run.path) == before


@pytest.mark.parametrize("views", ["none", "flip", "ten-crop"])
def test_evaluate_prints_figures_as_table_and_json(views: str, run: RunDirectory, shell: Shell) -> None:
    found = shell.json("evaluate", run.path, "--views", views, "--threads", 1)
    assert {"top1", "top5", "nll", "ece", "images", "top1_interval", "top5_interval"} <= found.keys()
    assert found["views"] == views
    assert found["images"] == CLASSES * VAL
    assert [entry["id"] for entry in found["classes"]] == class_ids(CLASSES)
    assert found["top1"] == pytest.approx(sum(entry["top1"] for entry in found["classes"]) / CLASSES)
    table = shell.text("evaluate", run.path, "--views", views, "--threads", 1)
    assert f"{found['top1']:.2%}" in table
    assert f"{found['nll']:.4f} nats" in table
    assert class_name(0) in table


def test_evaluate_shows_the_worst_and_best_of_many_classes(tmp_path: Path, run: RunDirectory, shell: Shell) -> None:
    wide = copy_of(run, tmp_path / "wide")
    classes = tuple(f"c{number:02d}" for number in range(25))
    logits = np.full((25, 25), -1, np.float32)
    np.fill_diagonal(logits[5:, 5:], 1)
    ids = tuple(f"{number}.png" for number in range(25))
    Predictions("val", ids, logits, np.arange(25), classes, {}).save(wide.predictions_path("val"))
    table = shell.text("evaluate", wide.path)
    shown = re.findall(r"c(\d\d) .* (\d+\.\d%)", table)
    assert len(shown) == 10
    assert sum(value == "0.0%" for _, value in shown) == 4


def test_names_of_classes_are_printed_as_they_are(tmp_path: Path, run: RunDirectory, shell: Shell) -> None:
    named = copy_of(run, tmp_path / "named")
    about = named.data()
    for one, name in zip(about["classes"], ("left [/right]", "[last]", ":heart:", "[red]"), strict=False):
        one["name"] = name
    (named.path / "data.json").write_text(json.dumps(about))
    table = shell.text("evaluate", named.path)
    assert all(f" {one['name']} " in table for one in about["classes"][:4])


def test_predict_writes_the_official_format(
    run: RunDirectory, dataset: PackedDataset, tmp_path: Path, shell: Shell
) -> None:
    file = tmp_path / "submission.txt"
    assert f"{CLASSES * TEST} predictions of test" in shell.text("predict", run.path, "--split", "test", "--out", file)
    lines = file.read_text().splitlines()
    assert len(lines) == CLASSES * TEST
    assert all(re.fullmatch(r"test_\d+\.JPEG n\d{8}", line) for line in lines)
    ids = dataset.split("test").image_ids
    stated = submission.read_and_validate(file.read_bytes(), ids, class_ids(CLASSES))
    stored = Predictions.load(run.predictions_path("test"))
    assert [stated[image] for image in ids] == [stored.classes[index] for index in stored.predicted()]
    again = shell.json("predict", run.path, "--split", "val", "--out", tmp_path / "val.txt", "--views", "flip")
    assert again == {"file": str(tmp_path / "val.txt"), "split": "val", "images": CLASSES * VAL}


def test_predict_names_image_files(run: RunDirectory, tmp_path: Path, shell: Shell) -> None:
    random = np.random.default_rng(5)
    files = []
    for label in range(CLASSES):
        image, _ = draw(label, 32, random)
        files.append(tmp_path / f"{label}.png")
        image.save(files[-1])
    found = shell.json("predict", run.path, *files, "--threads", 1)
    assert [entry["image"] for entry in found] == [str(file) for file in files]
    assert [entry["guesses"][0]["name"] for entry in found] == [f"{class_name(i)}, drawn" for i in range(CLASSES)]
    for entry in found:
        probabilities = [guess["probability"] for guess in entry["guesses"]]
        assert len(probabilities) == 5
        assert probabilities == sorted(probabilities, reverse=True)
        assert min(probabilities) >= 0
        assert sum(probabilities) <= 1 + 1e-9
    printed = shell.text("predict", run.path, files[0], "--threads", 1)
    assert printed.splitlines()[0] == str(files[0])
    assert f"{class_name(0)}, drawn ({class_ids(1)[0]})" in printed.splitlines()[1]


def test_predict_takes_images_of_any_kind(run: RunDirectory, tmp_path: Path, shell: Shell) -> None:
    image, _ = draw(1, 96, np.random.default_rng(6))
    wide = Image.new("RGBA", (200, 96), (0, 0, 0, 255))
    wide.paste(image, (52, 0))
    wide.save(tmp_path / "wide.png")
    image.convert("L").save(tmp_path / "grey.jpg")
    found = shell.json("predict", run.path, tmp_path / "wide.png", tmp_path / "grey.jpg", "--threads", 1)
    assert found[0]["guesses"][0]["name"] == f"{class_name(1)}, drawn"
    assert len(found[1]["guesses"]) == 5


def test_record_writes_one_file_and_replaces_it_only_when_told(
    run: RunDirectory, tmp_path: Path, shell: Shell
) -> None:
    folder = tmp_path / "new" / "records"
    path = folder / "shapes.json"
    assert shell.text("record", run.path, "--out", folder) == f"{path}\n"
    made = records.load(path)
    assert isinstance(made, records.Record)
    scores = metrics.score(*_stored(run))
    assert made.top1 == pytest.approx(scores.top1, rel=1e-5)
    assert "exists already" in shell.error("record", run.path, "--out", folder)
    assert shell.text("record", run.path, "--out", folder, "--replace") == f"{path}\n"


def _stored(run: RunDirectory) -> tuple[metrics.Logits, metrics.Labels]:
    stored = Predictions.load(run.predictions_path("val"))
    return stored.logits, stored.labels
