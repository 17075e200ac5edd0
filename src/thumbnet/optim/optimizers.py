"""Optimisers: torch's own by the names of the field, and all of timm's under `timm/<name>`."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from thumbnet.errors import RecipeError, nearest
from thumbnet.optim.layers import layer_depths
from thumbnet.recipe import Optimizer

OPTIMIZERS: Mapping[str, tuple[Callable[..., torch.optim.Optimizer], Mapping[str, object]]] = {
    "adagrad": (torch.optim.Adagrad, {}),
    "adam": (torch.optim.Adam, {"fused": True}),
    "adamw": (torch.optim.AdamW, {"fused": True}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "fused": True}),
    "radam": (torch.optim.RAdam, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "sgd": (torch.optim.SGD, {"fused": True}),
}
"""The table: a name, the class, and the options that differ from the class's own defaults."""

TIMM_PREFIX = "timm/"

Group = dict[str, Any]


def optimizer_names() -> list[str]:
    """Return the names of the optimisers in the table, sorted (timm's come on top of them)."""
    return sorted(OPTIMIZERS)


def check_optimizer(optimizer: Optimizer) -> None:
    """Check that `optimizer` names an optimiser and options that exist, by building it for one number.

    Raises:
        RecipeError: an unknown name or option (with the nearest names), or a value that the optimiser refuses.
    """
    build_optimizer(optimizer, [{"params": [nn.Parameter(torch.zeros(1))]}])


def parameter_groups(model: nn.Module, optimizer: Optimizer) -> list[Group]:
    """Return the trainable parameters of `model` in groups, by whether weight decay reaches them.

    With a layer-wise decay of the rate, each layer (see `thumbnet.optim.layers`) has groups of its own, whose
    `lr_scale` multiplies the learning rate.
    """
    if optimizer.layer_decay != 1:
        return _groups_by_layer(model, optimizer)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if optimizer.no_decay == "none":
        return [{"params": trainable, "weight_decay": optimizer.weight_decay}]
    decayed = [parameter for parameter in trainable if parameter.ndim > 1]
    spared = [parameter for parameter in trainable if parameter.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": optimizer.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _groups_by_layer(model: nn.Module, optimizer: Optimizer) -> list[Group]:
    depths = layer_depths(model)
    last = max(depths.values())
    groups: dict[tuple[int, bool], Group] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        spared = optimizer.no_decay != "none" and parameter.ndim <= 1
        depth = depths[name]
        new: Group = {
            "params": [],
            "weight_decay": 0.0 if spared else optimizer.weight_decay,
            "lr_scale": optimizer.layer_decay ** (last - depth),
        }
        groups.setdefault((depth, spared), new)["params"].append(parameter)
    return list(groups.values())


def build_optimizer(optimizer: Optimizer, groups: Iterable[Group]) -> torch.optim.Optimizer:
    """Return the optimiser that `optimizer` names over parameter `groups`.

    Raises:
        RecipeError: an unknown name or option (with the nearest names), or a value that the optimiser refuses.
    """
    if optimizer.name.startswith(TIMM_PREFIX):
        return _build_timm(optimizer, groups)
    if optimizer.name not in OPTIMIZERS:
        raise RecipeError(f"optimizer {optimizer.name!r} is unknown; {nearest(optimizer.name, OPTIMIZERS)}")
    factory, preset = OPTIMIZERS[optimizer.name]
    known = set(inspect.signature(factory).parameters) - {"params", "lr", "weight_decay"}
    for key in optimizer.options:
        if key not in known:
            raise RecipeError(f"optimizer {optimizer.name}: unknown option {key!r}; {nearest(key, known)}")
    options = {**preset, **optimizer.options}
    return _construct(factory, optimizer, groups, options)


def _build_timm(optimizer: Optimizer, groups: Iterable[Group]) -> torch.optim.Optimizer:
    from timm.optim import get_optimizer_class, list_optimizers

    name = optimizer.name.removeprefix(TIMM_PREFIX)
    known = [str(known) for known in list_optimizers()]
    if name not in known:
        raise RecipeError(f"optimizer timm/{name} is unknown; {nearest(name, known)[:300]}")
    return _construct(get_optimizer_class(name, bind_defaults=True), optimizer, groups, optimizer.options)


def _construct(
    factory: Callable[..., torch.optim.Optimizer],
    optimizer: Optimizer,
    groups: Iterable[Group],
    options: Mapping[str, object],
) -> torch.optim.Optimizer:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    try:
        return factory(list(groups), lr=optimizer.lr, weight_decay=optimizer.weight_decay, **values)
    except (TypeError, ValueError, RuntimeError, IndexError) as error:  # torch refuses bad options in all these ways
        raise RecipeError(f"optimizer {optimizer.name}: {error}; check its options {values}") from error
