"""Which layer of a network a parameter belongs to, counted from the input, for rates that differ by layer."""

from collections.abc import Iterator
from typing import Any

from torch import nn

from thumbnet.models import head_of
from thumbnet.models.heads import ClassifierHead


def layer_depths(model: nn.Module) -> dict[str, int]:
    """Return the layer of each parameter by name: 0 nearest to the input, the highest number is the head's.

    timm's networks say themselves what their layers are (`group_matcher`). In any other network a layer is a part that
    the network holds, in the order in which it holds them: of a Sequential, each of its parts; of anything else, the
    whole, such as a residual block. A part with nothing but norms' parameters belongs to the layer before it. The head
    is the last layer, and what lies outside of all parts belongs to the first.

    Raises:
        RecipeError: the network has no head.
    """
    if hasattr(model, "group_matcher"):
        return _timm_depths(model)
    head, _ = head_of(model)
    depths = dict.fromkeys((name for name, _ in model.named_parameters(recurse=False)), 0)
    depth = -1
    for name, part in _parts(model, "", head):
        parameters = list(part.named_parameters())
        if name == head or depth < 0 or any(parameter.ndim > 1 for _, parameter in parameters):
            depth += 1
        depths |= {f"{name}.{key}": depth for key, _ in parameters}
    return depths


def _timm_depths(model: Any) -> dict[str, int]:
    """Return what timm says of its network; a head of ours is where the network's own was, and as deep."""
    from timm.models import group_parameters

    put = next(((name, part) for name, part in model.named_modules() if isinstance(part, ClassifierHead)), None)
    if put is None:
        found: dict[str, int] = group_parameters(model, model.group_matcher(coarse=False), reverse=True)
        return found
    name, head = put
    model.set_submodule(name, nn.Linear(1, 1, bias=False))
    try:
        found = group_parameters(model, model.group_matcher(coarse=False), reverse=True)
    finally:
        model.set_submodule(name, head)
    depth = found.pop(f"{name}.weight")
    return found | {f"{name}.{key}": depth for key, _ in head.named_parameters()}


def _parts(module: nn.Module, place: str, head: str) -> Iterator[tuple[str, nn.Module]]:
    """Yield the parts of `module` that have parameters, with their names in the network; the head is one of them."""
    for key, child in module.named_children():
        name = f"{place}{key}"
        if next(child.parameters(), None) is None:
            continue
        if name != head and (isinstance(child, nn.Sequential) or head.startswith(f"{name}.")):
            yield from _parts(child, f"{name}.", head)
        else:
            yield name, child
