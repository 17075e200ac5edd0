"""The reports' networks: the layers and sizes that the reports give, and those that were chosen."""

import math
import re
from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor, nn

from thumbnet.models import build_model, first_convolution, last_layer
from thumbnet.models.milani import Concat
from thumbnet.models.registry import MODELS
from thumbnet.recipe import Model


def shapes(network: nn.Module, size: int, wanted: Callable[[nn.Module], bool]) -> list[str]:
    """Return the outputs of the wanted modules for one image, as 'HxWxC' or 'C', in the order that they come."""
    found: list[str] = []

    def note(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        height_and_width = output.shape[2:] if output.dim() == 4 else ()
        found.append("x".join(str(side) for side in (*height_and_width, output.shape[1])))

    hooks = [module.register_forward_hook(note) for module in network.modules() if wanted(module)]
    device = next(network.parameters()).device
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, size, size, device=device))
    for hook in hooks:
        hook.remove()
    return found


def sketch(name: str, size: int, options: dict[str, object] | None = None) -> nn.Module:
    """Return a network with 200 outputs that has shapes but no numbers."""
    with torch.device("meta"):
        return build_model(Model(name, options or {}), 200, size)


def is_layer(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.Linear)


def documented(name: str) -> str:
    return " ".join((MODELS.get(name).__doc__ or "").split())


@pytest.mark.parametrize("name", ["m1", "m4"])
def test_activations_of_tings_networks_are_the_documented_ones(name: str) -> None:
    network = sketch(name, 64)
    kinds = (nn.Conv2d, nn.MaxPool2d, nn.Linear)
    layers = shapes(network, 64, is_layer)
    names = [type(module) for module in network.modules() if isinstance(module, kinds)]
    before_pools = [layers[i - 1] for i, kind in enumerate(names) if kind is nn.MaxPool2d]
    last_pool = layers[len(names) - 1 - names[::-1].index(nn.MaxPool2d)]
    text = re.search(r"activations (.*)\.", documented(name))
    assert text is not None
    assert re.findall(r"\d+x\d+x\d+", text[1]) == [*before_pools, last_pool]
    flat = math.prod(int(side) for side in last_pool.split("x"))
    assert f"= {flat:,}" in text[1]


def test_hansens_alexnet_has_caffes_sizes_at_60_pixels() -> None:
    network = sketch("hansen-alexnet", 60)
    convolutions = ["13x13x96", "6x6x96", "6x6x256", "3x3x256", "3x3x384", "3x3x384", "3x3x256", "1x1x256"]
    assert shapes(network, 60, is_layer) == [*convolutions, "4096", "4096", "200"]


def test_hansens_alexnet_has_caffes_layers() -> None:
    network = sketch("hansen-alexnet", 60)
    kinds = [type(module).__name__ for module in network.get_submodule("0").children()]
    first = ["Conv2d", "ReLU", "LocalResponseNorm", "MaxPool2d"]
    assert kinds == [*first, *first, *["Conv2d", "ReLU"] * 3, "MaxPool2d"]
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert [(c.kernel_size[0], c.stride[0], c.padding[0], c.groups) for c in convolutions] == [
        (11, 4, 0, 1),
        (5, 1, 2, 2),
        (3, 1, 1, 1),
        (3, 1, 1, 2),
        (3, 1, 1, 2),
    ]
    norms = [module for module in network.modules() if isinstance(module, nn.LocalResponseNorm)]
    assert [(n.size, n.alpha, n.beta, n.k) for n in norms] == [(5, 1e-4, 0.75, 1.0)] * 2


def test_hansens_response_normalisation_is_caffes() -> None:
    norm = next(module for module in sketch("hansen-alexnet", 60).modules() if "ResponseNorm" in type(module).__name__)
    inputs = 50 * torch.rand(2, 7, 3, 3)
    squares = torch.stack([inputs[:, max(0, c - 2) : c + 3].square().sum(dim=1) for c in range(7)], dim=1)
    expected = inputs / (1 + 1e-4 / 5 * squares) ** 0.75
    torch.testing.assert_close(norm(inputs), expected)


