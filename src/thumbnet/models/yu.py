"""Yu's networks (Convolutional Neural Networks for Tiny ImageNet Classification, 2017): a poster with two tables."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from thumbnet.errors import RecipeError
from thumbnet.models.initialization import initialize


def alexnet(classes: int, image_size: int) -> nn.Module:
    """Return Yu's AlexNet of reduced capacity (table 2), with `classes` outputs.

    conv3x3-64 twice, pool, batch norm, conv3x3-128, pool, batch norm, conv3x3-256 twice, pool, FC1024 twice,
    FC-classes.
    From the report: the layers and the sizes of their outputs. Chosen: 3x3 filters (the sizes of the outputs ask for
    padding, not for a filter), ReLU after every convolution and hidden layer, and weights from He's normal
    distribution over the fan-in, but for the last layer, which starts as torch draws it.

    At 64 pixels and 200 classes: 19,031,048 parameters, 478 million multiply-adds; outputs 64x64x64, 64x64x64,
    32x32x64, 32x32x128, 16x16x128, 16x16x256, 16x16x256, 8x8x256.
    """
    stages = [
        [*_convolutions(3, 64, 64), nn.MaxPool2d(2), nn.BatchNorm2d(64)],
        [*_convolutions(64, 128), nn.MaxPool2d(2), nn.BatchNorm2d(128)],
        [*_convolutions(128, 256, 256), nn.MaxPool2d(2)],
    ]
    return _with_classifier("yu-alexnet", stages, classes, image_size)


def vgg(classes: int, image_size: int, *, dropout: float = 0.5) -> nn.Module:
    """Return a VGGNet of reduced capacity with `classes` outputs and `dropout` in the hidden layers.

    The report only names it. Chosen: the first four stages of VGG-13 at half its width, conv3x3-32 twice, conv3x3-64
    twice, conv3x3-128 twice, conv3x3-256 twice, each with a pool behind it and, as in Yu's AlexNet, batch norm behind
    all pools but the last; FC1024 twice, FC-classes; ReLU after every convolution and hidden layer, VGGNet's dropout
    after each hidden layer, and weights as in Yu's AlexNet here.

    At 64 pixels and 200 classes: 6,622,632 parameters, 217 million multiply-adds.
    """
    if not 0 <= dropout < 1:
        raise RecipeError(f"model yu-vgg: a dropout of {dropout} is not in [0, 1); 0.5 is the default")
    stages = [
        [*_convolutions(3, 32, 32), nn.MaxPool2d(2), nn.BatchNorm2d(32)],
        [*_convolutions(32, 64, 64), nn.MaxPool2d(2), nn.BatchNorm2d(64)],
        [*_convolutions(64, 128, 128), nn.MaxPool2d(2), nn.BatchNorm2d(128)],
        [*_convolutions(128, 256, 256), nn.MaxPool2d(2)],
    ]
    return _with_classifier("yu-vgg", stages, classes, image_size, dropout)


def resnet20(classes: int, image_size: int) -> nn.Module:
    """Return Yu's ResNet-20 with `classes` outputs.

    From the report: conv7x7-64 stride 2, max pool 3 stride 2, three stages of 1x1-3x3-1x1 blocks with 64-64-256,
    128-128-512 and 256-256-1024 channels, batch norm after each convolution, global average pool, fully connected.
    Chosen: two blocks a stage, which make the 20 layers of its name (1 + 3 x 2 x 3 + 1); shortcuts as He et al. 2015
    have them (1x1 convolution and batch norm where the shape changes, ReLU after the sum); the second and third stage
    halve the size, in the 3x3 convolution of their first block; weights from He's normal distribution over the
    fan-out.

    With 200 outputs: 3,649,032 parameters, 143 million multiply-adds at 64 pixels.
    """
    del image_size
    model = nn.Sequential(
        nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
        _bottlenecks(64, 64, stride=1),
        _bottlenecks(256, 128, stride=2),
        _bottlenecks(512, 256, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(1024, classes),
    )
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def _bottlenecks(before: int, width: int, stride: int) -> nn.Sequential:
    """Return two blocks of 1x1-3x3-1x1 convolutions; 4 times `width` channels come out."""
    projection = nn.Conv2d(before, 4 * width, 1, stride=stride, bias=False)
    shortcut = nn.Sequential(projection, nn.BatchNorm2d(4 * width))
    from torchvision.models.resnet import Bottleneck  # see `mkrtchyan`

    return nn.Sequential(Bottleneck(before, width, stride, shortcut), Bottleneck(4 * width, width))


def _convolutions(*channels: int) -> list[nn.Module]:
    """Return 3x3 convolutions that keep the size, each with ReLU: from the first of `channels` to the last."""
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
    return layers


def _with_classifier(
    name: str, stages: Sequence[Sequence[nn.Module]], classes: int, image_size: int, dropout: float = 0.0
) -> nn.Module:
    """Return `stages`, each of which halves the size, the last with 256 channels, and FC1024, FC1024, FC-classes."""
    side, rest = divmod(image_size, 2 ** len(stages))
    if side == 0 or rest:
        raise RecipeError(
            f"model {name}: images of {image_size} pixels do not divide by {2 ** len(stages)}; 64 is the report's size"
        )
    layers = [layer for stage in stages for layer in stage] + [nn.Flatten()]
    for inputs in (256 * side * side, 1024):
        layers += [nn.Linear(inputs, 1024), nn.ReLU(inplace=True), nn.Dropout(dropout)]
    initialize(nn.Sequential(*layers), {"conv": "he", "linear": "he"})
    return nn.Sequential(*layers, nn.Linear(1024, classes))
