"""Ting's networks M1 and M4, as Mkrtchyan's report gives them (section 2, tables 1 and 2).

Convolutions keep the size (padding of half the kernel, which the report does not state), pooling is 2x2 with stride
2, and ReLU follows every layer but the last.
"""

from collections.abc import Sequence

from torch import nn


def _convolution(channels_in: int, channels_out: int, kernel: int) -> list[nn.Module]:
    return [nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]


def _network(stages: Sequence[Sequence[tuple[int, int]]], hidden: int, classes: int, image_size: int) -> nn.Module:
    """Stack `stages` of (kernel, filters) convolutions, each ended by a pool, then two fully connected layers."""
    layers: list[nn.Module] = []
    channels = 3
    for stage in stages:
        for kernel, filters in stage:
            layers += _convolution(channels, filters, kernel)
            channels = filters
        layers.append(nn.MaxPool2d(2))
    side = image_size // 2 ** len(stages)
    layers += [nn.Flatten(), nn.Linear(channels * side * side, hidden), nn.ReLU(inplace=True)]
    layers.append(nn.Linear(hidden, classes))
    return nn.Sequential(*layers)


def m1(classes: int, image_size: int) -> nn.Module:
    """Return M1: conv5x5-16, pool, conv3x3-16, pool, conv3x3-32, pool, FC256, FC-classes.

    At 64 pixels and 200 classes: 584,120 parameters, 9 million multiply-adds; activations 64x64x16, 32x32x16,
    16x16x32, 8x8x32 = 2,048, 256.
    """
    return _network([[(5, 16)], [(3, 16)], [(3, 32)]], 256, classes, image_size)


def m4(classes: int, image_size: int) -> nn.Module:
    """Return M4: conv5x5-32 twice, pool, conv3x3-64 twice, pool, conv3x3-64, conv3x3-128, pool, FC256, FC-classes.

    At 64 pixels and 200 classes: 2,343,080 parameters, 202 million multiply-adds; activations 64x64x32, 32x32x64,
    16x16x128, 8x8x128 = 8,192.
    """
    stages = [[(5, 32), (5, 32)], [(3, 64), (3, 64)], [(3, 64), (3, 128)]]
    return _network(stages, 256, classes, image_size)
