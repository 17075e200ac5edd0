"""Residual networks (He et al. 2015), with the ImageNet stem and with stems for small images."""

from typing import Literal

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

Stem = Literal["imagenet", "strided", "small"]


class ResNet(nn.Module):
    """Four stages of basic blocks; parts and weights bear torchvision's names, so that its checkpoints fit."""

    def __init__(self, blocks: tuple[int, int, int, int], classes: int, stem: Stem, width: int) -> None:
        super().__init__()
        self.conv1 = _stem_convolution(stem, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stem == "imagenet" else nn.Identity()
        self.layer1 = _stage(width, width, blocks[0], stride=1)
        self.layer2 = _stage(width, 2 * width, blocks[1], stride=2)
        self.layer3 = _stage(2 * width, 4 * width, blocks[2], stride=2)
        self.layer4 = _stage(4 * width, 8 * width, blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits f[B,classes] of images f[B,3,H,W]."""
        features: Tensor = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            features = stage(features)
        logits: Tensor = self.fc(self.avgpool(features).flatten(1))
        return logits


def resnet18(
    classes: int,
    image_size: int,
    *,
    stem: Stem = "imagenet",
    width: int = 64,
    zero_init_residual: bool = False,
) -> nn.Module:
    """Return ResNet-18 with `classes` outputs, initialised as torchvision's.

    Args:
        classes: number of outputs.
        image_size: side of the input, in pixels (any; the network pools globally).
        stem: 'imagenet' (7x7 stride 2, then pool: the first stage sees a quarter of the side), 'strided' (3x3 stride
            2, no pool: half), 'small' (3x3 stride 1, no pool: the whole side, as is usual for 32-pixel images).
        width: channels of the first stage; the others have 2, 4 and 8 times as many.
        zero_init_residual: start each residual branch at zero, so that each block starts as the identity.

    With 200 outputs: 11,279,112 parameters with the ImageNet stem, 11,271,432 with the others; 2,846,440 with a
    width of 32 and the strided stem.
    """
    del image_size
    model = ResNet((2, 2, 2, 2), classes, stem, width)
    _initialise(model, zero_init_residual)
    return model


def _stem_convolution(stem: Stem, width: int) -> nn.Conv2d:
    if stem == "imagenet":
        return nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
    return nn.Conv2d(3, width, 3, stride=2 if stem == "strided" else 1, padding=1, bias=False)


def _stage(channels_in: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or channels_in != channels:
        projection = nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False)
        shortcut = nn.Sequential(projection, nn.BatchNorm2d(channels))
    first = BasicBlock(channels_in, channels, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(channels, channels) for _ in range(blocks - 1)))


def _initialise(model: nn.Module, zero_init_residual: bool) -> None:
    """Draw convolutions from He's normal distribution over the fan-out; leave the head as torch draws it."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if zero_init_residual and isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)
