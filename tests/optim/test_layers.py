"""Layer-wise decay of the learning rate: timm's own groups, and a rule for all other networks."""

from collections.abc import Mapping

import pytest
import torch
from timm.optim._param_groups import param_groups_layer_decay
from torch import nn

from thumbnet.models import build_model, head_of
from thumbnet.optim import build_optimizer, layer_depths, parameter_groups
from thumbnet.recipe import Head, Model, Optimizer

DECAYED = Optimizer("sgd", 0.1, 0.01, no_decay="norm_and_bias", layer_decay=0.7)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "test_resnet", "test_vit"])
@pytest.mark.parametrize("head", [Head(), Head(hidden=8)], ids=["plain", "hidden"])
def test_timms_networks_have_timms_groups(name: str, head: Head) -> None:
    model = build_model(Model(f"timm/{name}", head=head), 5, 160)
    next(model.parameters()).requires_grad_(False)
    ours = parameter_groups(model, DECAYED)
    theirs = param_groups_layer_decay(model, weight_decay=0.01, layer_decay=0.7)
    assert len(ours) == len(theirs) > 4
    for mine, timms in zip(ours, theirs, strict=True):
        assert [id(parameter) for parameter in mine["params"]] == [id(parameter) for parameter in timms["params"]]
        assert mine["weight_decay"] == timms["weight_decay"]
        assert mine["lr_scale"] == pytest.approx(timms["lr_scale"])


@pytest.mark.parametrize("name", ["inception_v3", "inception_resnet_v2", "test_convnext"])
@pytest.mark.parametrize("head", [Head(dropout=0.1), Head(hidden=8)], ids=["dropout", "hidden"])
def test_a_head_of_ours_is_as_deep_as_timms(name: str, head: Head) -> None:
    with torch.device("meta"):
        plain = build_model(Model(f"timm/{name}"), 5, 160)
        model = build_model(Model(f"timm/{name}", head=head), 5, 160)
    expected, found = layer_depths(plain), layer_depths(model)
    place, own = head_of(model)
    assert isinstance(own, nn.Sequential)
    body = {key: depth for key, depth in expected.items() if not key.startswith(f"{place}.")}
    assert {key: depth for key, depth in found.items() if not key.startswith(f"{place}.")} == body
    assert {found[f"{place}.{key}"] for key, _ in own.named_parameters()} == {expected[f"{place}.weight"]}
    assert found.keys() == {key for key, _ in model.named_parameters()}


def by_layer(depths: Mapping[str, int]) -> list[set[str]]:
    """Return the modules of each layer."""
    layers: list[set[str]] = [set() for _ in range(max(depths.values()) + 1)]
    for name, depth in depths.items():
        layers[depth].add(name.rpartition(".")[0])
    return layers


def test_layers_of_our_networks_are_counted_in_their_order() -> None:
    small = layer_depths(build_model(Model("small", head=Head(hidden=5)), 3, 32))
    assert by_layer(small) == [{"0", "1"}, {"4", "5"}, {"8", "9"}, {"14.0", "14.3"}]
    resnet = by_layer(layer_depths(build_model(Model("resnet18"), 3, 32)))
    assert len(resnet) == 1 + 8 + 1
    assert resnet[0] == {"conv1", "bn1"}
    assert resnet[3] == {
        f"layer2.0.{part}" for part in ("conv1", "bn1", "conv2", "bn2", "downsample.0", "downsample.1")
    }
    assert resnet[-1] == {"fc"}


@pytest.mark.parametrize(
    ("name", "layers"),
    [("resnet18", 10), ("mobilenet_v3_small", 15), ("vgg11_bn", 11), ("densenet121", 9), ("vit_b_16", 3)],
)
def test_layers_of_torchvisions(name: str, layers: int) -> None:
    model = build_model(Model(f"torchvision/{name}"), 3, 224)
    depths = layer_depths(model)
    assert set(depths) == {key for key, _ in model.named_parameters()}
    assert len(by_layer(depths)) == layers
    assert [depths[key] for key, _ in model.named_parameters()] == sorted(depths.values())
    head, _ = head_of(model)
    assert {key for key, depth in depths.items() if depth == layers - 1} == {
        key for key in depths if key.startswith(f"{head}.")
    }


def test_without_decay_the_groups_are_those_of_before() -> None:
    model = build_model(Model("small"), 3, 32)
    (group,) = parameter_groups(model, Optimizer("sgd", 0.1, 0.01))
    assert set(group) == {"params", "weight_decay"}
    assert len(parameter_groups(model, Optimizer("sgd", 0.1, 0.01, no_decay="norm_and_bias"))) == 2


def test_decay_of_weights_and_of_rates_go_together() -> None:
    model = build_model(Model("small"), 3, 32)
    groups = parameter_groups(model, Optimizer("sgd", 0.1, 0.01, layer_decay=0.5))
    assert [(group["lr_scale"], group["weight_decay"]) for group in groups] == [
        (scale, 0.01) for scale in (0.125, 0.25, 0.5, 1.0)
    ]
    groups = parameter_groups(model, DECAYED)
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0] * 4
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    optimizer = build_optimizer(DECAYED, groups)
    assert [group["lr_scale"] for group in optimizer.param_groups] == [group["lr_scale"] for group in groups]


def test_parameters_outside_of_all_parts_belong_to_the_first_layer() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.zeros(3))
            self.norm = nn.BatchNorm2d(3)
            self.stem = nn.Conv2d(3, 4, 3)
            self.head = nn.Linear(4, 2)

    assert by_layer(layer_depths(Network())) == [{"", "norm"}, {"stem"}, {"head"}]
