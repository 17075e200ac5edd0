"""Activation functions by name, for every network that lets a recipe choose."""

from collections.abc import Callable, Mapping
from typing import Literal

from torch import nn

Activation = Literal["relu", "leaky_relu", "elu", "prelu"]
"""Names of activation functions."""

ACTIVATIONS: Mapping[Activation, Callable[[int], nn.Module]] = {
    "relu": lambda _: nn.ReLU(inplace=True),
    "leaky_relu": lambda _: nn.LeakyReLU(0.01, inplace=True),
    "elu": lambda _: nn.ELU(1.0, inplace=True),
    "prelu": nn.PReLU,
}
"""Makers of activation functions; each takes the number of channels that it will act on.

'leaky_relu' has a slope of 0.01 below zero, 'elu' falls to -1, 'prelu' has a slope for each channel that is learned
and starts at 0.25 (He et al. 2015, Delving Deep into Rectifiers).
"""


def make_activation(name: Activation, channels: int) -> nn.Module:
    """Return a new activation function called `name`, for `channels` channels."""
    return ACTIVATIONS[name](channels)
