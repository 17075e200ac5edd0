"""The card of a run says what was trained, on what and for how long, and how to make it again."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from tests.helpers import short_recipe
from tests.report.made import Made, make_data, make_run, on_everything, simple, two_phases
from tests.report.reading import Reader, check
from thumbnet.packed import PackedDataset, subset_indices
from thumbnet.recipe import Evaluation, Head, InitialWeights, Model, Phase, Recipe, epochs
from thumbnet.report import Report, make_report
from thumbnet.run import RunDirectory
from thumbnet.workflows.ensembling.souping import find_ingredients, make_soup


def card(report: Report) -> tuple[dict[str, Any], str]:
    """The JSON data of the first run's head, and the words of the overview, each parted by one space."""
    check(report)
    overview = re.search(r'<section id="all-overview".*?</section>', report.html, re.DOTALL)
    assert overview is not None
    return report.figures["sections"]["overview"]["runs"][0], " ".join(" ".join(Reader(overview[0]).texts).split())


@pytest.mark.parametrize(
    ("recipe", "trained_on"),
    [
        (two_phases(), "Trained on the training split without its holdout"),
        (on_everything(), "Trained on the whole training split"),
        (two_phases(train_count=20), "Trained on 20 images of the training split without its holdout"),
        (two_phases(train_count=1), "Trained on 1 image of the training split without its holdout"),
    ],
)
def test_what_it_trained_on_is_said(
    recipe: Recipe, trained_on: str, made: Made, data: PackedDataset, tmp_path: Path
) -> None:
    found, text = card(make_report([make_run(made, tmp_path / "run", data, recipe=recipe)]))
    assert (found["train_on"], found["train_count"]) == (recipe.train_on, recipe.train_count)
    assert f"{trained_on} Counts" in text
    assert ("training image" in text) == (recipe.train_count is not None)
    assert "quick look" not in text


@pytest.mark.parametrize(("fraction", "words"), [(0.1, "10%"), (1 / 3, "33.3%"), (0.001, "0.1%")])
def test_a_part_of_the_full_length_is_said(
    fraction: float, words: str, made: Made, data: PackedDataset, tmp_path: Path
) -> None:
    run = make_run(made, tmp_path / "run", data, recipe=two_phases(fraction=fraction))
    found, text = card(make_report([run]))
    assert found["fraction"] == fraction
    assert f"a quick look, {words} of the full length" in text
    assert f"Length {words} of the full length" in text


STARTS = {
    "Started from ImageNet's weights from an installed package Trained on": Model(
        "timm/tf_efficientnet_lite0", weights="package"
    ),
    "Started from ImageNet's weights as the network's library publishes them Trained on": Model(
        "resnet18", weights="imagenet"
    ),
    "Started from runs/first one , SHA-256 ab12 , chosen on holdout and val Trained on": Model(
        "small", init=InitialWeights("runs/first one", "ab12", pretrained=False, selected_on=("holdout", "val"))
    ),
}


@pytest.mark.parametrize("words", STARTS)
def test_what_training_started_from_is_said(words: str, made: Made, data: PackedDataset, tmp_path: Path) -> None:
    model = STARTS[words]
    found, text = card(make_report([make_run(made, tmp_path / "run", data, recipe=two_phases(model=model))]))
    assert found["start"] is not None
    assert f"Network {model.name} " in text
    assert words in text
    assert ("from pretrained weights" in text) == model.pretrained == found["pretrained"]
    assert ("from earlier weights" in text) != model.pretrained


def test_random_weights_start_from_nothing(made: Made, data: PackedDataset, tmp_path: Path) -> None:
    found, text = card(make_report([make_run(made, tmp_path / "run", data)]))
    assert found["start"] is None
    assert not re.search("Started from|from pretrained|from earlier", text)


def test_what_a_head_on_cached_features_took_is_said(made: Made, data: PackedDataset, tmp_path: Path) -> None:
    phases = (Phase(epochs(2), trainable="head", cached_features=1), Phase(epochs(2)))
    model = Model("timm/tf_efficientnet_lite0", weights="package", head=Head(start="fresh"))
    run = make_run(made, tmp_path / "run", data, recipe=short_recipe(model=model, phases=phases))
    found, text = card(make_report([run]))
    assert found["features_apart"]
    assert "Training time 75 s, without its cached features Time in all 80 s" in text
    plain, text = card(make_report([make_run(made, tmp_path / "plain", data)]))
    assert not plain["features_apart"]
    assert "Training time 75 s Time in all 80 s" in text


@pytest.mark.parametrize(("size", "judged"), [(None, 12), (20, 20)])
def test_the_size_that_is_judged_is_said(
    size: int | None, judged: int, made: Made, data: PackedDataset, tmp_path: Path
) -> None:
    recipe = two_phases(evaluation=Evaluation(splits=("val",), image_size=size))
    found, text = card(make_report([make_run(made, tmp_path / "run", data, recipe=recipe)]))
    assert found["judged_size"] == judged
    assert f"{data.image_size} px, judged at {judged} px" in text
    alike = two_phases(evaluation=Evaluation(splits=("val",), image_size=data.image_size))
    assert "judged at" not in card(make_report([make_run(made, tmp_path / "alike", data, recipe=alike)]))[1]


