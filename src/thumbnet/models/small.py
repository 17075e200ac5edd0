"""A small network that learns the embedded digits in seconds."""

from torch import nn

from thumbnet.errors import RecipeError


def _block(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
    ]


def small(classes: int, image_size: int, *, width: int = 16) -> nn.Module:
    """Return three blocks of conv3x3, batch norm, ReLU, pool (`width`, 2 and 4 times it), global pool and one layer.

    With the default width and 10 classes: 24,346 parameters.
    """
    del image_size
    if width < 1:
        raise RecipeError(f"model small: a width of {width} is not a positive number; 16 is the default")
    return nn.Sequential(
        *_block(3, width),
        *_block(width, 2 * width),
        *_block(2 * width, 4 * width),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, classes),
    )
