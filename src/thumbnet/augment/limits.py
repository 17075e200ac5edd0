"""The range of every option of every operation, and the message for a value outside it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from thumbnet.errors import RecipeError


@dataclass(frozen=True)
class _Limit:
    """A range: whether a value lies in it, what it is called, and what to write instead."""

    holds: Callable[[Any], bool]
    text: str
    remedy: str


def _number(low: float, high: float, text: str, remedy: str) -> _Limit:
    return _Limit(lambda value: math.isfinite(value) and low <= value <= high, text, remedy)


def _range(low: float, high: float, text: str, remedy: str) -> _Limit:
    return _Limit(lambda pair: all(map(math.isfinite, pair)) and low < pair[0] <= pair[1] <= high, text, remedy)


def _colour(fill: object) -> bool:
    values = fill if isinstance(fill, tuple) else (fill,)
    return fill == "noise" or all(isinstance(value, float | int) and 0 <= value <= 1 for value in values)


_LARGEST_SIDE = 4096
_PROBABILITY = _number(0, 1, "a probability in [0, 1]", "0.5 is usual")
_PIXELS = _number(1, _LARGEST_SIDE, f"a number of pixels in 1 to {_LARGEST_SIDE}", "use the side of the crop")
_SIDE = _Limit(
    lambda size: size is None or 1 <= size <= _LARGEST_SIDE,
    f"a number of pixels in 1 to {_LARGEST_SIDE}",
    "leave it out to keep the side of the input",
)
_AMOUNT = _number(0, 100, "a number in [0, 100]", "0.4 is usual")
_SHARE = _range(0, 1, "two shares of the area in (0, 1], the smaller first", "write [0.08, 1.0]")
_RATIO = _range(0, math.inf, "two positive ratios of width to height, the smaller first", "write [0.75, 1.3333]")
_ALPHA = _number(0.01, 100, "a number in [0.01, 100]", "0.2 is usual for mixup and 1.0 for cutmix")

_LIMITS: Mapping[str, Mapping[str, _Limit]] = {
    "horizontal_flip": {"p": _PROBABILITY},
    "vertical_flip": {"p": _PROBABILITY},
    "translate_crop": {"padding": _number(0, _LARGEST_SIDE, "a number of pixels of 0 or more", "4 is usual")},
    "random_crop": {"size": _PIXELS},
    "random_resized_crop": {"scale": _SHARE, "ratio": _RATIO, "size": _SIDE},
    "center_crop": {"crop": _PIXELS, "size": _SIDE},
    "corner_crop": {"crop": _PIXELS, "p_full": _PROBABILITY, "size": _SIDE},
    "rotation": {"degrees": _number(0, 180, "an angle in [0, 180] degrees", "10 is usual")},
    "gaussian_blur": {
        "kernel_size": _Limit(
            lambda k: 1 <= k <= 127 and k % 2 == 1, "an odd number of pixels in 1 to 127", "5 is usual"
        ),
        "sigma": _range(0, 1000, "two positive standard deviations, the smaller first", "write [0.1, 2.0]"),
    },
    "brightness": {"amount": _AMOUNT},
    "contrast": {"amount": _AMOUNT},
    "saturation": {"amount": _AMOUNT},
    "hue": {"amount": _number(0, 0.5, "a share of the colour circle in [0, 0.5]", "0.1 is usual")},
    "random_erasing": {
        "p": _PROBABILITY,
        "scale": _SHARE,
        "ratio": _RATIO,
        "fill": _Limit(_colour, "'noise', a grey value in [0, 1] or three of them", "0.0 erases to black"),
    },
    "resize": {"size": _PIXELS},
    "mixup": {"alpha": _ALPHA},
    "cutmix": {"alpha": _ALPHA, "p": _PROBABILITY},
}


def check_options(operation: str, **options: object) -> None:
    """Check that the options of `operation` lie in their ranges (their types are taken as right).

    Raises:
        RecipeError: one does not; the message names the operation, the option, the value and a usual one.
    """
    limits = _LIMITS[operation]
    for name, value in options.items():
        limit = limits.get(name)
        if limit is not None and not limit.holds(value):
            shown = list(value) if isinstance(value, tuple) else value
            raise RecipeError(f"operation {operation}.{name}: {shown!r} is not {limit.text}; {limit.remedy}")


def check_fits(operation: str, option: str, value: int, largest: int) -> None:
    """Check that `value` pixels fit the images that an operation meets.

    Raises:
        RecipeError: `value` is above `largest`.
    """
    if value > largest:
        raise RecipeError(
            f"operation {operation}.{option}: {value} is too large for these images; use at most {largest}, "
            "or resize first"
        )
