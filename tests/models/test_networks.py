"""Every network: its output, its size as its docstring states it, and gradients in all of its parts."""

import pytest
import torch
from torch import nn

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
from thumbnet.recipes import RECIPES

VARIANTS = [
    (Model("hansen-alexnet"), 60),
    (Model("hansen-alexnet-3x3"), 60),
    (Model("hansen-alexnet-3x3", {"activation": "prelu"}), 60),
    (Model("m1"), 32),
    (Model("m1"), 64),
    (Model("m4"), 64),
    (Model("milani-inception"), 32),
    (Model("milani-inception", {"dropout": 0.2}), 64),
    (Model("mkrtchyan-alexnet"), 64),
    (Model("resnet18"), 64),
    (Model("resnet18", {"stem": "strided"}), 32),
    (Model("resnet18", {"stem": "small", "zero_init_residual": False}), 32),
    (Model("resnet18", {"activation": "elu"}), 32),
    (Model("resnet18", {"activation": "leaky_relu"}), 32),
    (Model("resnet18", {"activation": "prelu"}), 32),
    (Model("resnet34"), 32),
    (Model("resnet34", {"block": "preact"}), 64),
    (Model("resnet34", {"block": "preact", "activation": "prelu"}), 32),
    (Model("small"), 32),
    (Model("yu-alexnet"), 32),
    (Model("yu-alexnet"), 64),
    (Model("yu-resnet20"), 64),
    (Model("yu-vgg"), 64),
    (Model("timm/test_resnet", {"drop_rate": 0.1, "zero_init_last": False}), 32),
    (Model("torchvision/squeezenet1_1"), 32),
]
VARIANTS += [(Model(name), 64) for name in model_names() if name not in {model.name for model, _ in VARIANTS}]


@pytest.mark.parametrize(("model", "size"), VARIANTS, ids=str)
def test_images_become_logits_whose_gradient_reaches_every_parameter(model: Model, size: int) -> None:
    torch.manual_seed(0)
    network = build_model(model, 5, size)
    logits = network(torch.rand(6, 3, size, size) - 0.5)
    assert logits.shape == (6, 5)
    assert logits.isfinite().all()
    torch.autograd.backward(logits.logsumexp(-1).sum())
    untouched = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert untouched == []
    with torch.no_grad():
        assert network.eval()(torch.rand(3, 3, size, size)).shape == (3, 5)


@pytest.mark.parametrize(
    ("model", "size", "classes", "parameters", "work"),
    [
        (Model("hansen-alexnet"), 60, 200, 20_987_464, 54),
        (Model("hansen-alexnet-3x3"), 60, 200, 36_491_848, 159),
        (Model("hansen-alexnet-3x3", {"activation": "prelu"}), 60, 200, 36_501_416, 159),
        (Model("m1"), 64, 200, 584_120, 9),
        (Model("m4"), 64, 200, 2_343_080, 202),
        (Model("milani-inception"), 64, 200, 2_460_616, 119),
        (Model("mkrtchyan-alexnet"), 64, 200, 61_301_040, 98),
        (Model("resnet18"), 64, 200, 11_279_112, None),
        (Model("resnet18", {"stem": "strided"}), 64, 200, 11_271_432, None),
        (Model("resnet18", {"stem": "small"}), 64, 200, 11_271_432, None),
        (Model("resnet18", {"stem": "strided", "width": 32}), 64, 200, 2_846_440, None),
        (Model("resnet18", {"block": "preact"}), 64, 200, 11_277_320, None),
        (Model("resnet18", {"activation": "prelu"}), 64, 200, 11_283_016, None),
        (Model("resnet34"), 64, 200, 21_387_272, None),
        (Model("resnet34", {"block": "preact"}), 64, 200, 21_385_480, None),
        (Model("small"), 64, 10, 24_346, None),
        (Model("yu-alexnet"), 64, 200, 19_031_048, 478),
        (Model("yu-resnet20"), 64, 200, 3_649_032, 143),
        (Model("yu-vgg"), 64, 200, 6_622_632, 217),
    ],
    ids=str,
)
def test_the_size_is_the_documented_one(
    model: Model, size: int, classes: int, parameters: int, work: int | None
) -> None:
    with torch.device("meta"):
        network = build_model(model, classes, size)
    text = " ".join((MODELS.get(model.name).__doc__ or "").split())
    assert parameter_count(network) == parameters
    assert f"{parameters:,} parameters" in text or f"{parameters:,} with" in text
    if work is not None:
        assert round(multiply_adds(network, size) / 1e6) == work
        assert f"{work} million multiply-adds" in text


@pytest.mark.parametrize("name", ["mkrtchyan-densenet161", "yu-inception", "yu-squeezenet", "yu-baseline"])
def test_a_librarys_network_has_the_size_that_its_recipe_states(name: str) -> None:
    make = RECIPES[name]
    with torch.device("meta"):
        network = build_model(make().model, 200, 64)
    text = " ".join((make.__doc__ or "").split())
    work = round(multiply_adds(network, 64) / 1e6)
    assert f"{parameter_count(network):,} parameters and {work} million multiply-adds at 64 pixels" in text


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Model("resnet81"), r"model 'resnet81' is unknown; did you mean resnet18"),
        (Model("hansen-alexnet-3x4"), r"did you mean hansen-alexnet-3x3 or hansen-alexnet"),
        (Model("resnet18", {"steem": "small"}), r"unknown option 'steem'; did you mean stem"),
        (Model("resnet18", {"stem": "big"}), r"'big' is not one of 'imagenet', 'strided', 'small'"),
        (Model("resnet34", {"block": "wide"}), r"'wide' is not one of 'original', 'preact'"),
        (Model("resnet18", {"activation": "gelu"}), r"'gelu' is not one of 'relu', 'leaky_relu', 'elu', 'prelu'"),
        (Model("resnet18", {"zero_init_residual": "yes"}), r"'yes' is not true or false"),
        (Model("hansen-alexnet", {"activation": "prelu"}), r"unknown option 'activation'; it takes none"),
        (Model("hansen-alexnet-3x3", {"initialization": "zero"}), r"'zero' is not one of 'gaussian', 'xavier', 'he'"),
        (Model("m1", {"width": 3}), r"m1: unknown option 'width'; it takes none"),
        (Model("small", {"width": "wide"}), r"'wide' is not a whole number"),
    ],
    ids=str,
)
def test_what_is_unknown_is_refused_before_anything_is_built(model: Model, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        check_model(model)
    with pytest.raises(RecipeError, match=message):
        build_model(model, 4, 64)


@pytest.mark.parametrize(
    ("model", "size", "message"),
    [
        (Model("small", {"width": 0}), 64, r"a width of 0 is not a positive number"),
        (Model("resnet34", {"width": -4}), 64, r"a width of -4 is not a positive number"),
        (Model("milani-inception", {"dropout": 1}), 64, r"a dropout of 1.0 is not in \[0, 1\)"),
        (Model("yu-vgg", {"dropout": -0.1}), 64, r"a dropout of -0.1 is not in \[0, 1\)"),
        (Model("yu-alexnet"), 60, r"images of 60 pixels do not divide by 8"),
        (Model("yu-vgg"), 8, r"images of 8 pixels do not divide by 16"),
        (Model("mkrtchyan-alexnet"), 62, r"images of 62 pixels are too small"),
        (Model("hansen-alexnet"), 32, r"images of 32 pixels are too small"),
    ],
    ids=str,
)
def test_what_no_network_can_be_built_of_is_refused(model: Model, size: int, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build_model(model, 4, size)


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
