"""Networks of timm and torchvision, by their names in those libraries."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from thumbnet.errors import RecipeError, nearest

TIMM_PREFIX = "timm/"
TORCHVISION_PREFIX = "torchvision/"

_OPTIONS_OF_WEIGHTS = ("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "weights")
"""Options by which the libraries load weights; a recipe says that in one place."""

_PLAIN: Mapping[str, Mapping[str, object]] = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
}
"""Defaults of ours: no side classifiers, and torch's own initialisation (torchvision's takes long)."""


def check_timm(name: str, options: Mapping[str, Any]) -> None:
    """Check that timm has a network `name`, and that no option loads weights.

    Raises:
        RecipeError: it has none, or an option does.
    """
    import timm

    if not timm.is_model(name):
        raise RecipeError(f"model timm/{name} is unknown; {nearest(name, timm.list_models())[:300]}")
    _refuse_weights(TIMM_PREFIX + name, options)


def build_timm(name: str, options: Mapping[str, Any], classes: int) -> nn.Module:
    """Return timm's network `name` with `classes` outputs.

    Raises:
        RecipeError: timm refuses the options.
    """
    import timm

    try:
        model = timm.create_model(name, num_classes=classes, **options)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise RecipeError(f"model timm/{name}: timm refuses the options {dict(options)}: {error}") from error
    if not isinstance(model, nn.Module):
        raise RecipeError(f"model timm/{name}: timm returned {type(model).__name__}, not a network")
    return model


def torchvision_names() -> Sequence[str]:
    """Return the names of torchvision's classification networks, sorted."""
    import torchvision

    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return names


def check_torchvision(name: str, options: Mapping[str, Any]) -> None:
    """Check that torchvision has a classification network `name`, and that no option makes it unfit for training.

    Raises:
        RecipeError: it has none, or an option loads weights or adds side classifiers.
    """
    names = torchvision_names()
    if name not in names:
        raise RecipeError(f"model torchvision/{name} is unknown; {nearest(name, names)[:300]}")
    _refuse_weights(TORCHVISION_PREFIX + name, options)
    if options.get("aux_logits"):
        raise RecipeError(
            f"model torchvision/{name}: with side classifiers its output in training is not one tensor of logits; "
            "leave aux_logits out"
        )


def build_torchvision(name: str, options: Mapping[str, Any], classes: int) -> nn.Module:
    """Return torchvision's network `name` with `classes` outputs, without side classifiers.

    Raises:
        RecipeError: torchvision refuses the options.
    """
    import torchvision

    given = {**_PLAIN.get(name, {}), **options}
    try:
        model: nn.Module = torchvision.models.get_model(name, num_classes=classes, **given)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise RecipeError(
            f"model torchvision/{name}: torchvision refuses the options {dict(options)}: {error}"
        ) from error
    return model


def _refuse_weights(name: str, options: Mapping[str, Any]) -> None:
    for option in _OPTIONS_OF_WEIGHTS:
        if option in options:
            raise RecipeError(f"model {name}: the option {option!r} is not a recipe's; use model.weights")
