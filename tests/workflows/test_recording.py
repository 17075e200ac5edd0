"""Records of runs: all that a figure depends on, and only under a name that is true."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import copy_of
from tests.workflows.runs import CLASSES, VAL, shapes_recipe
from thumbnet import records
from thumbnet.errors import RunError
from thumbnet.files import write_json
from thumbnet.packed import PackedDataset
from thumbnet.recipe import from_json, to_json
from thumbnet.recipes import RECIPES
from thumbnet.records import Plain
from thumbnet.run import RunDirectory
from thumbnet.train import Options, start
from thumbnet.workflows.judging import judge
from thumbnet.workflows.recording import make_record
from thumbnet.workflows.reproduction.measured import device_name
from thumbnet.workflows.stored import How

FIELDS = {
    "name",
    "recipe",
    "command",
    "commit",
    "versions",
    "device",
    "seed",
    "split",
    "images",
    "top1",
    "top5",
    "top1_interval",
    "nll",
    "ece",
    "views",
    "pretrained",
    "selected_on",
    "fraction",
    "epochs",
    "train_seconds",
    "images_per_second",
    "peak_memory_bytes",
    "history",
    "peak",
    "plain",
}


def altered(run: RunDirectory, folder: Path, **fields: object) -> RunDirectory:
    """A copy of a run whose recipe file says something else."""
    copy = copy_of(run, folder)
    file = folder / "recipe.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))
    return copy


def rounded(value: Any) -> Any:
    """JSON data with its numbers in six digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def test_a_record_states_what_it_depends_on(run: RunDirectory, tmp_path: Path) -> None:
    made = make_record(run)
    path = records.write(made, tmp_path)
    written = json.loads(path.read_text())
    assert set(written) == FIELDS
    assert from_json(written["recipe"]) == run.recipe()
    assert {"thumbnet", "python", "torch"} <= written["versions"].keys()
    assert written["device"]["threads"] == 1
    assert (written["split"], written["images"], written["views"]) == ("val", CLASSES * VAL, "none")
    assert (written["seed"], written["fraction"], written["epochs"]) == (0, 1.0, 10)
    assert (written["pretrained"], written["selected_on"]) == (False, "holdout")
    assert written["command"] == "thumbnet train shapes"
    scores = run.result()["scores"]["val"]
    assert written["top1"] == pytest.approx(scores["top1"], rel=1e-5)
    assert [row["epoch"] for row in written["history"]] == [5, 10]
    assert {"running_train_top1", "eval_train_top1", "val_top1", "lr"} <= written["history"][0].keys()
    assert written["peak"]["epoch"] in (5, 10)
    assert written["peak"]["top1"] == max(row["holdout_top1"] for row in written["history"])
    assert written == {**rounded(to_json(made)), "recipe": written["recipe"]}
    assert to_json(records.load(path)) == written


def test_a_recipe_with_views_is_recorded_with_both_figures(runs: list[RunDirectory], tmp_path: Path) -> None:
    for run in runs:
        made = make_record(run)
        with_views, plain = judge(run, "val", How(views="flip")).scores(), judge(run, "val").scores()
        assert (made.views, made.top1, made.nll) == ("flip", with_views.top1, with_views.nll)
        assert made.plain == Plain(plain.top1, plain.top1_interval)
        assert records.load(records.write(made, tmp_path, replace=True)).name == "shapes"
    copy = altered(runs[0], tmp_path / "run")
    copy.predictions_path("val", views=True).unlink()
    with pytest.raises(RunError, match="missing or damaged"):
        make_record(copy)


def test_pretrained_weights_are_told(run: RunDirectory, tmp_path: Path) -> None:
    model = {"name": "timm/resnet18", "weights": "imagenet"}
    assert make_record(altered(run, tmp_path / "run", model=model)).pretrained


GPU = {"type": "cuda", "name": "NVIDIA H100 80GB HBM3"}
CPU = {"type": "cpu", "name": "AMD EPYC", "cpus": 2}


