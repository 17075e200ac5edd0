"""How the images were prepared that a network's pretrained weights have seen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from thumbnet.errors import RecipeError
from thumbnet.models.libraries import TIMM_PREFIX, TORCHVISION_PREFIX
from thumbnet.models.pretrained import check_weights
from thumbnet.recipe import Model
from thumbnet.run import RunDirectory

Interpolation = Literal["bilinear", "bicubic"]

_TRANSFORMING = (f"{TORCHVISION_PREFIX}googlenet", f"{TORCHVISION_PREFIX}inception_v3")
"""Networks that torchvision builds with `transform_input` where it gives them weights, and without it elsewhere.

With it, the network itself brings images in ImageNet's normalisation to [-1, 1], which its first layer was trained on.
"""

_TRANSFORM = "transform_input"

_HALF = (0.5, 0.5, 0.5)


class OwnPreprocessing(NamedTuple):
    """Side of the images in pixels, the resize that brings them to it, and mean and deviation of values in [0, 1]."""

    image_size: int
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def published_options(name: str) -> dict[str, object]:
    """Return the options with which the library of the network `name` gives it its ImageNet weights."""
    return {_TRANSFORM: True} if name in _TRANSFORMING else {}


def check_input(model: Model) -> None:
    """Check that `model` says whether its network transforms its input, where its weights and its default may differ.

    Raises:
        RecipeError: it does not say so, or otherwise than the run that it starts from.
        RunError: `model.init` names a folder that is no run.
    """
    if model.name not in _TRANSFORMING or (model.weights is None and model.init is None):
        return
    run = None if model.init is None else RunDirectory.behind(Path(model.init.path))
    if run is not None:
        needed = bool(run.recipe().model.options.get(_TRANSFORM, False))
        if bool(model.options.get(_TRANSFORM, False)) != needed:
            raise RecipeError(
                f"model {model.name}: the network of {run.path} has {_TRANSFORM}={needed}; "
                f"set model.options.{_TRANSFORM}={str(needed).lower()}"
            )
    elif _TRANSFORM not in model.options:
        raise RecipeError(
            f"model {model.name}: torchvision's weights are of a network that itself brings images in ImageNet's "
            f"normalisation to [-1, 1]; set model.options.{_TRANSFORM}=true (false where the recipe's does so)"
        )


def own_preprocessing(model: Model) -> OwnPreprocessing:
    """Return the preprocessing of the weights that `model` starts from.

    timm and torchvision state it beside their weights; torchvision's size is that of the crop, for small images are
    enlarged whole. Weights from a run, or from a file of one, are taken as prepared by that run's recipe, weights from
    another file as those of the network's library.

    Raises:
        RecipeError: the network has no weights of its own, or theirs is a preprocessing that recipes cannot state.
        RunError: `model.init` names a folder that is no run.
    """
    run = None if model.init is None else RunDirectory.behind(Path(model.init.path))
    if run is not None:
        return _of_run(run)
    if model.weights is None and model.init is None:
        raise RecipeError(
            f"preprocessing: 'network' is that of pretrained weights, and {model.name} starts from none; "
            "set model.weights or model.init, or preprocessing='recipe'"
        )
    if model.weights != "package":
        check_weights(Model(model.name, model.options, weights="imagenet"))
    if model.name.startswith(TIMM_PREFIX):
        return _of_timm(model.name)
    own = _of_torchvision(model.name)
    if model.name in _TRANSFORMING and not model.options.get(_TRANSFORM, False):
        return own._replace(mean=_HALF, std=_HALF)
    return own


def _of_run(run: RunDirectory) -> OwnPreprocessing:
    recipe = run.recipe()
    size = recipe.judged_size(int(run.data()["image_size"]))
    return OwnPreprocessing(size, recipe.interpolation, recipe.normalization.mean, recipe.normalization.std)


def _of_timm(name: str) -> OwnPreprocessing:
    import timm

    config: Any = timm.get_pretrained_cfg(name.removeprefix(TIMM_PREFIX))
    return _checked(name, config.input_size[1:], config.interpolation, config.mean, config.std)


def _of_torchvision(name: str) -> OwnPreprocessing:
    import torchvision

    weights = torchvision.models.get_model_weights(name.removeprefix(TORCHVISION_PREFIX)).DEFAULT
    stated = weights.transforms()
    return _checked(name, stated.crop_size, stated.interpolation.value, stated.mean, stated.std)


def _checked(
    name: str, size: Sequence[int], interpolation: str, mean: Sequence[float], std: Sequence[float]
) -> OwnPreprocessing:
    if interpolation not in ("bilinear", "bicubic") or len({*size}) != 1 or len(mean) != 3:
        shape = "x".join(str(side) for side in size)
        raise RecipeError(
            f"preprocessing: the weights of {name} want images of {shape} pixels, resized by {interpolation!r}; a "
            "recipe has squares of three colours, 'bilinear' or 'bicubic'; set preprocessing='recipe' and the nearest"
        )
    red, green, blue = (float(value) for value in mean)
    deviations = cast(tuple[float, float, float], tuple(float(value) for value in std))
    return OwnPreprocessing(size[0], cast(Interpolation, interpolation), (red, green, blue), deviations)
