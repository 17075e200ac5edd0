"""Ways to draw the weights of a kind of layer, in place of the network's own."""

from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from thumbnet.errors import RecipeError

_KINDS: Mapping[str, type[nn.Module]] = {"conv": _ConvNd, "linear": nn.Linear}


def xavier(weight: torch.Tensor) -> None:
    """Draw from the uniform distribution in +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    nn.init.xavier_uniform_(weight)


def he(weight: torch.Tensor) -> None:
    """Draw from the normal distribution with a standard deviation of sqrt(2 / fan_in) (He et al. 2015)."""
    nn.init.kaiming_normal_(weight, mode="fan_in", nonlinearity="relu")


def gaussian(weight: torch.Tensor) -> None:
    """Draw from the normal distribution with a standard deviation of 0.01."""
    nn.init.normal_(weight, std=0.01)


def uniform(weight: torch.Tensor) -> None:
    """Draw from the uniform distribution in +-1 / sqrt(fan_in)."""
    bound = fan_in(weight) ** -0.5
    nn.init.uniform_(weight, -bound, bound)


def zero(weight: torch.Tensor) -> None:
    """Set to zero."""
    nn.init.zeros_(weight)


SCHEMES: Mapping[str, Callable[[torch.Tensor], None]] = {
    "xavier": xavier,
    "he": he,
    "gaussian": gaussian,
    "uniform": uniform,
    "zero": zero,
}
"""Schemes by name. `fan_in` is the number of inputs of one output (in a grouped convolution, of its group), `fan_out`
the number of output channels times the size of the filter."""


def fan_in(weight: torch.Tensor) -> int:
    """Return how many inputs each output of a layer with `weight` f[outputs,inputs,...] is made of."""
    return weight[0].numel()


def initialize(model: nn.Module, schemes: Mapping[str, str]) -> None:
    """Draw the weights of the layers of each kind of `schemes` anew, from torch's global generator.

    Layers are drawn in the order of `model.modules()`. Kind 'conv' is every convolution, 'linear' every fully
    connected layer; biases, normalisation layers and all other parameters stay as they are, and so does a kind whose
    scheme is 'default'.

    Raises:
        RecipeError: the network has no layer of a kind.
    """
    wanted = {kind: scheme for kind, scheme in schemes.items() if scheme != "default"}
    for kind in wanted:
        if not any(isinstance(module, _KINDS[kind]) for module in model.modules()):
            raise RecipeError(f"model.initialization.{kind}: the network has no layer of this kind; leave it out")
    for module in model.modules():
        for kind, scheme in wanted.items():
            if isinstance(module, _KINDS[kind]):
                SCHEMES[scheme](module.get_parameter("weight"))
