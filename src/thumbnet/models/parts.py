"""Parts and sizes of any network: its first filters, its last layer, its parameters and multiply-adds."""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from thumbnet.errors import RecipeError
from thumbnet.recipe import Recipe


def first_convolution(model: nn.Module) -> nn.Conv2d:
    """Return the network's first convolution, the one that sees the image.

    Raises:
        RecipeError: the network has none.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            return module
    raise RecipeError(f"{type(model).__name__}: the network has no convolution, so it has no first-layer filters")


def last_layer(model: nn.Module) -> tuple[str, nn.Linear]:
    """Return the name and the module of the network's last fully connected layer, which gives the logits.

    Raises:
        RecipeError: the network has none.
    """
    found: tuple[str, nn.Linear] | None = None
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            found = (name, module)
    if found is None:
        raise RecipeError(f"{type(model).__name__}: the network has no fully connected layer to train as its head")
    return found


@contextlib.contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put the network in evaluation mode for the block, and each of its parts back into its own mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def placed(model: nn.Module, recipe: Recipe, device: torch.device) -> nn.Module:
    """Return the network on `device`, its weights laid out in memory as `recipe` states."""
    model = model.to(device)
    return model.to(memory_format=torch.channels_last) if recipe.channels_last else model


def parameter_count(model: nn.Module) -> int:
    """Return the number of the network's parameters, trainable or not."""
    return sum(parameter.numel() for parameter in model.parameters())


def multiply_adds(model: nn.Module, image_size: int) -> int:
    """Return the multiply-adds of one forward pass for one image (convolutions and matrix products).

    The network must be on the CPU or another device that computes; its mode is restored afterwards.
    """
    from torch.utils.flop_counter import FlopCounterMode

    device = next(model.parameters()).device
    image = torch.zeros(1, 3, image_size, image_size, device=device)
    with evaluation_mode(model), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(image)
    return int(counter.get_total_flops()) // 2
