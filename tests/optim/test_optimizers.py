"""Optimisers: each name is the class that it says, and what it does not know is refused."""

from typing import Any

import pytest
import torch
from timm.optim import create_optimizer_v2
from torch import nn
from torch.nn import functional

from thumbnet.errors import RecipeError
from thumbnet.optim import build_optimizer, check_optimizer, optimizer_names, parameter_groups
from thumbnet.recipe import Optimizer

TORCH: dict[str, tuple[Any, dict[str, Any]]] = {
    "adagrad": (torch.optim.Adagrad, {}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "radam": (torch.optim.RAdam, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "sgd": (torch.optim.SGD, {}),
}


def network() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 3))


def after_steps(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 5) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        images = torch.randn(16, 6, generator=generator)
        labels = torch.randint(0, 3, (16,), generator=generator)
        torch.autograd.backward(functional.cross_entropy(model(images), labels))
        optimizer.step()
        optimizer.zero_grad()
    return [parameter.detach().clone() for parameter in model.parameters()]


def built(optimizer: Optimizer) -> list[torch.Tensor]:
    model = network()
    return after_steps(model, build_optimizer(optimizer, parameter_groups(model, optimizer)))


def test_every_name_of_the_table_is_tested() -> None:
    assert optimizer_names() == sorted(TORCH)


@pytest.mark.parametrize("name", sorted(TORCH))
def test_a_name_is_torchs_own_class(name: str) -> None:
    factory, options = TORCH[name]
    model = network()
    start = [parameter.detach().clone() for parameter in model.parameters()]
    expected = after_steps(model, factory(model.parameters(), lr=0.02, weight_decay=0.1, **options))
    found = built(Optimizer(name, lr=0.02, weight_decay=0.1))
    torch.testing.assert_close(found, expected)
    assert all(not torch.equal(one, before) for one, before in zip(found, start, strict=True))


def test_options_reach_the_optimizer_and_replace_the_presets() -> None:
    plain = built(Optimizer("sgd", lr=0.02, options={"momentum": 0.5}))
    model = network()
    torch.testing.assert_close(plain, after_steps(model, torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.5)))
    betas = built(Optimizer("adam", lr=0.02, options={"betas": [0.5, 0.6]}))
    model = network()
    adam = torch.optim.Adam(model.parameters(), lr=0.02, betas=(0.5, 0.6))
    torch.testing.assert_close(betas, after_steps(model, adam))


def test_timms_optimizers_come_by_name() -> None:
    model = network()
    lion = create_optimizer_v2(model.parameters(), opt="lion", lr=0.01, weight_decay=0.1, betas=(0.8, 0.9))
    expected = after_steps(model, lion)
    found = built(Optimizer("timm/lion", lr=0.01, weight_decay=0.1, options={"betas": [0.8, 0.9]}))
    torch.testing.assert_close(found, expected)


def test_no_decay_spares_norms_and_biases() -> None:
    model = network()
    decayed, spared = parameter_groups(model, Optimizer("sgd", 0.1, 0.01, no_decay="norm_and_bias"))
    assert decayed["weight_decay"] == 0.01
    assert spared["weight_decay"] == 0.0
    assert [id(p) for p in decayed["params"]] == [id(model[0].weight), id(model[3].weight)]
    assert len(spared["params"]) == 4
    optimizer = build_optimizer(Optimizer("sgd", 0.5, 1.0), [decayed | {"weight_decay": 1.0}, spared])
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    # Without a gradient only the decay moves a weight: by the learning rate times itself.
    for parameter, old in zip(model.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.detach(), old * (0.5 if old.ndim > 1 else 1.0))


def test_only_what_trains_is_in_a_group() -> None:
    model = network()
    model[0].requires_grad_(False)
    (group,) = parameter_groups(model, Optimizer("sgd", 0.1))
    assert len(group["params"]) == 4
    model.requires_grad_(False)
    model[3].bias.requires_grad_(True)
    (group,) = parameter_groups(model, Optimizer("sgd", 0.1, 0.1, no_decay="norm_and_bias"))
    assert [id(p) for p in group["params"]] == [id(model[3].bias)]


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (Optimizer("adamm", 0.1), r"optimizer 'adamm' is unknown; did you mean adam"),
        (Optimizer("sgd", 0.1, options={"momentm": 0.9}), r"unknown option 'momentm'; did you mean momentum"),
        (Optimizer("sgd", 0.1, options={"lr": 3}), r"unknown option 'lr'"),
        (Optimizer("sgd", 0.1, options={"momentum": -1}), r"optimizer sgd: Invalid momentum value"),
        (Optimizer("sgd", 0.1, options={"momentum": "much"}), r"optimizer sgd: .*; check its options"),
        (Optimizer("adam", 0.1, options={"betas": [0.9]}), r"optimizer adam: .*; check its options"),
        (Optimizer("adam", 0.1, options={"foreach": True}), r"optimizer adam: .*; check its options"),
        (Optimizer("timm/lionn", 0.1), r"optimizer timm/lionn is unknown; did you mean lion"),
        (Optimizer("timm/lion", 0.1, options={"momentm": 1}), r"optimizer timm/lion: .*momentm"),
    ],
    ids=str,
)
def test_what_is_unknown_is_refused(optimizer: Optimizer, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        check_optimizer(optimizer)
