"""Entering a phase: which parameters train, which batch norms follow the data, and with which optimiser."""

import fnmatch
from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from thumbnet.errors import RecipeError
from thumbnet.models import head_of
from thumbnet.optim import build_optimizer, parameter_groups
from thumbnet.recipe import Optimizer, Phase, Recipe


def optimizer_of(recipe: Recipe, index: int) -> Optimizer:
    """Return the optimiser of phase `index`: its own, else that of the last phase before that has one."""
    for phase in reversed(recipe.phases[: index + 1]):
        if phase.optimizer is not None:
            return phase.optimizer
    return recipe.optimizer


def set_trainable(model: nn.Module, phase: Phase) -> None:
    """Let just the parameters that `phase` names receive gradients.

    Raises:
        RecipeError: a pattern matches no parameter.
    """
    names = [name for name, _ in model.named_parameters()]
    chosen = set(names)
    if phase.trainable == "head":
        head, _ = head_of(model)
        chosen = {name for name in names if name.startswith(f"{head}.")}
    elif phase.trainable != "all":
        chosen = set(_matching(names, phase.trainable))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in chosen)


def set_modes(model: nn.Module, phase: Phase) -> None:
    """Put the network in training mode, but for the batch norms of frozen parts unless the phase lets them follow."""
    model.train()
    if phase.frozen_norm_updates:
        return
    for module in model.modules():
        parameters = list(module.parameters(recurse=False))
        frozen = parameters and not any(parameter.requires_grad for parameter in parameters)
        if isinstance(module, _BatchNorm) and frozen:
            module.eval()


def enter_optimizer(
    model: nn.Module, recipe: Recipe, index: int, before: torch.optim.Optimizer | None
) -> torch.optim.Optimizer:
    """Return the optimiser of phase `index`, with the state of `before` where the phase carries it over."""
    phase = recipe.phases[index]
    named = optimizer_of(recipe, index)
    optimizer = build_optimizer(named, parameter_groups(model, named))
    if before is not None and phase.carry_optimizer and type(before) is type(optimizer):
        _carry(before, optimizer)
    return optimizer


def _carry(before: torch.optim.Optimizer, optimizer: torch.optim.Optimizer) -> None:
    """Give `optimizer` the state that `before` holds of the same parameters."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for parameter in parameters:
        if parameter in before.state:
            optimizer.state[parameter] = before.state[parameter]
    if any(before.state.get(parameter, {}).get("momentum_buffer") is not None for parameter in parameters):
        # torch's fused SGD wants momentum of all parameters or of none; one that begins has been at rest.
        for parameter in parameters:
            optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))


def _matching(names: list[str], patterns: Iterable[str]) -> list[str]:
    chosen: list[str] = []
    for pattern in patterns:
        found = fnmatch.filter(names, pattern)
        if not found:
            raise RecipeError(f"phase.trainable: {pattern!r} matches no parameter; the first are {names[:3]}")
        chosen += found
    return chosen
