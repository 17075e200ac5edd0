"""What the corruptions of `Robustness` are: noise, blur, contrast, pixelation and JPEG, each in five severities.

The definition is Tiny ImageNet-C's (Hendrycks and Dietterich 2019, 'Benchmarking neural network robustness to common
corruptions and perturbations'), with its parameters, for images of any side; the image is mirrored beyond the edge of
a blur. All results are clipped to [0, 1] and rounded to the 256 levels of a byte, as an image file would hold them.
The original differs in that it cuts decimals off, mirrors nothing at the edge, and saves its images as JPEG once more.
"""

from collections.abc import Mapping
from dataclasses import dataclass

DEFINITION = 1
"""Version of this definition; figures of different versions are not to be compared."""

SEVERITIES = 5


@dataclass(frozen=True)
class Definition:
    """One kind of corruption.

    Attributes:
        does: what it does with its parameter.
        parameter: what that is.
        values: one a severity, mildest first.
    """

    does: str
    parameter: str
    values: tuple[float, float, float, float, float]


DEFINITIONS: Mapping[str, Definition] = {
    "noise": Definition(
        "adds normal noise of this standard deviation to each value in [0, 1]",
        "standard deviation of the noise",
        (0.04, 0.08, 0.12, 0.15, 0.18),
    ),
    "blur": Definition(
        "applies a Gaussian of this standard deviation in pixels of an image of 64, in proportion for other sides, to "
        "four deviations",
        "standard deviation of the Gaussian, in 64ths of the side",
        (0.5, 0.75, 1.0, 1.25, 1.5),
    ),
    "contrast": Definition(
        "multiplies the distance of each value from its channel's mean over the image by this factor",
        "share of the contrast that is left",
        (0.4, 0.3, 0.2, 0.1, 0.05),
    ),
    "pixelation": Definition(
        "shrinks the side to this share, rounded down, and enlarges it again, by box filters",
        "share of the side that is left",
        (0.9, 0.8, 0.7, 0.6, 0.5),
    ),
    "jpeg": Definition(
        "encodes with this quality and halved chroma, and decodes",
        "quality",
        (65, 58, 50, 40, 25),
    ),
}
"""Corruptions by name."""
