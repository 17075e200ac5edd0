"""Every network: its output, its size as its docstring states it, and gradients in all of its parts."""

import itertools
import re

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18 as torchvision_resnet18

from thumbnet.errors import RecipeError
from thumbnet.models import (
    build_model,
    check_model,
    first_convolution,
    last_layer,
    model_names,
    multiply_adds,
    parameter_count,
)
from thumbnet.models.registry import MODELS
from thumbnet.recipe import Model

VARIANTS = [
    Model("m1"),
    Model("m4"),
    Model("resnet18"),
    Model("resnet18", {"stem": "strided"}),
    Model("resnet18", {"stem": "small", "zero_init_residual": False}),
    Model("small"),
    Model("timm/test_resnet", {"drop_rate": 0.1, "zero_init_last": False}),
]


def test_every_name_of_the_table_is_tested() -> None:
    assert set(model_names()) <= {model.name for model in VARIANTS}


@pytest.mark.parametrize("model", VARIANTS, ids=str)
@pytest.mark.parametrize("size", [32, 64])
def test_images_become_one_logit_a_class(model: Model, size: int) -> None:
    network = build_model(model, 7, size).eval()
    with torch.no_grad():
        logits = network(torch.rand(3, 3, size, size))
    assert logits.shape == (3, 7)
    assert logits.isfinite().all()


@pytest.mark.parametrize("model", VARIANTS, ids=str)
def test_the_gradient_reaches_every_parameter(model: Model) -> None:
    torch.manual_seed(0)
    network = build_model(model, 5, 32)
    torch.autograd.backward(network(torch.rand(8, 3, 32, 32)).logsumexp(-1).sum())
    untouched = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert untouched == []


@pytest.mark.parametrize(
    ("model", "classes", "expected"),
    [
        (Model("m1"), 200, 584_120),
        (Model("m4"), 200, 2_343_080),
        (Model("resnet18"), 200, 11_279_112),
        (Model("resnet18", {"stem": "strided"}), 200, 11_271_432),
        (Model("resnet18", {"stem": "small"}), 200, 11_271_432),
        (Model("small"), 10, 24_346),
    ],
    ids=str,
)
def test_the_parameter_count_is_the_documented_one(model: Model, classes: int, expected: int) -> None:
    network = build_model(model, classes, 64)
    assert parameter_count(network) == expected
    assert f"{expected:,}" in (MODELS.get(model.name).__doc__ or "")


@pytest.mark.parametrize("name", ["m1", "m4"])
def test_activations_of_tings_networks_are_the_documented_ones(name: str) -> None:
    network = build_model(Model(name), 200, 64)
    sizes: list[str] = []

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            sizes.append(f"{output.shape[2]}x{output.shape[3]}x{output.shape[1]}")
        elif isinstance(module, nn.MaxPool2d):
            sizes.append(f"pooled {output.shape[2]}x{output.shape[3]}x{output.shape[1]}")
        elif isinstance(module, nn.Flatten):
            sizes.append(f"flat {output.shape[1]:,}")

    for module in network.modules():
        module.register_forward_hook(note)
    network(torch.zeros(1, 3, 64, 64))
    text = MODELS.get(name).__doc__ or ""
    documented = re.search(r"activations (.*)\.", text)
    assert documented is not None
    stated = re.findall(r"\d+x\d+x\d+", documented[1])
    last_convolutions = [before for before, after in itertools.pairwise(sizes) if after.startswith("pooled")]
    assert [*last_convolutions, sizes[-2].removeprefix("pooled ")] == stated
    assert f"= {sizes[-1].removeprefix('flat ')}" in documented[1]


def test_resnet18_with_the_imagenet_stem_is_torchvisions() -> None:
    ours = build_model(Model("resnet18"), 11, 64).eval()
    theirs = torchvision_resnet18(num_classes=11).eval()
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=0, atol=0)


