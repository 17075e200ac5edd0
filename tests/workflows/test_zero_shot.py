"""Zero-shot: a pretrained classifier on the data's classes, against the classifier itself."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from timm.data.imagenet_info import ImageNetInfo
from torch.nn import functional

from tests.cli.calling import Shell
from tests.helpers import short_recipe
from thumbnet import metrics, packed, records
from thumbnet.errors import DataError, RecipeError
from thumbnet.models import build_model
from thumbnet.packed import ClassInfo, PackedDataset
from thumbnet.recipe import Evaluation, Head, Model
from thumbnet.workflows.zero_shot import zero_shot, zero_shot_recipe

LITE0 = "timm/tf_efficientnet_lite0"
CPU = torch.device("cpu")
WNIDS = ["n01443537", "n01641577", "n02088094", "n02099601", "n02124075", "n03393912"]


@pytest.fixture
def named(dataset: PackedDataset, monkeypatch: pytest.MonkeyPatch) -> PackedDataset:
    """The shapes, whose classes are called by ids of ImageNet's, also where a command loads them."""
    data = replace(dataset, classes=tuple(ClassInfo(wnid, wnid) for wnid in WNIDS))
    monkeypatch.setattr(packed, "load", lambda _: data)
    return data


def test_a_network_says_what_its_classifier_says(named: PackedDataset) -> None:
    found = zero_shot(zero_shot_recipe(LITE0), named, "val", CPU)
    val = named.split("val")
    images = torch.from_numpy(np.array(val.images)).permute(0, 3, 1, 2) / 255
    large = functional.interpolate(images, (224, 224), mode="bicubic", antialias=True)
    whole = build_model(Model(LITE0, weights="package"), 1000, 224).eval()
    listed: Any = ImageNetInfo()
    places = [listed.label_names().index(wnid) for wnid in WNIDS]
    with torch.no_grad():
        logits = whole((large - 0.5) / 0.5)[:, places]
    np.testing.assert_allclose(found.predictions.logits, logits.numpy(), atol=2e-3)
    figures = found.figures()
    expected = metrics.score(found.predictions.logits, val.labels)
    assert figures["top1"] == expected.top1
    assert (figures["images"], figures["pretrained"], figures["views"]) == (24, True, "none")
    assert figures["recipe"]["interpolation"] == "bicubic"
    assert found.name == "tf_efficientnet_lite0-zero-shot"


def test_the_command_prints_and_records_the_same_figures(named: PackedDataset, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "lite0-zero-shot.json"
    arguments = ["zero-shot", LITE0, "--data", named.path, "--threads", 1, "--set", "phases.0.image_size=64"]
    shown = shell.json(*arguments, "--set", "evaluation.image_size=64", "--record", file)
    record = records.load(file)
    assert isinstance(record, records.Measurement)
    assert record.figures["top1"] == pytest.approx(shown["top1"])
    assert record.figures["top5_interval"] == pytest.approx(shown["top5_interval"], abs=1e-5)
    assert shown["image_size"] == shown["recipe"]["evaluation"]["image_size"] == 64
    text = shell.text(*arguments, "--set", "evaluation.image_size=64", "--set", "model.head.start=fresh")
    assert f"top-1 {shown['top1']:.2%} (" in text
    assert text.startswith("tf_efficientnet_lite0-zero-shot, val, views: none: 24 images in ")


def test_settings_leave_the_head_the_classifier(named: PackedDataset) -> None:
    recipe = zero_shot_recipe(LITE0)
    recipe = replace(recipe, phases=(replace(recipe.phases[0], image_size=64),), evaluation=Evaluation(image_size=64))
    other = replace(recipe, model=replace(recipe.model, head=Head()))
    expected = zero_shot(recipe, named, "val", CPU)
    found = zero_shot(other, named, "val", CPU)
    assert found.recipe == expected.recipe
    np.testing.assert_array_equal(found.predictions.logits, expected.predictions.logits)


def test_a_network_of_torchvision_has_its_weights_options() -> None:
    assert zero_shot_recipe("torchvision/googlenet").model.options == {"transform_input": True}
    assert zero_shot_recipe("torchvision/resnet18").model.options == {}


def test_a_recipe_keeps_its_own_preprocessing(named: PackedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = short_recipe(model=Model(LITE0, weights="package", head=Head(hidden=7)), interpolation="bicubic")
    monkeypatch.setattr("thumbnet.workflows.zero_shot.find_recipe", lambda _: recipe)
    found = zero_shot(zero_shot_recipe("short"), named, "val", CPU)
    assert found.recipe == replace(recipe, model=Model(LITE0, weights="package", head=Head(start="classifier")))
    assert found.name == "short-zero-shot"


def test_the_network_without_a_package_has_its_librarys_weights() -> None:
    assert zero_shot_recipe("timm/test_resnet").model.weights == "imagenet"
    assert zero_shot_recipe(LITE0).model.weights == "package"


def test_what_knows_no_class_is_refused(dataset: PackedDataset, named: PackedDataset) -> None:
    with pytest.raises(RecipeError, match="'demo' begins from random weights, which know no class"):
        zero_shot_recipe("demo")
    with pytest.raises(RecipeError, match="6 of the data's 6 classes are not among ImageNet's 1,000"):
        zero_shot(zero_shot_recipe(LITE0), dataset, "val", CPU)
    with pytest.raises(
        RecipeError, match="augreg_in21k: its weights have no classifier of ImageNet's classes, so they"
    ):
        zero_shot(zero_shot_recipe("timm/vit_base_patch16_224.augreg_in21k"), named, "val", CPU)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm/nonsense", "model timm/nonsense is unknown; "),
        ("timm/resnet18.nonsense", "model timm/resnet18.nonsense: timm publishes no weights of it"),
        ("torchvision/nonsense", "model torchvision/nonsense is unknown; "),
    ],
)
def test_a_wrong_name_is_one_line(name: str, message: str, named: PackedDataset, shell: Shell) -> None:
    assert message in shell.error("zero-shot", name, "--data", named.path)


def test_a_split_without_labels_is_refused_before_weights_are_looked_for(named: PackedDataset) -> None:
    with pytest.raises(DataError, match=r"'test' has no labels, so no answer can be scored; give one .* such as val$"):
        zero_shot(zero_shot_recipe("timm/test_resnet"), named, "test", CPU)
