"""The one table of networks.

A network is a function `(classes, image_size, *, options) -> torch.nn.Module`; its module maps images
`f[B,3,image_size,image_size]` to logits `f[B,classes]`. A new network is one file and one line in `MODELS`.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from thumbnet.errors import RecipeError, nearest
from thumbnet.models import resnet, small, ting
from thumbnet.recipe import Model
from thumbnet.registry import Registry

MODELS: Registry[nn.Module] = Registry(
    "model",
    {
        "m1": ting.m1,
        "m4": ting.m4,
        "resnet18": resnet.resnet18,
        "small": small.small,
    },
)

TIMM_PREFIX = "timm/"


def model_names() -> list[str]:
    """Return the names of the networks in the table, sorted (timm's come on top of them)."""
    return MODELS.names()


def check_model(model: Model) -> None:
    """Check that `model` names a network and options that exist, without building it.

    Raises:
        RecipeError: an unknown network or option (with the nearest names), or a value of the wrong type.
    """
    if model.name.startswith(TIMM_PREFIX):
        _check_timm(model.name.removeprefix(TIMM_PREFIX))
    else:
        MODELS.check(model.name, model.options)


def build_model(model: Model, classes: int, image_size: int) -> nn.Module:
    """Return the network that `model` names, freshly initialised from torch's global generator.

    Args:
        model: name and options.
        classes: number of outputs.
        image_size: side of the square input images, in pixels.

    Raises:
        RecipeError: an unknown name or option, or options that the network refuses.
    """
    if model.name.startswith(TIMM_PREFIX):
        return _build_timm(model.name.removeprefix(TIMM_PREFIX), model.options, classes)
    return MODELS.call(model.name, model.options, classes, image_size)


def _check_timm(name: str) -> None:
    import timm

    if not timm.is_model(name):
        raise RecipeError(f"model timm/{name} is unknown; {nearest(name, timm.list_models())[:300]}")


def _build_timm(name: str, options: Mapping[str, Any], classes: int) -> nn.Module:
    import timm

    _check_timm(name)
    try:
        model = timm.create_model(name, num_classes=classes, **options)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise RecipeError(f"model timm/{name}: timm refuses the options {dict(options)}: {error}") from error
    if not isinstance(model, nn.Module):
        raise RecipeError(f"model timm/{name}: timm returned {type(model).__name__}, not a network")
    return model