@pytest.mark.parametrize(("stem", "side"), [("imagenet", 16), ("strided", 32), ("small", 64)])
def test_a_stem_decides_what_the_first_stage_sees(stem: str, side: int) -> None:
    network = build_model(Model("resnet18", {"stem": stem}), 4, 64)
    seen: list[int] = []
    network.get_submodule("layer1").register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-1]))
    network(torch.zeros(2, 3, 64, 64))
    assert seen == [side]


def test_zero_init_residual_makes_each_block_an_identity() -> None:
    network = build_model(Model("resnet18", {"zero_init_residual": True}), 4, 64).eval()
    block = network.get_submodule("layer1.0")
    inputs = torch.rand(1, 64, 8, 8)
    torch.testing.assert_close(block(inputs), inputs, rtol=0, atol=0)


def test_a_timm_network_takes_its_options() -> None:
    network = build_model(Model("timm/test_resnet", {"drop_rate": 0.25, "in_chans": 3}), 9, 32)
    assert network.get_parameter("fc.weight").shape[0] == 9
    assert vars(network)["drop_rate"] == 0.25


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Model("resnet81"), r"model 'resnet81' is unknown; did you mean resnet18"),
        (Model("resnet18", {"steem": "small"}), r"unknown option 'steem'; did you mean stem"),
        (Model("resnet18", {"stem": "big"}), r"'big' is not one of 'imagenet', 'strided', 'small'"),
        (Model("resnet18", {"zero_init_residual": "yes"}), r"'yes' is not true or false"),
        (Model("m1", {"width": 3}), r"m1: unknown option 'width'; it takes none"),
        (Model("small", {"width": "wide"}), r"'wide' is not a whole number"),
        (Model("timm/resnet81"), r"timm/resnet81 is unknown; did you mean resnet18"),
    ],
    ids=str,
)
def test_what_is_unknown_is_refused_before_anything_is_built(model: Model, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        check_model(model)
    with pytest.raises(RecipeError, match=message):
        build_model(model, 4, 64)


@pytest.mark.parametrize("options", [{"drop_rote": 0.1}, {"block_args": 3}])
def test_options_that_timm_refuses_are_a_recipe_error(options: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match=r"model timm/test_resnet: timm refuses the options"):
        build_model(Model("timm/test_resnet", options), 4, 64)


@pytest.mark.parametrize("width", [0, -4])
def test_a_width_that_is_no_width_is_refused(width: int) -> None:
    with pytest.raises(RecipeError, match=r"width"):
        build_model(Model("small", {"width": width}), 4, 64)


def test_first_convolution_and_last_layer() -> None:
    network = build_model(Model("resnet18"), 4, 64)
    assert first_convolution(network) is network.get_submodule("conv1")
    assert last_layer(network) == ("fc", network.get_submodule("fc"))
    plain = build_model(Model("m1"), 4, 64)
    assert first_convolution(plain).weight.shape == (16, 3, 5, 5)
    assert last_layer(plain)[1].weight.shape == (4, 256)


def test_a_network_without_convolution_or_linear_layer_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"Linear: the network has no convolution"):
        first_convolution(nn.Linear(2, 2))
    with pytest.raises(RecipeError, match=r"Conv2d: the network has no fully connected layer"):
        last_layer(nn.Conv2d(3, 2, 1))


def test_multiply_adds_agree_with_a_count_by_hand() -> None:
    def convolution(before: int, after: int, kernel: int, side: int) -> int:
        return before * after * kernel**2 * side**2

    m1 = convolution(3, 16, 5, 64) + convolution(16, 16, 3, 32) + convolution(16, 32, 3, 16) + 2048 * 256 + 256 * 4
    assert multiply_adds(build_model(Model("m1"), 4, 64), 64) == m1 == 8_979_456
    small = convolution(3, 16, 3, 32) + convolution(16, 32, 3, 16) + convolution(32, 64, 3, 8) + 64 * 10
    assert multiply_adds(build_model(Model("small"), 10, 32), 32) == small


def test_counting_leaves_every_mode_as_it_was() -> None:
    network = build_model(Model("resnet18"), 4, 64).train()
    frozen = network.get_submodule("bn1").eval()
    multiply_adds(network, 64)
    assert network.training
    assert not frozen.training
