"""Residual networks (He et al. 2015), with the ImageNet stem and with stems for small images.

Parts and weights of the original network bear torchvision's names, so that its checkpoints fit.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from thumbnet.errors import RecipeError
from thumbnet.models.activations import Activation, make_activation

Stem = Literal["imagenet", "strided", "small"]
Block = Literal["original", "preact"]


class OriginalBlock(nn.Module):
    """Convolution, norm, activation, convolution, norm; the last activation follows the sum (He et al. 2015)."""

    def __init__(self, channels_in: int, channels: int, stride: int, activation: Activation) -> None:
        super().__init__()
        shortcut = None
        if stride != 1 or channels_in != channels:
            projection = nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False)
            shortcut = nn.Sequential(projection, nn.BatchNorm2d(channels))
        self.conv1 = _convolution(channels_in, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.act1 = make_activation(activation, channels)
        self.conv2 = _convolution(channels, channels, 1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = shortcut
        self.act2 = make_activation(activation, channels)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return features f[B,channels,H/stride,W/stride] of `inputs` f[B,channels_in,H,W]."""
        branch: Tensor = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(inputs)))))
        shortcut = inputs if self.downsample is None else self.downsample(inputs)
        features: Tensor = self.act2(branch + shortcut)
        return features

    def start_at_zero(self) -> None:
        """Make the residual branch give zero."""
        nn.init.zeros_(self.bn2.weight)


