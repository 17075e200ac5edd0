"""The one table of networks.

A network is a function `(classes, image_size, *, options) -> torch.nn.Module`; its module maps images
`f[B,3,image_size,image_size]` to logits `f[B,classes]`. A new network is one file and one line in `MODELS`.
"""

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from thumbnet.models import hansen, libraries, milani, mkrtchyan, resnet, small, ting, yu
from thumbnet.models.heads import put_head
from thumbnet.models.initialization import initialize
from thumbnet.models.libraries import TIMM_PREFIX, TORCHVISION_PREFIX
from thumbnet.models.preprocessing import check_input
from thumbnet.models.pretrained import check_weights, classifier_rows, load_weights
from thumbnet.models.stored import load_init
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
        RecipeError: an unknown network or option (with the nearest names), a value of the wrong type, weights that
            the network does not have, or an option that must be stated beside them.
        RunError: `model.init` names a folder that is no run.
    """
    if model.name.startswith(TIMM_PREFIX):
        libraries.check_timm(model.name.removeprefix(TIMM_PREFIX), model.options)
    elif model.name.startswith(TORCHVISION_PREFIX):
        libraries.check_torchvision(model.name.removeprefix(TORCHVISION_PREFIX), model.options)
    else:
        MODELS.check(model.name, model.options)
    check_weights(model)
    check_input(model)


def build_model(model: Model, classes: int, image_size: int, *, class_ids: Sequence[str] = ()) -> nn.Module:
    """Return the network that `model` names, with fresh weights from torch's global generator or pretrained ones.

    Args:
        model: name, options, initialisation, weights and head. Where stored weights will replace all of them, give
            `without_weights(model)`, so that nothing is read or downloaded: the network is the same.
        classes: number of outputs.
        image_size: side of the square input images, in pixels.
        class_ids: what the classes are called, in order; needed with `model.init`, and where the head starts as the
            classifier.

    Raises:
        RecipeError: an unknown name or option, options that the network refuses, weights that cannot be had or do
            not fit, or a class that the classifier does not know.
    """
    check_model(model)
    assert len(class_ids) == classes or (model.init is None and model.head.start == "fresh")
    network = _build(model, classes, image_size)
    rows = classifier_rows(class_ids) if model.head.start == "classifier" else None
    if model.weights is not None:
        load_weights(network, model, classes, rows)
    put_head(network, model.head, classes)
    if model.init is not None:
        load_init(network, model.init, class_ids, rows)
    initialize(network, model.initialization)
    return network


def without_weights(model: Model) -> Model:
    """Return the same network with fresh weights, for stored ones to replace."""
    return replace(model, weights=None, init=None, head=replace(model.head, start="fresh"))


def _build(model: Model, classes: int, image_size: int) -> nn.Module:
    if model.name.startswith(TIMM_PREFIX):
        return libraries.build_timm(model.name.removeprefix(TIMM_PREFIX), model.options, classes)
    if model.name.startswith(TORCHVISION_PREFIX):
        return libraries.build_torchvision(model.name.removeprefix(TORCHVISION_PREFIX), model.options, classes)
    return MODELS.call(model.name, model.options, classes, image_size)
