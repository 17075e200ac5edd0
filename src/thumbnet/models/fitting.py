"""Fitting a state dict to a network: what may stay fresh, and what is said of the rest."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from thumbnet.errors import RecipeError
from thumbnet.models.heads import head_of, several_classifiers

IMAGENET_CLASSES = 1000
"""Outputs of a classifier that was trained on ImageNet."""

_COUNTER = ".num_batches_tracked"
"""Ends the name of batch norm's counter, which older state dicts lack."""

_FIRST = 3


class _Named(NamedTuple):
    """A tensor and what it is called in its own state dict."""

    name: str
    tensor: Tensor


def fit(
    network: nn.Module,
    state: Mapping[str, Tensor],
    where: str,
    classes: int,
    *,
    rows: Tensor | None = None,
    with_head: bool = True,
    key: str = "model.init",
) -> None:
    """Load `state` into `network`, whole but for its head where that is another one.

    The head's layers are matched in their order, whatever stands between them. They stay fresh where `state` has
    another number of them; a tensor of theirs stays fresh where its shape differs in the number of classes alone.

    Args:
        network: the network.
        state: tensors by name.
        where: names the file in messages.
        classes: outputs of the network.
        rows: i64[classes], rows of the 1,000-way classifier in `state` that the head takes.
        with_head: whether the head is loaded at all.
        key: setting that names the weights, for messages.

    Raises:
        RecipeError: anything else does not fit (the message counts and names what), or a tensor is not dense, not
            finite or of another kind of numbers; with `rows`, also where the network has no head.
    """
    head = _head_name(network) if rows is None else head_of(network)[0]
    own = network.state_dict()
    ours, theirs = _by_layer(own, head), _by_layer(state, head)
    _check_dense(theirs, where, key)
    our_head, their_head = ([name for name in names if _inside(name, head)] for names in (ours, theirs))
    if rows is not None:
        theirs.update(_chosen_rows(theirs, our_head, rows, where))
    fresh: set[str] = set()
    if not with_head or (their_head and len(_layers(our_head)) != len(_layers(their_head))):
        fresh = set(our_head)
        theirs = {name: one for name, one in theirs.items() if not _inside(name, head)}
    if not with_head and not head:
        fresh = _ending(network, list(own), where, key)
        theirs = {name: one for name, one in theirs.items() if name not in fresh}
    candidates = our_head if head else list(ours)
    fresh |= {name for name in candidates if name in theirs and _other_classes(ours[name], theirs[name], classes)}
    fresh |= {name for name in ours if name.endswith(_COUNTER) and name not in theirs}
    misfit = _misfit(ours, theirs, fresh)
    if misfit:
        raise RecipeError(f"{key}: {where} does not fit the network, of whose {len(ours)} tensors: {misfit}")
    loaded = {name: theirs[name] for name in ours if name not in fresh}
    _check_numbers(ours, loaded, where, key)
    # Into its own state dict, whose notes on versions some networks ask for.
    own.update({ours[name].name: one.tensor for name, one in loaded.items()})
    network.load_state_dict(own)


def named_as_in(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `state` with the tensors of its head under the names that `network` has for them.

    The head's layers are matched in their order, whatever stands between them; what has no match keeps its name.
    """
    head = _head_name(network)
    own = _by_layer(network.state_dict(), head)
    return {
        own[counted].name if counted in own else one.name: one.tensor
        for counted, one in _by_layer(state, head).items()
    }


def _head_name(network: nn.Module) -> str:
    """Return the name of the network's head, or '' for a network that ends otherwise (in a convolution, say)."""
    try:
        return head_of(network)[0]
    except RecipeError:
        return ""


def _ending(network: nn.Module, names: Sequence[str], where: str, key: str) -> set[str]:
    """Return the tensors that give the logits of a network without a head of its own: of all its classifiers.

    Raises:
        RecipeError: they cannot be told, so that weights of other classes would be kept.
    """
    ends = several_classifiers(network)
    if not ends:
        raise RecipeError(
            f"{key}: {where} is of other classes, and the network ends in no fully connected layer that could begin "
            "anew; choose a network that does"
        )
    return {name for name in names if any(_inside(name, one) for one in ends)}


def _inside(name: str, head: str) -> bool:
    return bool(head) and name.startswith(f"{head}.")


def _layers(names: Iterable[str]) -> list[str]:
    """Return the layers of these tensors in their order: 'fc.2' before 'fc.10'."""
    found = {name.rpartition(".")[0] for name in names}
    return sorted(found, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)])


