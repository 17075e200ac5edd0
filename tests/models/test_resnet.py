"""Residual networks: torchvision's where they should be, the papers' blocks, stems and activation functions."""

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional

from thumbnet.models import build_model
from thumbnet.recipe import Model

ACTIVATIONS = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "prelu": nn.PReLU}


@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
def test_with_the_imagenet_stem_it_is_torchvisions(name: str) -> None:
    torch.manual_seed(0)
    ours = build_model(Model(name), 11, 64).eval()
    theirs = torchvision.models.get_model(name, num_classes=11).eval()
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
def test_a_seed_draws_the_weights_that_torchvision_draws(name: str) -> None:
    torch.manual_seed(5)
    ours = build_model(Model(name), 11, 64).state_dict()
    torch.manual_seed(5)
    theirs = torchvision.models.get_model(name, num_classes=11).state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize(("stem", "side"), [("imagenet", 16), ("strided", 32), ("small", 64)])
def test_a_stem_decides_what_the_first_stage_sees(stem: str, side: int) -> None:
    network = build_model(Model("resnet18", {"stem": stem}), 4, 64)
    seen: list[int] = []
    network.get_submodule("layer1").register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-1]))
    network(torch.zeros(2, 3, 64, 64))
    assert seen == [side]


@pytest.mark.parametrize("block", ["original", "preact"])
def test_zero_init_residual_makes_each_block_an_identity(block: str) -> None:
    network = build_model(Model("resnet18", {"zero_init_residual": True, "block": block}), 4, 64).eval()
    inputs = torch.rand(1, 64, 8, 8)
    for name in ("layer1.0", "layer1.1"):
        torch.testing.assert_close(network.get_submodule(name)(inputs), inputs, rtol=0, atol=0)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("block", ["original", "preact"])
def test_every_activation_is_the_chosen_one(block: str, name: str) -> None:
    network = build_model(Model("resnet18", {"activation": name, "block": block}), 4, 32)
    known = [module for module in network.modules() if isinstance(module, tuple(ACTIVATIONS.values()))]
    assert [type(module) for module in known] == [ACTIVATIONS[name]] * 17
    assert len({id(module) for module in known}) == 17


def test_activations_bend_as_their_papers_say() -> None:
    inputs = torch.tensor([[-1.0, 2.0]])
    expected = {"relu": 0.0, "leaky_relu": -0.01, "elu": -0.6321, "prelu": -0.25}
    for name, below in expected.items():
        network = build_model(Model("resnet18", {"activation": name, "width": 2}), 4, 32)
        output = network.get_submodule("act")(inputs.clone()[..., None, None])
        assert output.flatten().tolist() == pytest.approx([below, 2.0], abs=1e-4)


def norm(inputs: torch.Tensor, module: nn.Module) -> torch.Tensor:
    mean, variance = module.get_buffer("running_mean"), module.get_buffer("running_var")
    return functional.batch_norm(inputs, mean, variance, module.get_parameter("weight"), module.get_parameter("bias"))


@pytest.fixture
def preact() -> nn.Module:
    torch.manual_seed(1)
    network = build_model(Model("resnet18", {"block": "preact", "width": 4}), 4, 32)
    network(torch.rand(16, 3, 32, 32))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    return network.eval()


@pytest.mark.parametrize(("name", "channels"), [("layer1.0", 4), ("layer1.1", 4), ("layer2.0", 4), ("layer2.1", 8)])
def test_a_preact_block_is_the_papers(preact: nn.Module, name: str, channels: int) -> None:
    block = preact.get_submodule(name)
    inputs = torch.randn(2, channels, 8, 8)
    active = inputs if name == "layer1.0" else norm(inputs, block.get_submodule("bn1")).relu()
    shortcut, stride = inputs, 1
    if name == "layer2.0":
        stride = 2
        shortcut = functional.conv2d(active, block.get_parameter("downsample.weight"), stride=2)
    hidden = functional.conv2d(active, block.get_parameter("conv1.weight"), stride=stride, padding=1)
    hidden = norm(hidden, block.get_submodule("bn2")).relu()
    expected = shortcut + functional.conv2d(hidden, block.get_parameter("conv2.weight"), padding=1)
    with torch.no_grad():
        torch.testing.assert_close(block(inputs), expected)


def test_a_preact_network_begins_and_ends_as_the_paper_says(preact: nn.Module) -> None:
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        features = functional.conv2d(images, preact.get_parameter("conv1.weight"), stride=2, padding=3)
        features = functional.max_pool2d(norm(features, preact.get_submodule("bn1")).relu(), 3, 2, 1)
        for stage in ("layer1", "layer2", "layer3", "layer4"):
            features = preact.get_submodule(stage)(features)
        pooled = norm(features, preact.get_submodule("last_bn")).relu().mean(dim=(2, 3))
        torch.testing.assert_close(preact(images), preact.get_submodule("fc")(pooled))