@pytest.mark.parametrize(
    ("sessions", "device", "name"),
    [
        ([(CPU, 2), (CPU, 1)], {**CPU, "threads": 1}, "1 of 2 CPU cores"),
        (
            [(GPU, 8), (CPU, 2), (CPU, 1)],
            {**GPU, "threads": 8, "then": [{**CPU, "threads": 1}]},
            "H100, then 1 of 2 CPU cores",
        ),
        (
            [(CPU, 2), (GPU, 8), (CPU, 2)],
            {**CPU, "threads": 2, "then": [{**GPU, "threads": 8}, {**CPU, "threads": 2}]},
            "2-core CPU, then H100, then 2-core CPU",
        ),
        (
            [(CPU, 1), ({**CPU, "name": "Intel Xeon"}, 1)],
            {**CPU, "threads": 1, "then": [{**CPU, "name": "Intel Xeon", "threads": 1}]},
            "1 of 2 CPU cores",
        ),
    ],
)
def test_every_device_that_trained_is_named(
    sessions: list[tuple[dict[str, Any], int]], device: dict[str, Any], name: str, run: RunDirectory, tmp_path: Path
) -> None:
    copy = copy_of(run, tmp_path / "run")
    (first,) = copy.sessions()
    stored = [{**first, "device": where, "threads": threads} for where, threads in sessions]
    write_json(copy.path / "environment.json", {"sessions": stored})
    made = make_record(copy)
    assert json.dumps(made.device) == json.dumps(device)
    assert records.load(records.write(made, tmp_path)).device == made.device
    assert device_name(made.device) == name


def test_our_names_are_for_our_recipes(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="its recipe is not 'demo' as it stands now"):
        make_record(altered(run, tmp_path / "run", name="demo"))
    ours = to_json(replace(RECIPES["demo"](), seed=3))
    assert make_record(altered(run, tmp_path / "seed", **ours)).seed == 3


@pytest.mark.parametrize(("init", "began"), [(None, "random weights"), ({"path": "runs/first"}, "runs/first")])
def test_our_pretrained_names_are_for_their_weights(
    init: dict[str, str] | None, began: str, run: RunDirectory, tmp_path: Path
) -> None:
    ours = to_json(RECIPES["finetune-lite2"]())
    model = ours["model"] | {"weights": None, "init": init, "head": {"start": "fresh"}}
    with pytest.raises(RunError, match=f"it began from {began} and 'finetune-lite2' begins from published weights"):
        make_record(altered(run, tmp_path / "run", **ours | {"model": model}))


def test_our_names_are_for_our_data(run: RunDirectory, tmp_path: Path) -> None:
    ours = to_json(RECIPES["resnet18-64"]())
    with pytest.raises(RunError, match="is a recipe for Tiny ImageNet, and this data is not the whole of it"):
        make_record(altered(run, tmp_path / "run", **ours))


def test_an_unfinished_run_has_no_record(run: RunDirectory, tmp_path: Path) -> None:
    copy = altered(run, tmp_path / "run")
    copy.write_status("interrupted", 3, 70)
    with pytest.raises(RunError, match="unfinished"):
        make_record(copy)


def test_data_without_val_has_no_record(run: RunDirectory, tmp_path: Path) -> None:
    copy = altered(run, tmp_path / "run")
    copy.write_result(copy.result() | {"scores": {"holdout": copy.result()["scores"]["holdout"]}})
    with pytest.raises(RunError, match="no scores on val"):
        make_record(copy)
    copy.write_result({"scores": {"val": {}}})
    with pytest.raises(RunError, match="its result is damaged"):
        make_record(copy)


def test_without_a_choice_there_is_no_peak(dataset: PackedDataset, tmp_path: Path) -> None:
    recipe = shapes_recipe(selected_on="none", **{"phases.0.length": "1 epochs"})
    options = Options(device="cpu", threads=1, quiet=True)
    made = make_record(start(recipe, dataset, tmp_path / "run", options))
    assert made.peak is None
    assert made.selected_on == "none"
