"""Augmentation on the device: a batch at a time, another random draw for each sample, from an explicit generator.

`geometry`, `color` and `mixing` hold the deterministic functions, `operations` and `mixing_operations` the random ones
that recipes name, `policy` what turns a recipe's list of names into one function.
"""

from thumbnet.augment.color import normalize
from thumbnet.augment.mixing_operations import MIXING_OPERATIONS
from thumbnet.augment.operations import DETERMINISTIC, IMAGE_OPERATIONS
from thumbnet.augment.policy import Augmentation, build_evaluation_policy, build_policy

__all__ = [
    "Augmentation",
    "DETERMINISTIC",
    "IMAGE_OPERATIONS",
    "MIXING_OPERATIONS",
    "build_evaluation_policy",
    "build_policy",
    "normalize",
]
