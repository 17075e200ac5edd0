"""Schemes of initialisation: their distributions, what they leave alone, and that a seed repeats them."""

import pytest
import torch
from torch import nn

from thumbnet.errors import RecipeError
from thumbnet.models import build_model
from thumbnet.models.initialization import SCHEMES, initialize
from thumbnet.recipe import Model
from thumbnet.recipe.model import INITIALIZATIONS


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    convolution = nn.Conv2d(64, 128, 3, groups=2)
    return nn.Sequential(convolution, nn.BatchNorm2d(128), nn.Flatten(), nn.Linear(600, 200))


def test_every_scheme_of_a_recipe_is_known() -> None:
    assert {"default", *SCHEMES} == set(INITIALIZATIONS)


@pytest.mark.parametrize(
    ("scheme", "conv", "linear", "is_uniform"),
    [
        ("xavier", (2 / (288 + 1152)) ** 0.5, (2 / 800) ** 0.5, True),
        ("he", (2 / 288) ** 0.5, (2 / 600) ** 0.5, False),
        ("gaussian", 0.01, 0.01, False),
        ("uniform", (1 / 288 / 3) ** 0.5, (1 / 600 / 3) ** 0.5, True),
        ("zero", 0.0, 0.0, True),
    ],
)
def test_a_scheme_has_its_distribution(scheme: str, conv: float, linear: float, is_uniform: bool) -> None:
    network = layers()
    initialize(network, {"conv": scheme, "linear": scheme})
    for layer, deviation in ((network[0], conv), (network[3], linear)):
        weight = layer.get_parameter("weight")
        assert weight.mean().item() == pytest.approx(0, abs=max(deviation / 50, 1e-12))
        assert weight.std().item() == pytest.approx(deviation, rel=0.02)
        greatest = deviation * 3**0.5 if is_uniform else deviation * 4.3
        assert weight.abs().max().item() == pytest.approx(greatest, rel=0.005 if is_uniform else 0.2)


def test_only_the_weights_of_the_named_kind_change() -> None:
    before, network = layers(), layers()
    initialize(network, {"linear": "xavier", "conv": "default"})
    changed = {name for name, p in network.state_dict().items() if not torch.equal(p, before.state_dict()[name])}
    assert changed == {"3.weight"}
    initialize(network, {"conv": "he"})
    changed = {name for name, p in network.state_dict().items() if not torch.equal(p, before.state_dict()[name])}
    assert changed == {"0.weight", "3.weight"}


def test_a_model_is_initialised_as_its_recipe_says_and_the_same_each_time() -> None:
    def built(model: Model) -> dict[str, torch.Tensor]:
        torch.manual_seed(4)
        return build_model(model, 200, 64).state_dict()

    plain = built(Model("m1"))
    xavier, again = (built(Model("m1", initialization={"linear": "xavier"})) for _ in range(2))
    assert all(torch.equal(xavier[name], again[name]) for name in xavier)
    linear = {"10.weight", "12.weight"}
    assert {name for name in plain if not torch.equal(plain[name], xavier[name])} == linear
    assert xavier["12.weight"].std().item() == pytest.approx((2 / (256 + 200)) ** 0.5, rel=0.02)
    default = built(Model("m1", initialization={"linear": "default"}))
    assert all(torch.equal(plain[name], default[name]) for name in plain)


def test_networks_of_the_libraries_are_initialised_too() -> None:
    for name in ("timm/test_resnet", "torchvision/squeezenet1_1"):
        network = build_model(Model(name, initialization={"conv": "zero"}), 4, 64)
        assert not any(m.weight.any() for m in network.modules() if isinstance(m, nn.Conv2d))


def test_a_kind_that_the_network_lacks_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"model.initialization.linear: the network has no layer of this kind"):
        build_model(Model("torchvision/squeezenet1_1", initialization={"linear": "xavier"}), 4, 64)


@pytest.mark.parametrize("initialization", [{"dense": "xavier"}, {"conv": "orthogonal"}, {"conv": 3}], ids=str)
def test_unknown_kinds_and_schemes_are_refused(initialization: dict[str, str]) -> None:
    with pytest.raises(RecipeError, match=r"model\.initialization.* is not one of"):
        Model("m1", initialization=initialization)
