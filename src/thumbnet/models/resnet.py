"""Residual networks (He et al. 2015), with the ImageNet stem and with stems for small images."""

from typing import Literal, cast

from torch import nn
from torchvision.models import ResNet
from torchvision.models import resnet18 as torchvision_resnet18

Stem = Literal["imagenet", "strided", "small"]


def _set_stem(model: ResNet, stem: Stem) -> None:
    width = model.conv1.out_channels
    if stem == "imagenet":
        return
    stride = 2 if stem == "strided" else 1
    model.conv1 = nn.Conv2d(3, width, kernel_size=3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.maxpool = cast(nn.MaxPool2d, nn.Identity())


def resnet18(classes: int, image_size: int, *, stem: Stem = "imagenet", zero_init_residual: bool = False) -> nn.Module:
    """Return torchvision's ResNet-18 with `classes` outputs.

    Args:
        classes: number of outputs.
        image_size: side of the input, in pixels (any; the network pools globally).
        stem: 'imagenet' (7x7 stride 2, then pool: the first stage sees a quarter of the side), 'strided' (3x3 stride
            2, no pool: half), 'small' (3x3 stride 1, no pool: the whole side, as is usual for 32-pixel images).
        zero_init_residual: start each residual branch at zero, so that each block starts as the identity.

    With 200 outputs: 11,279,112 parameters with the ImageNet stem, 11,271,432 with the others.
    """
    del image_size
    model = torchvision_resnet18(num_classes=classes, zero_init_residual=zero_init_residual)
    _set_stem(model, stem)
    return cast(nn.Module, model)
