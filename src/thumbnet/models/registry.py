"""The one table of networks.

A network is a function `(classes, image_size, *, options) -> torch.nn.Module`; its module maps images
`f[B,3,image_size,image_size]` to logits `f[B,classes]`. A new network is one file and one line in `MODELS`.
"""

from torch import nn

from thumbnet.models import hansen, libraries, milani, mkrtchyan, resnet, small, ting, yu
from thumbnet.models.initialization import initialize
from thumbnet.models.libraries import TIMM_PREFIX, TORCHVISION_PREFIX
from thumbnet.models.pretrained import check_weights, load_weights
from thumbnet.recipe import Model
from thumbnet.registry import Registry

MODELS: Registry[nn.Module] = Registry(
    "model",
    {
        "hansen-alexnet": hansen.alexnet,
        "hansen-alexnet-3x3": hansen.alexnet_3x3,
        "m1": ting.m1,
        "m4": ting.m4,
        "milani-inception": milani.inception,
        "mkrtchyan-alexnet": mkrtchyan.alexnet,
        "resnet18": resnet.resnet18,
        "resnet34": resnet.resnet34,
        "small": small.small,
        "yu-alexnet": yu.alexnet,
        "yu-resnet20": yu.resnet20,
        "yu-vgg": yu.vgg,
    },
)


def model_names() -> list[str]:
    """Return the names of the networks in the table, sorted (timm's and torchvision's come on top of them)."""
    return MODELS.names()


def check_model(model: Model) -> None:
    """Check that `model` names a network, options and weights that exist, without building or loading anything.

    Raises:
        RecipeError: an unknown network or option (with the nearest names), a value of the wrong type, or weights
            that the network does not have.
    """
    if model.name.startswith(TIMM_PREFIX):
        libraries.check_timm(model.name.removeprefix(TIMM_PREFIX), model.options)
    elif model.name.startswith(TORCHVISION_PREFIX):
        libraries.check_torchvision(model.name.removeprefix(TORCHVISION_PREFIX), model.options)
    else:
        MODELS.check(model.name, model.options)
    check_weights(model)


def build_model(model: Model, classes: int, image_size: int) -> nn.Module:
    """Return the network that `model` names, with fresh weights from torch's global generator or pretrained ones.

    Args:
        model: name, options, initialisation and weights. Where a run's own weights will replace all of them, leave
            `model.weights` out, so that nothing is downloaded: the network is the same.
        classes: number of outputs.
        image_size: side of the square input images, in pixels.

    Raises:
        RecipeError: an unknown name or option, options that the network refuses, or weights that cannot be had.
    """
    check_model(model)
    network = _build(model, classes, image_size)
    if model.weights is not None:
        load_weights(network, model, classes)
    initialize(network, model.initialization)
    return network


def _build(model: Model, classes: int, image_size: int) -> nn.Module:
    if model.name.startswith(TIMM_PREFIX):
        return libraries.build_timm(model.name.removeprefix(TIMM_PREFIX), model.options, classes)
    if model.name.startswith(TORCHVISION_PREFIX):
        return libraries.build_torchvision(model.name.removeprefix(TORCHVISION_PREFIX), model.options, classes)
    return MODELS.call(model.name, model.options, classes, image_size)