@pytest.mark.parametrize(("select", "snapshots"), [(True, False), (False, False), (False, True)])
def test_a_soup_is_made_again_from_its_members(
    select: bool, snapshots: bool, runs: list[RunDirectory], tmp_path: Path
) -> None:
    members, out = [str(run.path) for run in runs], tmp_path / "a soup"
    words = ["thumbnet", "soup", *members, "--out", str(out), *(["--select", "holdout"] if select else [])]
    words += ["--snapshots"] if snapshots else []
    ingredients = find_ingredients([run.path for run in runs], of="snapshots" if snapshots else "last")
    soup = make_soup(ingredients, out, select=select, command=shlex.join(words))
    found, text = card(make_report([soup]))
    about = soup.result()["soup"]
    keys = ("members", "left_out", "selected_on", "ingredients_selected_on")
    assert found["soup"] == {key: about[key] for key in keys}
    assert sorted(about["members"] + about["left_out"]) == sorted(one.name for one in ingredients)
    assert found["soup"]["selected_on"] == ("holdout" if select else "none")
    words[words.index("--out") + 1] = f"{out}-again"
    assert shlex.split(found["again"]) == words
    assert f"To run it again {found['again']}" in text
    count = len(about["members"])
    assert f"a soup : the average of the weights of {count} network" in text
    assert f"Average of {', '.join(about['members'])}" in text
    assert ("; chosen on the holdout" in text) == select
    assert ("; some of them were chosen before, on holdout" in text) == snapshots
    assert "training split without its holdout" not in text


@pytest.mark.parametrize("selected_on", [(), ("holdout",), ("holdout", "val")])
def test_what_was_chosen_on_the_judged_split_is_said_to_be_so(
    selected_on: Sequence[str], made: Made, data: PackedDataset, tmp_path: Path
) -> None:
    note = "chosen on val, which also judges: new images will be classified worse"
    chosen = make_run(made, tmp_path / "chosen", data, selected_on=selected_on)
    found, text = card(make_report([chosen]))
    assert list(found["notes"]) == ([f"The weights were {note}."] if "val" in selected_on else [])
    assert (f"60 images The weights were {note}." in text) == ("val" in selected_on)
    assert ("also judges" in text) == ("val" in selected_on)
    compared = make_report([chosen, make_run(made, tmp_path / "fixed", data, seed=1)])
    check(compared)
    said = f"chosen was {note}, and the p-value does not hold."
    assert compared.figures["sections"]["compare"]["notes"] == ([said] if "val" in selected_on else [])
    assert (f'<p class="note">{said}</p>' in compared.html) == ("val" in selected_on)


def test_a_run_is_made_again_from_its_recipe(short_run: RunDirectory) -> None:
    found, text = card(make_report([short_run]))
    words = shlex.split(found["again"])
    assert words[:2] == ["thumbnet", "train"]
    assert Path(words[2]) == short_run.recipe_path
    assert found["soup"] is None
    assert "soup" not in text


@pytest.mark.parametrize("split", ["val", "holdout"])
def test_an_unfinished_run_states_its_last_evaluation(
    split: str, made: Made, data: PackedDataset, tmp_path: Path
) -> None:
    run = make_run(made, tmp_path / "run", data, complete=False)
    rows = [row for row in run.metrics.read() if row["step"] <= 10]
    if split == "holdout":
        rows = [{key: value for key, value in row.items() if not key.startswith("val_")} for row in rows]
    run.metrics.truncate(0)
    run.metrics.append(rows)
    found, text = card(make_report([run]))
    images = len(subset_indices(data.split("train"), "holdout")) if split == "holdout" else len(data.split("val"))
    interval = binomtest(round(0.4 * images), images).proportion_ci(method="wilson")
    last = found["last"]
    assert (last["split"], last["top1"], last["images"], last["epoch"]) == (split, 0.4, images, 2.0)
    assert list(last["top1_interval"]) == pytest.approx([interval.low, interval.high])
    assert f"40.0% top-1 on {split} so far" in text
    assert f"{images} images · the last evaluation of an unfinished run, after epoch 2" in text
    assert "no accuracy yet" not in text
    assert found["scores"] is None


def test_an_unfinished_run_that_trains_on_the_holdout_is_not_judged_there(
    made: Made, data: PackedDataset, tmp_path: Path
) -> None:
    run = make_run(made, tmp_path / "run", data, recipe=on_everything(), complete=False)
    rows = [{key: value for key, value in row.items() if not key.startswith("val_")} for row in run.metrics.read()]
    run.metrics.truncate(0)
    run.metrics.append(rows)
    found, text = card(make_report([run]))
    assert found["last"] is None
    assert "no accuracy yet" in text


def test_a_complete_run_states_its_result_alone(made: Made, data: PackedDataset, tmp_path: Path) -> None:
    found, text = card(make_report([make_run(made, tmp_path / "run", data)]))
    assert found["last"] is None
    assert "so far" not in text


def test_without_the_data_the_holdout_has_no_interval(tmp_path: Path) -> None:
    made = simple(val=0)
    data = make_data(made, tmp_path / "packed")
    run = make_run(made, tmp_path / "run", data, complete=False)
    rows = [{key: value for key, value in row.items() if not key.startswith("val_")} for row in run.metrics.read()]
    run.metrics.truncate(0)
    run.metrics.append(rows)
    (data.path / "dataset.json").unlink()
    found, text = card(make_report([run]))
    assert found["last"]["top1_interval"] is None
    assert "80.0% top-1 on holdout so far the last evaluation of an unfinished run, after epoch 4" in text
