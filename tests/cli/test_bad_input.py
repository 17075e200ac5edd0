"""What a user can get wrong: each ends with one clear line, status 1, and nothing half-written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.calling import Shell
from tests.helpers import copy_of, forbid
from tests.shapes import make_tiny_imagenet
from tests.workflows.runs import SETTINGS
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipes import RECIPES
from thumbnet.run import RunDirectory
from thumbnet.sources import pack


@pytest.fixture
def copy(run: RunDirectory, tmp_path: Path) -> RunDirectory:
    """A run that a test may damage."""
    return copy_of(run, tmp_path / "copy")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["recipes", "mkrtchian-m1"], "recipe 'mkrtchian-m1' is unknown; did you mean mkrtchyan-m1"),
        (["train", "mkrtchian-m1"], "did you mean mkrtchyan-m1"),
        (["recipes", "nowhere/recipe.json"], "nowhere/recipe.json: no such file"),
        (["train", "demo", "--set", "optimiser.lr=1"], "unknown key 'optimiser'; did you mean optimizer"),
        (["train", "demo", "--set", "optimizer.rate=1"], "recipe.optimizer: unknown key 'rate'"),
        (["train", "demo", "--set", "phases.3.length=1 epochs"], "not a position in a list of 1"),
        (["train", "demo", "--set", "optimizer.lr"], "not of the form KEY=VALUE"),
        (["train", "demo", "--set", "optimizer.lr=fast"], "recipe.optimizer.lr: 'fast' is not a number"),
        (["train", "demo", "--set", "optimizer.lr=-1"], "optimizer.lr: -1.0 is not a positive number"),
        (["train", "demo", "--set", "optimizer.lr=NaN"], "recipe.optimizer.lr: nan is not a number"),
        (["train", "demo", "--set", "batch_size=2.5"], "recipe.batch_size: 2.5 is not a whole number"),
        (["train", "demo", "--set", "precision=half"], "'half' is not one of 'fp32', 'bf16', 'fp16'"),
        (["train", "demo", "--set", "phases.0.length=soon"], "write '20 epochs' or '390 iterations'"),
        (["train", "demo", "--set", "phases=[]"], "at least one phase"),
        (["train", "demo", "--set", "selected_on=val", "--set", 'evaluation.splits=["holdout"]'], "never evaluated"),
        (["train", "demo", "--set", "train_on=all"], "use train_on='fit'"),
    ],
)
def test_recipes_that_do_not_hold(arguments: list[str], expected: str, shell: Shell) -> None:
    assert expected in shell.error(*arguments)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("model.name=resnet81", "did you mean resnet18"),
        ("model.name=timm/resnet81", "model timm/resnet81 is unknown"),
        ('model={"name": "small", "options": {"depth": 3}}', "model small: unknown option 'depth'"),
        ("optimizer.name=adamm", "did you mean adam"),
        ("schedule.name=cosin", "did you mean cosine"),
        ('phases.0.policies=[[{"name": "horizontal_flop"}]]', "did you mean horizontal_flip"),
        (
            'phases.0.policies=[[{"name": "horizontal_flip", "options": {"p": 2}}]]',
            "horizontal_flip.p: 2.0 is not a probability",
        ),
        ('evaluation.policy=[{"name": "horizontal_flip"}]', "is random"),
        ("phases.0.length=0.0001 epochs", "comes to no iteration"),
        ("optimizer.options.betas=[2, 3]", "optimizer adamw: Invalid beta parameter at index 0: 2"),
    ],
)
def test_names_and_options_are_checked_before_anything_is_written(
    setting: str, expected: str, dataset: PackedDataset, tmp_path: Path, shell: Shell
) -> None:
    out = tmp_path / "run"
    settings = ["--set", 'optimizer.options={"betas": [0.9, 0.999]}'] if "betas" in setting else []
    line = shell.error("train", "demo", "--data", dataset.path, "--out", out, *settings, "--set", setting)
    assert expected in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--device", "gpu", "device 'gpu' cannot be used here ("),
        ("--device", "cuda:99", "device 'cuda:99' cannot be used here ("),
        ("--threads", "0", "threads: 0 is not a positive number"),
    ],
)
def test_devices_that_are_not_there(
    option: str, value: str, dataset: PackedDataset, tmp_path: Path, shell: Shell, *, expected: str
) -> None:
    line = shell.error("train", "demo", "--data", dataset.path, "--out", tmp_path / "run", option, value)
    assert expected in line
    assert list(tmp_path.iterdir()) == []


def test_an_existing_run_is_never_overwritten(run: RunDirectory, dataset: PackedDataset, shell: Shell) -> None:
    before = sorted(run.path.rglob("*"))
    line = shell.error("train", "demo", "--data", dataset.path, "--out", run.path)
    assert "exists already and is never overwritten; choose another place or remove it" in line
    assert sorted(run.path.rglob("*")) == before


def test_no_packed_data_at_the_default_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell) -> None:
    monkeypatch.setenv("THUMBNET_DATA", str(tmp_path / "nothing"))
    for command in (["train", "demo", "--out", tmp_path / "run"], ["data", "info"]):
        line = shell.error(*command)
        assert f"{tmp_path / 'nothing'}: no such folder" in line
        assert "thumbnet data pack" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", [["data", "pack"], ["reproduce", "--table", "--records"], ["features", "--cache"], ["evaluate"]]
)
def test_places_in_a_folder_that_one_may_not_enter(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    closed = tmp_path / "closed"
    forbid(monkeypatch, closed)
    line = shell.error(*command, closed / "mine")
    assert f"{closed / 'mine'}" in line
    assert ": permission denied; choose a place that you may use" in line


COMMANDS: dict[str, Callable[[Path, Path], list[object]]] = {
    "evaluate": lambda run, _: ["evaluate", run],
    "predict a split": lambda run, tmp: ["predict", run, "--out", tmp / "out.txt"],
    "predict an image": lambda run, tmp: ["predict", run, tmp / "image.png"],
    "record": lambda run, tmp: ["record", run, "--out", tmp / "records"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_interrupted_run_is_refused(name: str, copy: RunDirectory, tmp_path: Path, shell: Shell) -> None:
    copy.write_status("interrupted", 30, 70, "stopped on request")
    line = shell.error(*COMMANDS[name](copy.path, tmp_path))
    assert f"run {copy.path} is unfinished (step 30 of 70)" in line
    assert f"thumbnet resume {copy.path}" in line
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


@pytest.mark.parametrize("name", [*COMMANDS, "resume"])
def test_a_run_that_is_not_there(name: str, tmp_path: Path, shell: Shell) -> None:
    absent = tmp_path / "absent"
    command = ["resume", absent] if name == "resume" else COMMANDS[name](absent, tmp_path)
    assert f"{absent}: no such run directory" in shell.error(*command)
    (tmp_path / "empty").mkdir()
    command = ["resume", tmp_path / "empty"] if name == "resume" else COMMANDS[name](tmp_path / "empty", tmp_path)
    assert "not a run directory (recipe.json is missing)" in shell.error(*command)


def test_data_of_other_classes(copy: RunDirectory, dataset: PackedDataset, tmp_path: Path, shell: Shell) -> None:
    other = make_tiny_imagenet(tmp_path / "other", classes=3, train=4, size=32)
    packed = pack(other, tmp_path / "packed", size=32, threads=1)
    line = shell.error("evaluate", copy.path, "--data", packed.path)
    assert f"{packed.path}: its 3 classes are not the run's {len(dataset.classes)}" in line
    copy.write_status("interrupted", 30, 70)
    assert "classes are not the run's" in shell.error("resume", copy.path, "--data", packed.path)


def test_other_data_of_the_same_classes_cannot_go_on(
    copy: RunDirectory, dataset: PackedDataset, tmp_path: Path, shell: Shell
) -> None:
    other = make_tiny_imagenet(tmp_path / "other", classes=len(dataset.classes), train=4, size=32, seed=1)
    packed = pack(other, tmp_path / "packed", size=32, threads=1)
    copy.write_status("interrupted", 30, 70)
    assert "other data than the run's (its fingerprint differs)" in shell.error(
        "resume", copy.path, "--data", packed.path
    )


def test_data_that_has_moved(
    copy: RunDirectory, dataset: PackedDataset, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = json.loads((copy.path / "data.json").read_text())
    (copy.path / "data.json").write_text(json.dumps(about | {"path": str(tmp_path / "gone")}))
    expected = (
        f"{tmp_path / 'gone'}: the packed data of run {copy.path} is gone from there; give its place with --data"
    )
    for command in (["evaluate", "--views", "flip"], ["analyze", "--only", "layers"], ["resume"]):
        assert expected in shell.error(command[0], copy.path, *command[1:])
    monkeypatch.setenv("THUMBNET_DATA", str(dataset.path))
    assert shell.json("evaluate", copy.path, "--views", "flip", "--threads", 1)["images"] == dataset.counts["val"]


def test_files_that_are_no_images(run: RunDirectory, tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    for name in ("text.jpg", "empty.png"):
        line = shell.error("predict", run.path, tmp_path / name)
        assert str(tmp_path / name) in line
        assert "give an image file such as a JPEG or PNG" in line
    assert "no such file" in shell.error("predict", run.path, tmp_path / "absent.png")
    assert "this is a folder" in shell.error("predict", run.path, tmp_path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--split", "vall"], "no split named 'vall'; did you mean val"),
        (["--split", "../val"], "is not a plain name"),
        (["--split", "test"], "split 'test' has no labels, so it cannot be scored"),
        (["--views", "flipp"], "views 'flipp' are unknown; did you mean flip"),
        (["--weights", "newest"], "tag 'newest' is unknown"),
        (["--weights", "epoch-0003"], "has no weights 'epoch-0003' "),
        (["--weights", "epoch-0003"], "use one that it has: first, best, last"),
        (["--device", "gpu"], "device 'gpu' cannot be used here"),
    ],
)
def test_unknown_splits_views_and_weights(options: list[str], expected: str, run: RunDirectory, shell: Shell) -> None:
    assert expected in shell.error("evaluate", run.path, *options)


def test_predictions_need_one_clear_place(run: RunDirectory, tmp_path: Path, shell: Shell) -> None:
    assert "add --out FILE, or give image files" in shell.error("predict", run.path)
    both = ("predict", run.path, tmp_path / "image.png", "--out", tmp_path / "out.txt")
    assert "give image files or --out, not both" in shell.error(*both)
    assert "no such file or folder" in shell.error("predict", run.path, "--out", tmp_path / "no" / "out.txt")
    (tmp_path / "file").write_text("in the way")
    assert "not a folder" in shell.error("predict", run.path, "--out", tmp_path / "file" / "out.txt")
    assert "file" in shell.error("record", run.path, "--out", tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_where_predictions_go_is_checked_before_they_are_made(
    copy: RunDirectory, tmp_path: Path, shell: Shell
) -> None:
    copy.weights_path("last").unlink()
    command = ("predict", copy.path, "--split", "val", "--views", "flip", "--out")
    assert f"{tmp_path / 'no' / 'out.txt'}: no such file or folder" in shell.error(
        *command, tmp_path / "no" / "out.txt"
    )
    assert f"{tmp_path}: this is a folder" in shell.error(*command, tmp_path)
    about = copy.data()
    about["classes"][2]["id"] = "two words"
    (copy.path / "data.json").write_text(json.dumps(about))
    text = f"{tmp_path / 'out.txt'}: class 'two words' does not fit the submission format"
    assert text in shell.error(*command, tmp_path / "out.txt")
    # Logits have no such format, and judging begins, with data of other classes.
    assert "its 6 classes are not the run's 6" in shell.error(*command, tmp_path / "out.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_damaged_predictions(copy: RunDirectory, dataset: PackedDataset, tmp_path: Path, shell: Shell) -> None:
    whole = Predictions.load(copy.predictions_path("val"))
    copy.predictions_path("val").write_bytes(b"PK\x03\x04 and nothing more")
    for command in (["evaluate", copy.path], ["record", copy.path, "--out", tmp_path / "records"]):
        line = shell.error(*command)
        assert "stored predictions for 'val' are missing or damaged" in line
        assert f"--data {dataset.path}" in line
    # The remedy that the message gives works.
    found = shell.json("evaluate", copy.path, "--data", dataset.path, "--threads", 1)
    assert found["top1"] == whole.scores().top1


def test_a_diverged_network_is_not_scored(copy: RunDirectory, shell: Shell) -> None:
    whole = Predictions.load(copy.predictions_path("val"))
    spoiled = whole.logits.copy()
    spoiled[3, 1] = np.nan
    path = copy.predictions_path("val")
    Predictions("val", whole.image_ids, spoiled, whole.labels, whole.classes, {}).save(path)
    assert "a value of image 3 is not finite" in shell.error("evaluate", copy.path)


@pytest.mark.parametrize("content", [b"", b"half a file"])
def test_damaged_weights(content: bytes, copy: RunDirectory, shell: Shell) -> None:
    copy.weights_path("last").write_bytes(content)
    assert "last.pt: the checkpoint is damaged" in shell.error("evaluate", copy.path, "--views", "flip")


def test_weights_of_another_network(copy: RunDirectory, shell: Shell) -> None:
    about = json.loads((copy.path / "recipe.json").read_text())
    about["model"] = {"name": "m1"}
    (copy.path / "recipe.json").write_text(json.dumps(about))
    assert "the weights do not fit the network" in shell.error("evaluate", copy.path, "--views", "flip")


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "shapes"}', '{"name": "shapes", "colour": 1}'])
def test_damaged_recipe(content: str, copy: RunDirectory, shell: Shell) -> None:
    (copy.path / "recipe.json").write_text(content)
    assert "recipe.json" in shell.error("evaluate", copy.path, "--views", "flip")
    assert "recipe.json" in shell.error("record", copy.path)


@pytest.mark.parametrize("name", ["status.json", "data.json"])
def test_damaged_sidecars(name: str, copy: RunDirectory, shell: Shell) -> None:
    (copy.path / name).write_text("{")
    assert name in shell.error("evaluate", copy.path, "--views", "flip")


def test_damaged_result_and_metrics(copy: RunDirectory, tmp_path: Path, shell: Shell) -> None:
    lines = copy.metrics.path.read_text().splitlines(keepends=True)
    copy.metrics.path.write_text("".join([*lines[:3], "half a line\n", *lines[3:]]))
    target = ("--out", tmp_path / "records")
    assert "metrics.jsonl, line 4: not a row of metrics" in shell.error("record", copy.path, *target)
    copy.write_result({"recipe": "shapes"})
    assert "its result is damaged" in shell.error("record", copy.path, *target)
    assert not (tmp_path / "records").exists()


def test_an_altered_recipe_may_not_bear_our_name(copy: RunDirectory, tmp_path: Path, shell: Shell) -> None:
    assert int(SETTINGS["batch_size"]) != RECIPES["demo"]().batch_size
    about = json.loads((copy.path / "recipe.json").read_text())
    (copy.path / "recipe.json").write_text(json.dumps(about | {"name": "demo"}))
    line = shell.error("record", copy.path, "--out", tmp_path / "records")
    assert "its recipe is not 'demo' as it stands now" in line
    assert "--set name=NAME" in line
