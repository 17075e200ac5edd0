"""`thumbnet train --init`: from a run, from a file, and what is said of anything else."""

import json
from pathlib import Path

import pytest
import torch

from tests.cli.calling import Shell, set_options
from tests.workflows.runs import SETTINGS
from thumbnet.files import sha256
from thumbnet.packed import PackedDataset
from thumbnet.run import RunDirectory

SET = set_options(SETTINGS)
ONE = [*SET, "--set", "phases.0.length=1 iterations", "--device", "cpu", "--threads", 1]


def test_a_run_gives_its_weights(dataset: PackedDataset, run: RunDirectory, tmp_path: Path, shell: Shell) -> None:
    out = tmp_path / "run"
    shell.text("train", "demo", "--data", dataset.path, "--out", out, *ONE, "--init", run.path)
    stated = json.loads((out / "recipe.json").read_text())["model"]["init"]
    weights = {"path": str(run.path), "sha256": sha256(run.weights_path("last"))}
    assert stated == weights | {"pretrained": False, "selected_on": []}
    first = torch.load(out / "checkpoints" / "first.pt", weights_only=True)
    last = torch.load(run.weights_path("last"), weights_only=True)
    assert all(torch.equal(first[name], last[name]) for name in last)


def test_the_setting_says_the_same_of_a_file_of_the_run(
    dataset: PackedDataset, run: RunDirectory, tmp_path: Path, shell: Shell
) -> None:
    init = f"model.init={json.dumps({'path': str(run.weights_path('last'))})}"
    shell.text("train", "demo", "--data", dataset.path, "--out", tmp_path / "run", *ONE, "--set", init)
    stated = json.loads((tmp_path / "run" / "recipe.json").read_text())["model"]["init"]
    assert (stated["sha256"], stated["pretrained"]) == (sha256(run.weights_path("last")), False)


@pytest.mark.parametrize("as_file", [False, True])
def test_a_run_of_the_same_classes_gives_its_head_where_the_recipe_takes_imagenets(
    dataset: PackedDataset, run: RunDirectory, tmp_path: Path, shell: Shell, *, as_file: bool
) -> None:
    recipe = json.loads(run.recipe_path.read_text())
    model = {**recipe["model"], "init": {"path": "imagenet.pt"}, "head": {"start": "classifier"}}
    file, out = tmp_path / "recipe.json", tmp_path / "run"
    file.write_text(json.dumps({**recipe, "model": model}))
    path = run.weights_path("last") if as_file else run.path
    given = ("train", file, "--data", dataset.path, "--out", out, *ONE, "--init", path)
    refused = shell.error(*given, "--set", "model.head.start=classifier")
    assert "model.head.start: 6 of the data's 6 classes are not among ImageNet's" in refused
    assert not out.exists()
    shell.text(*given)
    first = torch.load(out / "checkpoints" / "first.pt", weights_only=True)
    last = torch.load(run.weights_path("last"), weights_only=True)
    assert all(torch.equal(first[name], last[name]) for name in last)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "weights.pt: no such file or run; give a weights file or a run directory"),
        (b"not tensors", "weights.pt is damaged, no file of weights, or a pickle of more than tensors"),
    ],
)
def test_anything_else_is_one_line_and_leaves_nothing(
    dataset: PackedDataset, tmp_path: Path, shell: Shell, content: bytes | None, message: str
) -> None:
    file, out = tmp_path / "weights.pt", tmp_path / "run"
    if content is not None:
        file.write_bytes(content)
    assert message in shell.error("train", "demo", "--data", dataset.path, "--out", out, *ONE, "--init", file)
    assert not out.exists()