class PreactBlock(nn.Module):
    """Norm, activation, convolution, twice, nothing after the sum: full pre-activation (He et al. 2016, figure 4e).

    The network's first block begins with its convolution, because the stem's norm and activation stand before both of
    its paths. Where the shape changes, the first norm and activation stand before both paths, and the shortcut is a
    1x1 convolution without norm.
    """

    def __init__(
        self, channels_in: int, channels: int, stride: int, activation: Activation, *, first: bool = False
    ) -> None:
        super().__init__()
        self.bn1 = nn.Identity() if first else nn.BatchNorm2d(channels_in)
        self.act1 = nn.Identity() if first else make_activation(activation, channels_in)
        self.conv1 = _convolution(channels_in, channels, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.act2 = make_activation(activation, channels)
        self.conv2 = _convolution(channels, channels, 1)
        changes = stride != 1 or channels_in != channels
        self.downsample = nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False) if changes else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Return features f[B,channels,H/stride,W/stride] of `inputs` f[B,channels_in,H,W]."""
        active: Tensor = self.act1(self.bn1(inputs))
        branch: Tensor = self.conv2(self.act2(self.bn2(self.conv1(active))))
        shortcut: Tensor = inputs if self.downsample is None else self.downsample(active)
        return branch + shortcut

    def start_at_zero(self) -> None:
        """Make the residual branch give zero."""
        nn.init.zeros_(self.conv2.weight)


@dataclass(frozen=True)
class Options:
    """What a recipe may choose of a residual network; `resnet18` says what each option means."""

    stem: Stem
    width: int
    zero_init_residual: bool
    block: Block
    activation: Activation


class ResNet(nn.Module):
    """A stem, four stages of `blocks` blocks, a global pool and one fully connected layer."""

    def __init__(self, blocks: tuple[int, int, int, int], classes: int, options: Options) -> None:
        super().__init__()
        width = options.width
        self.conv1 = _stem_convolution(options.stem, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.act = make_activation(options.activation, width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if options.stem == "imagenet" else nn.Identity()
        self.layer1 = _stage(width, width, blocks[0], options)
        self.layer2 = _stage(width, 2 * width, blocks[1], options)
        self.layer3 = _stage(2 * width, 4 * width, blocks[2], options)
        self.layer4 = _stage(4 * width, 8 * width, blocks[3], options)
        preact = options.block == "preact"
        self.last_bn = nn.BatchNorm2d(8 * width) if preact else nn.Identity()
        self.last_act = make_activation(options.activation, 8 * width) if preact else nn.Identity()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits f[B,classes] of images f[B,3,H,W]."""
        features: Tensor = self.maxpool(self.act(self.bn1(self.conv1(images))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            features = stage(features)
        features = self.last_act(self.last_bn(features))
        logits: Tensor = self.fc(self.avgpool(features).flatten(1))
        return logits


def resnet18(
    classes: int,
    image_size: int,
    *,
    stem: Stem = "imagenet",
    width: int = 64,
    zero_init_residual: bool = False,
    block: Block = "original",
    activation: Activation = "relu",
) -> nn.Module:
    """Return ResNet-18 with `classes` outputs, initialised as torchvision's.

    Args:
        classes: number of outputs.
        image_size: side of the input, in pixels (any; the network pools globally).
        stem: 'imagenet' (7x7 stride 2, then pool: the first stage sees a quarter of the side), 'strided' (3x3 stride
            2, no pool: half), 'small' (3x3 stride 1, no pool: the whole side, as is usual for 32-pixel images).
        width: channels of the first stage; the others have 2, 4 and 8 times as many.
        zero_init_residual: start each residual branch at zero, so that each block starts as the identity.
        block: 'original' (He et al. 2015, the activation after the sum) or 'preact' (full pre-activation, He et al.
            2016, norm and activation before each convolution, and once more before the global pool).
        activation: every activation function of the network; the initialisation stays the one for ReLU.

    With 200 outputs: 11,279,112 parameters with the ImageNet stem, 11,271,432 with the others; 2,846,440 with a
    width of 32 and the strided stem; 11,277,320 with the ImageNet stem and pre-activation; 11,283,016 with the
    ImageNet stem and PReLU.
    """
    del image_size
    return _network((2, 2, 2, 2), classes, Options(stem, width, zero_init_residual, block, activation))


def resnet34(
    classes: int,
    image_size: int,
    *,
    stem: Stem = "imagenet",
    width: int = 64,
    zero_init_residual: bool = False,
    block: Block = "original",
    activation: Activation = "relu",
) -> nn.Module:
    """Return ResNet-34 with `classes` outputs, with the options of `resnet18`: 3, 4, 6 and 3 blocks in its stages.

    With 200 outputs and the ImageNet stem: 21,387,272 parameters, 21,385,480 with pre-activation.
    """
    del image_size
    return _network((3, 4, 6, 3), classes, Options(stem, width, zero_init_residual, block, activation))


def _network(blocks: tuple[int, int, int, int], classes: int, options: Options) -> nn.Module:
    if options.width < 1:
        raise RecipeError(f"model resnet: a width of {options.width} is not a positive number; 64 is the default")
    model = ResNet(blocks, classes, options)
    _initialise(model, options.zero_init_residual)
    return model


def _stem_convolution(stem: Stem, width: int) -> nn.Conv2d:
    if stem == "imagenet":
        return nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
    return nn.Conv2d(3, width, 3, stride=2 if stem == "strided" else 1, padding=1, bias=False)


def _convolution(channels_in: int, channels: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)


def _stage(channels_in: int, channels: int, blocks: int, options: Options) -> nn.Sequential:
    """Return a stage: the first keeps size and channels, each other halves the size as it doubles the channels."""
    behind_stem = channels_in == channels
    first = _block(channels_in, channels, 1 if behind_stem else 2, options, first=behind_stem)
    return nn.Sequential(first, *(_block(channels, channels, 1, options) for _ in range(blocks - 1)))


def _block(channels_in: int, channels: int, stride: int, options: Options, *, first: bool = False) -> nn.Module:
    if options.block == "preact":
        return PreactBlock(channels_in, channels, stride, options.activation, first=first)
    return OriginalBlock(channels_in, channels, stride, options.activation)


def _initialise(model: nn.Module, zero_init_residual: bool) -> None:
    """Draw convolutions from He's normal distribution over the fan-out; leave the head as torch draws it."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    for module in model.modules():
        if zero_init_residual and isinstance(module, OriginalBlock | PreactBlock):
            module.start_at_zero()