def test_hansens_3x3_network_has_the_documented_sizes() -> None:
    network = sketch("hansen-alexnet-3x3", 60)
    convolutions = ["28x28x96", "14x14x96", "14x14x256", "7x7x256", "7x7x384", "7x7x384", "7x7x256", "4x4x256"]
    assert shapes(network, 60, is_layer) == [*convolutions, "4096", "4096", "200"]
    assert not any(isinstance(module, nn.LocalResponseNorm) for module in network.modules())
    kernels = [module.kernel_size[0] for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert kernels == [5, 3, 3, 3, 3]


def test_hansens_prelu_stands_in_for_every_relu() -> None:
    network = sketch("hansen-alexnet-3x3", 60, {"activation": "prelu"})
    slopes = [module.num_parameters for module in network.modules() if isinstance(module, nn.PReLU)]
    assert slopes == [96, 256, 384, 384, 256, 4096, 4096]
    assert not any(isinstance(module, nn.ReLU) for module in network.modules())


def layers_of(model: Model, size: int) -> list[nn.Module]:
    torch.manual_seed(0)
    return [m for m in build_model(model, 200, size).modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def test_hansens_alexnet_starts_as_caffes_model_file_says() -> None:
    layers = layers_of(Model("hansen-alexnet"), 60)
    deviations = [layer.get_parameter("weight").std().item() for layer in layers]
    assert deviations == pytest.approx([0.01] * 5 + [0.005] * 2 + [0.01], rel=0.02)
    biases = [set(layer.get_parameter("bias").tolist()) for layer in layers]
    assert [round(value, 6) for values in biases for value in values] == [0, 0.1, 0, 0.1, 0.1, 0.1, 0.1, 0]


@pytest.mark.parametrize("options", [{"activation": "prelu"}, {"initialization": "xavier"}], ids=str)
def test_xavier_in_hansens_3x3_network_is_caffes(options: dict[str, object]) -> None:
    for layer in layers_of(Model("hansen-alexnet-3x3", options), 20):
        weight = layer.get_parameter("weight")
        bound = (3 / weight[0].numel()) ** 0.5
        assert weight.abs().max().item() == pytest.approx(bound, rel=0.01)
        assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.03)
        assert not layer.get_parameter("bias").any()


def test_hansens_3x3_network_with_relu_starts_as_he_says() -> None:
    layers = layers_of(Model("hansen-alexnet-3x3"), 20)
    weights = [layer.get_parameter("weight") for layer in layers]
    expected = [(2 / weight[0].numel()) ** 0.5 for weight in weights[:-1]]
    assert [weight.std().item() for weight in weights] == pytest.approx([*expected, 0.01], rel=0.03)
    assert not any(layer.get_parameter("bias").any() for layer in layers)


def test_mkrtchyans_alexnet_is_torchvisions_with_a_layer_more() -> None:
    network = build_model(Model("mkrtchyan-alexnet"), 200, 64)
    theirs = torchvision.models.alexnet(num_classes=1000).eval()
    theirs.load_state_dict(network.get_submodule("0").state_dict())
    assert last_layer(network)[1].weight.shape == (200, 1000)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = network.get_submodule("1")(theirs(images))
        torch.testing.assert_close(network.eval()(images), expected, rtol=0, atol=0)


def test_milanis_layers_are_the_documented_ones() -> None:
    network = sketch("milani-inception", 64)
    parts = list(network.children())
    found = shapes(network, 64, lambda module: any(module is part for part in parts[:12]))
    table = re.findall(r"\| (\d+x\d+x\d+) \|", documented("milani-inception"))
    assert found == table
    channels = [int(shape.split("x")[2]) for shape in table]
    sides = [int(shape.split("x")[0]) for shape in table]
    assert channels == sorted(channels)
    assert sides == sorted(sides, reverse=True)


def test_milanis_network_normalises_before_every_relu() -> None:
    network = sketch("milani-inception", 64)
    blocks = [m for m in network.modules() if isinstance(m, nn.Sequential) and isinstance(m[0], nn.Conv2d)]
    assert all([type(part) for part in block] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] for block in blocks)
    assert len(blocks) == len([m for m in network.modules() if isinstance(m, nn.Conv2d)])
    assert first_convolution(network).weight.shape == (32, 3, 3, 3)


