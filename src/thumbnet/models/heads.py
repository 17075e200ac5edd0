"""The head of a network: what turns its features into logits, and the network without it."""

from torch import nn

from thumbnet.errors import RecipeError
from thumbnet.models.parts import last_layer
from thumbnet.recipe import Head


class ClassifierHead(nn.Sequential):
    """A head of several layers in the place of a network's last one; maps features f[B,D] to logits f[B,classes]."""


def head_of(model: nn.Module) -> tuple[str, nn.Module]:
    """Return the name and the module of the network's head: its `ClassifierHead`, else its last fully connected layer.

    What goes into this module are the network's features, f[B,D].

    Raises:
        RecipeError: the network has neither, or several classifiers, of which none alone is its head.
    """
    for name, module in model.named_modules():
        if isinstance(module, ClassifierHead):
            return name, module
    _check_single(model)
    return last_layer(model)


def put_head(model: nn.Module, head: Head, classes: int) -> None:
    """Put the layers that `head` states in the place of the network's last fully connected layer.

    A head of one layer without dropout is the network's own. New layers are drawn as torch draws them, from its global
    generator; a head that starts as the classifier keeps the network's last layer.

    Raises:
        RecipeError: the network has no fully connected layer that gives the logits of `classes` classes, or several
            classifiers.
    """
    if head.hidden == 0 and head.dropout == 0:
        return
    _check_single(model)
    name, last = last_layer(model)
    if last.out_features != classes:
        raise RecipeError(
            f"model.head: the network's last fully connected layer, {name}, has {last.out_features} outputs and gives "
            f"no logits of {classes} classes; leave out hidden and dropout"
        )
    dropout = nn.Dropout(head.dropout)
    if head.hidden:
        hidden = nn.Linear(last.in_features, head.hidden)
        layers = (hidden, nn.ReLU(inplace=True), dropout, nn.Linear(head.hidden, classes))
        model.set_submodule(name, ClassifierHead(*layers))
        return
    own = last if head.start == "classifier" else nn.Linear(last.in_features, classes, last.bias is not None)
    model.set_submodule(name, ClassifierHead(dropout, own))


def several_classifiers(model: nn.Module) -> list[str]:
    """Return the names of a network's classifiers where it is timm's and has several, as distilled ones have."""
    config = getattr(model, "pretrained_cfg", None)
    stated = config.get("classifier") if isinstance(config, dict) else None
    parts = dict(model.named_modules())
    found = [name for name in stated if name in parts] if isinstance(stated, list | tuple) else []
    return found if len(found) > 1 else []


def _check_single(model: nn.Module) -> None:
    found = several_classifiers(model)
    if found:
        raise RecipeError(
            f"{type(model).__name__}: the network has {len(found)} classifiers ({', '.join(found)}), of which none "
            "alone is its head; train all of it with the head that it has, or choose a network with one"
        )
