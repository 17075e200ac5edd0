"""The parts of a network in the order in which they work on an image."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from thumbnet.models import evaluation_mode


class Part(NamedTuple):
    """A part as it ran: its name, itself, the shape of its output (of several, none), and how often it ran before."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]
    before: int

    @property
    def is_map(self) -> bool:
        """Whether its output is a square feature map of more than one pixel, f[B,C,h,h]."""
        return len(self.shape) == 4 and self.shape[2] == self.shape[3] > 1


def run_parts(model: nn.Module, image: Tensor, *, all_levels: bool = True) -> list[Part]:
    """Return the parts of `model` in the order in which they end their work on `image` f[1,3,S,S].

    Args:
        model: the network.
        image: as the network takes it.
        all_levels: whether parts count that consist of parts, such as a residual block.
    """
    found: list[Part] = []
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Identity):
            continue  # gives what the part before it gave
        if name and (all_levels or next(module.children(), None) is None):
            hooks.append(module.register_forward_hook(_noting(name, found)))
    try:
        with torch.no_grad(), evaluation_mode(model):
            model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _noting(name: str, found: list[Part]) -> Any:
    def note(module: nn.Module, _inputs: object, output: object) -> None:
        before = sum(part.module is module for part in found)
        found.append(Part(name, module, tuple(output.shape) if isinstance(output, Tensor) else (), before))

    return note
