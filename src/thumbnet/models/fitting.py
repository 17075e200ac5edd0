"""Fitting a state dict to a network: what may stay fresh, and what is said of the rest."""

import re
from collections.abc import Collection, Iterable, Mapping

from torch import Tensor, nn

from thumbnet.errors import RecipeError
from thumbnet.models.heads import head_of

IMAGENET_CLASSES = 1000
"""Outputs of a classifier that was trained on ImageNet."""

_COUNTER = ".num_batches_tracked"
"""Ends the name of batch norm's counter, which older state dicts lack."""

_NAMED = 3


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
        RecipeError: anything else does not fit; the message counts and names what.
    """
    head = _head_name(network)
    own = network.state_dict()
    ours, theirs = _by_layer(own, head), _by_layer(state, head)
    our_head, their_head = ([name for name in names if _inside(name, head)] for names in (ours, theirs))
    if rows is not None:
        theirs.update(_chosen_rows(theirs, our_head, rows, where))
    fresh: set[str] = set()
    if not with_head or (their_head and len(_layers(our_head)) != len(_layers(their_head))):
        fresh = set(our_head)
        theirs = {name: tensor for name, tensor in theirs.items() if not _inside(name, head)}
    candidates = our_head if head else list(ours)
    fresh |= {name for name in candidates if name in theirs and _other_classes(ours[name], theirs[name], classes)}
    fresh |= {name for name in ours if name.endswith(_COUNTER) and name not in theirs}
    misfit = _misfit(ours, theirs, fresh)
    if misfit:
        raise RecipeError(f"{key}: {where} does not fit the network, of whose {len(ours)} tensors: {misfit}")
    # Into its own state dict, whose notes on versions some networks ask for.
    own.update({key: theirs[name] for key, name in zip(own, ours, strict=True) if name not in fresh})
    network.load_state_dict(own)


def _head_name(network: nn.Module) -> str:
    """Return the name of the network's head, or '' for a network that ends otherwise (in a convolution, say)."""
    try:
        return head_of(network)[0]
    except RecipeError:
        return ""


def _inside(name: str, head: str) -> bool:
    return bool(head) and name.startswith(f"{head}.")


def _layers(names: Iterable[str]) -> list[str]:
    """Return the layers of these tensors in their order: 'fc.2' before 'fc.10'."""
    found = {name.rpartition(".")[0] for name in names}
    return sorted(found, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)])


def _by_layer(state: Mapping[str, Tensor], head: str) -> dict[str, Tensor]:
    """Return `state` with the head's layers counted: 'fc.weight' and 'fc.1.weight' both become 'fc.0.weight'."""
    layers = _layers(name for name in state if _inside(name, head))
    renamed = {}
    for name, tensor in state.items():
        layer, _, kind = name.rpartition(".")
        renamed[f"{head}.{layers.index(layer)}.{kind}" if _inside(name, head) else name] = tensor
    return renamed


def _other_classes(own: Tensor, given: Tensor, classes: int) -> bool:
    """Return whether the shapes differ in the first dimension alone, which is the number of classes here."""
    return own.shape != given.shape and own.shape[:1] == (classes,) and own.shape[1:] == given.shape[1:]


def _chosen_rows(theirs: Mapping[str, Tensor], names: Collection[str], rows: Tensor, where: str) -> dict[str, Tensor]:
    if any(name not in theirs or len(theirs[name]) != IMAGENET_CLASSES for name in names):
        raise RecipeError(
            f"model.head.start: {where} has no classifier of ImageNet's {IMAGENET_CLASSES:,} classes; "
            "use start='fresh'"
        )
    return {name: theirs[name][rows] for name in names}


def _misfit(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], fresh: Collection[str]) -> str:
    """Return which tensors are missing, too many or of another shape; '' where all fit."""
    missing = [name for name in ours if name not in theirs and name not in fresh]
    unexpected = [name for name in theirs if name not in ours]
    other = [
        f"{name} {list(theirs[name].shape)} instead of {list(ours[name].shape)}"
        for name in ours
        if name in theirs and name not in fresh and theirs[name].shape != ours[name].shape
    ]
    if not (missing or unexpected or other):
        return ""
    kinds = (("missing", missing), ("unexpected", unexpected), ("of other shape", other))
    return "; ".join(f"{len(found)} {kind}{_first(found)}" for kind, found in kinds)


def _first(names: list[str]) -> str:
    if not names:
        return ""
    rest = ", ..." if len(names) > _NAMED else ""
    return f" ({', '.join(names[:_NAMED])}{rest})"
