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


class OwnPreprocessing(NamedTuple):
    """Side of the images in pixels, the resize that brings them to it, and mean and deviation of values in [0, 1]."""

    image_size: int
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def own_preprocessing(model: Model) -> OwnPreprocessing:
    """Return the preprocessing of the weights that `model` starts from.

    timm and torchvision state it beside their weights; torchvision's size is that of the crop, for small images are
    enlarged whole. Weights from a file are taken as those of the network's library, weights from a run as prepared by
    that run's recipe.

    Raises:
        RecipeError: the network has no weights of its own, or theirs is a preprocessing that recipes cannot state.
        RunError: `model.init` names a folder that is no run.
    """
    if model.init is not None and Path(model.init.path).is_dir():
        return _of_run(RunDirectory.open(Path(model.init.path)))
    if model.weights is None and model.init is None:
        raise RecipeError(
            f"preprocessing: 'network' is that of pretrained weights, and {model.name} starts from none; "
            "set model.weights or model.init, or preprocessing='recipe'"
        )
    if model.weights != "package":
        check_weights(Model(model.name, model.options, weights="imagenet"))
    if model.name.startswith(TIMM_PREFIX):
        return _of_timm(model.name)
    return _of_torchvision(model.name)


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