def test_milanis_inception_layers_have_inception_v3s_branches() -> None:
    network = sketch("milani-inception", 64)

    def branches(layer: nn.Module) -> list[list[tuple[int, ...]]]:
        outer = layer.get_submodule("branches").children()
        return [[m.kernel_size for m in b.modules() if isinstance(m, nn.Conv2d)] for b in outer]

    layers = [branches(part) for part in network.children() if isinstance(part, Concat)]
    one, three, last = (1, 1), (3, 3), [[(1, 1)], [(1, 1)]]
    type_1 = [[one, three, three], [one, three], *last]
    type_2 = [[one, (1, 7), (7, 1), (1, 7), (7, 1)], [one, (1, 7), (7, 1)], *last]
    type_3 = [[one, three, (1, 3), (3, 1)], [one, (1, 3), (3, 1)], *last]
    dim = [[one, three, three], [one, three], []]
    assert layers == [type_1, type_1, dim, type_2, type_2, dim, type_3, type_3]


def test_milanis_dropout_stands_before_the_last_layer() -> None:
    network = sketch("milani-inception", 64, {"dropout": 0.2})
    before, last = list(network.children())[-2:]
    assert isinstance(before, nn.Dropout)
    assert before.p == 0.2
    assert last is last_layer(network)[1]


def test_yus_alexnet_has_the_sizes_of_table_2() -> None:
    network = sketch("yu-alexnet", 64)
    table = ["64x64x64", "64x64x64", "32x32x64", "32x32x128", "16x16x128", "16x16x256", "16x16x256", "8x8x256"]
    assert shapes(network, 64, is_layer) == [*table, "1024", "1024", "200"]
    assert ", ".join(table) in documented("yu-alexnet")
    norms = shapes(network, 64, lambda module: isinstance(module, nn.BatchNorm2d))
    assert norms == ["32x32x64", "16x16x128"]


def test_yus_vgg_has_pairs_of_3x3_convolutions_and_pools() -> None:
    network = sketch("yu-vgg", 64)
    stages = [(64, 32), (32, 64), (16, 128), (8, 256)]
    expected = [[f"{s}x{s}x{c}"] * 2 + [f"{s // 2}x{s // 2}x{c}"] for s, c in stages]
    assert shapes(network, 64, is_layer) == [*[shape for stage in expected for shape in stage], "1024", "1024", "200"]


def test_yus_resnet_has_twenty_layers_with_the_tables_channels() -> None:
    network = sketch("yu-resnet20", 64)
    shortcuts = {id(c) for name, m in network.named_modules() if name.endswith("downsample") for c in m.modules()}

    def counts(module: nn.Module) -> bool:
        return isinstance(module, nn.Conv2d | nn.Linear) and id(module) not in shortcuts

    stages = [(16, 64, 256), (8, 128, 512), (4, 256, 1024)]
    found = shapes(network, 64, counts)
    assert len(found) == 20
    assert found[0] == "32x32x64"
    assert found[-1] == "200"
    channels = [int(shape.split("x")[-1]) for shape in found[1:-1]]
    assert channels == [c for _, inner, outer in stages for c in [inner, inner, outer] * 2]
    assert [found[3], found[9], found[15]] == ["16x16x256", "8x8x512", "4x4x1024"]
    assert {"16x16x128", "8x8x256"} <= set(found)
