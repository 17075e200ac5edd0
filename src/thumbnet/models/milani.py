"""Milani's small Inception-v3 (The Power of Inception, 2017, section 3.1, figures 3b and 4)."""

import torch
from torch import Tensor, nn

from thumbnet.errors import RecipeError
from thumbnet.models.initialization import initialize


class Concat(nn.Module):
    """Branches that see the same input; their channels are put one behind the other."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, features: Tensor) -> Tensor:
        """Return f[B,sum of the branches' channels,H',W'] of `features` f[B,C,H,W]."""
        return torch.cat([branch(features) for branch in self.branches], dim=1)


def inception(classes: int, image_size: int, *, dropout: float = 0.0) -> nn.Module:
    """Return a small Inception-v3 with `classes` outputs and `dropout` before the last layer.

    Args:
        classes: number of outputs.
        image_size: side of the input, in pixels (64 in the report; any, since the network pools globally).
        dropout: probability of dropping an input of the last layer (0.2 in the report's regularised network).

    From the report: the layers of Inception-v3 (figure 4: type 1, type 2 with n = 7, type 3, dim), batch norm before
    every ReLU, no side classifier, shallower and narrower than Inception-v3, and channels that grow as the size
    shrinks. Its figure 3b is missing, so depth and widths were chosen; of a 64-pixel image they make

    | layer | output |
    |---|---|
    | conv3x3 | 64x64x32 |
    | conv3x3 stride 2 | 32x32x32 |
    | conv3x3 | 32x32x48 |
    | max pool 3x3 stride 2 | 16x16x48 |
    | type 1 | 16x16x128 |
    | type 1 | 16x16x128 |
    | dim | 8x8x256 |
    | type 2 | 8x8x256 |
    | type 2 | 8x8x256 |
    | dim | 4x4x512 |
    | type 3 | 4x4x768 |
    | type 3 | 4x4x768 |
    | global average pool, dropout, fully connected | classes |

    Chosen too: convolutions start from He's normal distribution over the fan-in. With 200 outputs: 2,460,616
    parameters, 119 million multiply-adds.
    """
    del image_size
    if not 0 <= dropout < 1:
        raise RecipeError(f"model milani-inception: a dropout of {dropout} is not in [0, 1); 0.2 is the report's")
    model = _network(classes, dropout)
    initialize(model, {"conv": "he"})
    return model


def _network(classes: int, dropout: float) -> nn.Sequential:
    """Return the layers of `inception`, with torch's initial weights."""
    return nn.Sequential(
        _conv(3, 32, (3, 3)),
        _conv(32, 32, (3, 3), stride=2),
        _conv(32, 48, (3, 3)),
        nn.MaxPool2d(3, stride=2, padding=1),
        _type_1(48, 32),
        _type_1(128, 32),
        _dim(128, 48, 64),
        _type_2(256, 48, 64),
        _type_2(256, 48, 64),
        _dim(256, 96, 128),
        _type_3(512, 128),
        _type_3(768, 128),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(768, classes),
    )


def _conv(before: int, after: int, kernel: tuple[int, int] = (1, 1), stride: int = 1) -> nn.Sequential:
    """Return a convolution (`kernel` is height and width), batch norm and ReLU; a stride of 1 keeps the size."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    convolution = nn.Conv2d(before, after, kernel, stride=stride, padding=padding, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def _pooled(before: int, after: int) -> nn.Sequential:
    """Return the branch of types 1 to 3 that averages 3x3 neighbours (those inside the image) first."""
    return nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False), _conv(before, after))


def _type_1(before: int, width: int) -> nn.Module:
    """Return figure 4a: a 5x5 as two 3x3, a 3x3, a pool and a 1x1, each `width` wide; 4 times `width` come out."""
    return Concat(
        nn.Sequential(_conv(before, width), _conv(width, width, (3, 3)), _conv(width, width, (3, 3))),
        nn.Sequential(_conv(before, width), _conv(width, width, (3, 3))),
        _pooled(before, width),
        _conv(before, width),
    )


def _type_2(before: int, inner: int, width: int) -> nn.Module:
    """Return figure 4b with n = 7: two 7x7 and one 7x7, each as 1x7 and 7x1; 4 times `width` channels come out."""
    return Concat(
        nn.Sequential(
            _conv(before, inner),
            _conv(inner, inner, (1, 7)),
            _conv(inner, inner, (7, 1)),
            _conv(inner, inner, (1, 7)),
            _conv(inner, width, (7, 1)),
        ),
        nn.Sequential(_conv(before, inner), _conv(inner, inner, (1, 7)), _conv(inner, width, (7, 1))),
        _pooled(before, width),
        _conv(before, width),
    )


def _type_3(before: int, width: int) -> nn.Module:
    """Return figure 4c: 1x3 and 3x1 side by side, behind a 3x3 and behind a 1x1; 6 times `width` channels come out."""
    return Concat(
        nn.Sequential(_conv(before, width), _conv(width, width, (3, 3)), _split(width)),
        nn.Sequential(_conv(before, width), _split(width)),
        _pooled(before, width),
        _conv(before, width),
    )


def _split(width: int) -> nn.Module:
    return Concat(_conv(width, width, (1, 3)), _conv(width, width, (3, 1)))


def _dim(before: int, inner: int, width: int) -> nn.Module:
    """Return figure 4d, which halves the size: two convolutions, one, and a pool; `before` + 2 `width` come out."""
    return Concat(
        nn.Sequential(_conv(before, inner), _conv(inner, width, (3, 3)), _conv(width, width, (3, 3), stride=2)),
        nn.Sequential(_conv(before, inner), _conv(inner, width, (3, 3), stride=2)),
        nn.MaxPool2d(3, stride=2, padding=1),
    )
