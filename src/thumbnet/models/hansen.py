"""Hansen's networks (Tiny ImageNet Challenge Submission, 2015, section 4.1): Caffe's AlexNet and what became of it.

The report trains in Caffe on crops of 60 pixels. Caffe subtracts the mean image from pixels of 0 to 255 and does not
scale them; a `normalization.std` of 1/255 gives the networks such inputs, which 'gaussian' was made for.
"""

from typing import Literal

import torch
from torch import nn

from thumbnet.errors import RecipeError
from thumbnet.models.activations import Activation, make_activation
from thumbnet.models.initialization import fan_in, he

Initialization = Literal["gaussian", "xavier", "he"]

_BIASES = (0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0)
"""What Caffe's model file fills the biases with, from the first convolution to the last fully connected layer."""


def alexnet(classes: int, image_size: int) -> nn.Module:
    """Return Caffe's AlexNet (bvlc_alexnet) with `classes` outputs, for crops of 60 pixels.

    conv11x11-96 stride 4, LRN, pool, conv5x5-256, LRN, pool, conv3x3-384, conv3x3-384, conv3x3-256, pool, FC4096,
    FC4096, FC-classes. ReLU follows every layer but the last, and comes before LRN (5 channels, alpha 1e-4, beta
    0.75); the second, fourth and fifth convolution have two groups; pools are 3x3 with stride 2 and round their size
    up; half of the outputs of the two hidden layers are dropped. Weights are normal with a standard deviation of 0.01
    (FC4096: 0.005), biases 0 or 0.1, as in Caffe's model file.

    At 60 pixels and 200 classes: 20,987,464 parameters, 54 million multiply-adds; sides 13, 6, 3, 1 after the first
    convolution and the pools. All of it is the report's, by reference to Caffe's file.
    """
    features = nn.Sequential(
        nn.Conv2d(3, 96, 11, stride=4),
        nn.ReLU(inplace=True),
        nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(96, 256, 5, padding=2, groups=2),
        nn.ReLU(inplace=True),
        nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        *_last_convolutions("relu"),
        nn.MaxPool2d(3, 2, ceil_mode=True),
    )
    model = _with_classifier("hansen-alexnet", features, classes, image_size, "relu")
    _initialise(model, "gaussian")
    return model


def alexnet_3x3(
    classes: int,
    image_size: int,
    *,
    activation: Activation = "relu",
    initialization: Initialization | None = None,
) -> nn.Module:
    """Return Hansen's AlexNet without normalisation layers, with smaller pools and mostly 3x3 filters.

    Args:
        classes: number of outputs.
        image_size: side of the input, in pixels (60 in the report).
        activation: in place of every ReLU; the report's best network has 'prelu'.
        initialization: 'gaussian' as `hansen-alexnet`; 'xavier' as Caffe has it, uniform in +-sqrt(3 / fan_in); 'he',
            normal with a standard deviation of sqrt(2 / fan_in), 0.01 in the last layer; `None` is 'xavier' with
            PReLU, as the report has it, and 'he' without. Biases are 0 but with 'gaussian'.

    From the report: no normalisation layers, a smaller pool, most filters 3x3; and its text keeps AlexNet's counts of
    layers. Its figure 2 is missing, so the rest was chosen: conv5x5-96 stride 2, pool, conv3x3-256, pool, conv3x3-384,
    conv3x3-384, conv3x3-256, pool, FC4096, FC4096, FC-classes, with AlexNet's groups and dropout and 2x2 pools; the
    first filters are small and of half the stride because 11x11 with stride 4 leaves just 13 pixels of 60. 'gaussian'
    is not the default: with inputs of unit variance it shrinks the signal at every layer, to a spread of 3e-5 between
    the logits of different images, and 400 iterations on 20 classes learned nothing, while 'he' learned at once.

    At 60 pixels and 200 classes: 36,491,848 parameters, 159 million multiply-adds; sides 28, 14, 7, 4 after the first
    convolution and the pools. With PReLU: 36,501,416 parameters.
    """
    features = nn.Sequential(
        nn.Conv2d(3, 96, 5, stride=2),
        make_activation(activation, 96),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Conv2d(96, 256, 3, padding=1, groups=2),
        make_activation(activation, 256),
        nn.MaxPool2d(2, ceil_mode=True),
        *_last_convolutions(activation),
        nn.MaxPool2d(2, ceil_mode=True),
    )
    model = _with_classifier("hansen-alexnet-3x3", features, classes, image_size, activation)
    _initialise(model, initialization or ("xavier" if activation == "prelu" else "he"))
    return model


def _last_convolutions(activation: Activation) -> list[nn.Module]:
    """Return AlexNet's third to fifth convolution, which have no pool between them."""
    layers: list[nn.Module] = []
    for before, after, groups in ((256, 384, 1), (384, 384, 2), (384, 256, 2)):
        layers += [nn.Conv2d(before, after, 3, padding=1, groups=groups), make_activation(activation, after)]
    return layers


def _with_classifier(
    name: str, features: nn.Sequential, classes: int, image_size: int, activation: Activation
) -> nn.Sequential:
    """Return `features` and AlexNet's three fully connected layers behind them."""
    try:
        with torch.no_grad():
            inputs = features(torch.zeros(1, 3, image_size, image_size)).numel()
    except RuntimeError as error:
        raise RecipeError(f"model {name}: images of {image_size} pixels are too small for it; 60 is usual") from error
    classifier = nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, 4096),
        make_activation(activation, 4096),
        nn.Dropout(0.5),
        nn.Linear(4096, 4096),
        make_activation(activation, 4096),
        nn.Dropout(0.5),
        nn.Linear(4096, classes),
    )
    return nn.Sequential(features, classifier)


def _initialise(model: nn.Module, scheme: Initialization) -> None:
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    for layer, bias in zip(layers, _BIASES, strict=True):
        hidden = isinstance(layer, nn.Linear) and layer is not layers[-1]
        if scheme == "gaussian":
            nn.init.normal_(layer.weight, std=0.005 if hidden else 0.01)
        elif scheme == "xavier":
            bound = (3 / fan_in(layer.weight)) ** 0.5
            nn.init.uniform_(layer.weight, -bound, bound)
        elif layer is layers[-1]:
            nn.init.normal_(layer.weight, std=0.01)
        else:
            he(layer.weight)
        nn.init.constant_(layer.get_parameter("bias"), bias if scheme == "gaussian" else 0.0)