def _by_layer(state: Mapping[str, Tensor], head: str) -> dict[str, _Named]:
    """Return `state` with the head's layers counted: 'fc.weight' and 'fc.1.weight' both are under 'fc.0.weight'."""
    layers = _layers(name for name in state if _inside(name, head))
    counted = {}
    for name, tensor in state.items():
        layer, _, kind = name.rpartition(".")
        counted[f"{head}.{layers.index(layer)}.{kind}" if _inside(name, head) else name] = _Named(name, tensor)
    return counted


def _other_classes(own: _Named, given: _Named, classes: int) -> bool:
    """Return whether the shapes differ in the first dimension alone, which is the number of classes here."""
    ours, theirs = own.tensor.shape, given.tensor.shape
    return ours != theirs and ours[:1] == (classes,) and ours[1:] == theirs[1:]


def _chosen_rows(theirs: Mapping[str, _Named], names: Collection[str], rows: Tensor, where: str) -> dict[str, _Named]:
    if any(name not in theirs or theirs[name].tensor.shape[:1] != (IMAGENET_CLASSES,) for name in names):
        raise RecipeError(
            f"model.head.start: {where} has no classifier of ImageNet's {IMAGENET_CLASSES:,} classes; "
            "use start='fresh'"
        )
    return {name: _Named(theirs[name].name, theirs[name].tensor[rows]) for name in names}


def _check_dense(theirs: Mapping[str, _Named], where: str, key: str) -> None:
    """Check that every tensor is an array of numbers in memory, which can be compared and copied."""
    for name, tensor in theirs.values():
        if tensor.is_meta or tensor.is_quantized or tensor.is_nested or tensor.layout != torch.strided:
            kinds = {"meta": tensor.is_meta, "quantised": tensor.is_quantized, "nested": tensor.is_nested}
            kind = next((kind for kind, holds in kinds.items() if holds), "sparse")
            raise RecipeError(f"{key}: {where} holds a {kind} tensor under {name!r}; give dense ones")


def _check_numbers(ours: Mapping[str, _Named], loaded: Mapping[str, _Named], where: str, key: str) -> None:
    """Check that tensors are of real numbers where the network's are, of whole ones where its are, and all finite."""
    for counted, (name, tensor) in loaded.items():
        own = ours[counted].tensor
        if tensor.is_floating_point() != own.is_floating_point() or tensor.is_complex() != own.is_complex():
            kinds = " instead of ".join(str(one.dtype).removeprefix("torch.") for one in (tensor, own))
            raise RecipeError(f"{key}: {where} holds {kinds} under {name!r}; give the network's own weights")
        strange = int((~torch.isfinite(tensor.to(own.dtype))).sum())
        if strange:
            raise RecipeError(
                f"{key}: {where} holds {strange:,} of {tensor.numel():,} numbers that are not finite under {name!r}; "
                "give weights of before training failed"
            )


def _misfit(ours: Mapping[str, _Named], theirs: Mapping[str, _Named], fresh: Collection[str]) -> str:
    """Return which tensors are missing, too many or of another shape; '' where all fit."""
    missing = [one.name for name, one in ours.items() if name not in theirs and name not in fresh]
    unexpected = [one.name for name, one in theirs.items() if name not in ours]
    other = [
        f"{theirs[name].name} {list(theirs[name].tensor.shape)} instead of {list(own.tensor.shape)}"
        for name, own in ours.items()
        if name in theirs and name not in fresh and theirs[name].tensor.shape != own.tensor.shape
    ]
    if not (missing or unexpected or other):
        return ""
    kinds = (("missing", missing), ("unexpected", unexpected), ("of other shape", other))
    return "; ".join(f"{len(found)} {kind}{_first(found)}" for kind, found in kinds)


def _first(names: list[str]) -> str:
    if not names:
        return ""
    rest = ", ..." if len(names) > _FIRST else ""
    return f" ({', '.join(names[:_FIRST])}{rest})"
