"""From the operations that a recipe names to functions of a batch."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from thumbnet.augment.limits import check_options
from thumbnet.augment.mixing_operations import MIXING_OPERATIONS
from thumbnet.augment.operations import DETERMINISTIC, IMAGE_OPERATIONS
from thumbnet.errors import RecipeError, nearest
from thumbnet.recipe import Operation, Policy

Step = Callable[[Tensor, Tensor, Generator], tuple[Tensor, Tensor]]
"""One operation: images, targets (class ids or probabilities) and generator to images and targets."""


@dataclass(frozen=True)
class Augmentation:
    """A policy with its options checked, ready to be called."""

    steps: tuple[Step, ...]

    def __call__(self, images: Tensor, labels: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Apply the operations in order, each with draws of its own for every sample.

        Args:
            images: `f[B,3,H,W]` in [0, 1]; they are not changed in place.
            labels: `i64[B]`, class ids.
            generator: the source of every draw, on the images' device.

        Returns:
            Images `f[B,3,H',W']` and targets: `i64[B]`, or `f32[B,K]` once an operation has mixed samples.

        Raises:
            RecipeError: an operation does not fit the size of the images.
        """
        targets = labels
        # Mixed precision is for the network; a blur in half precision would change the data.
        with torch.autocast(images.device.type, enabled=False):
            for step in self.steps:
                images, targets = step(images, targets, generator)
        return images, targets


def build_policy(policy: Policy, classes: int) -> Augmentation:
    """Return the function that `policy` describes.

    Args:
        policy: operations by name.
        classes: the number K of classes, for targets of mixed samples.

    Raises:
        RecipeError: an unknown operation or option (with the nearest names), or a value of a wrong type or range.
    """
    return Augmentation(tuple(_step(operation, classes) for operation in policy))


def build_evaluation_policy(policy: Policy) -> Callable[[Tensor], Tensor]:
    """Return the function of images alone that `policy` describes: none of its operations may be random.

    Raises:
        RecipeError: as `build_policy`, and for an operation that draws.
    """
    checked = [(operation.name, _options(operation)) for operation in policy]
    for name, _ in checked:
        if name not in DETERMINISTIC:
            allowed = " and ".join(sorted(DETERMINISTIC))
            raise RecipeError(
                f"evaluation.policy: operation {name!r} is random, and images that are judged must not change from "
                f"one time to the next; use only {allowed}"
            )
    operations = [functools.partial(IMAGE_OPERATIONS.get(name), **options) for name, options in checked]
    unused = torch.Generator()

    def apply(images: Tensor) -> Tensor:
        for operation in operations:
            images = operation(images, unused)
        return images

    return apply


def _step(operation: Operation, classes: int) -> Step:
    options = _options(operation)
    if operation.name in IMAGE_OPERATIONS.functions:
        change = functools.partial(IMAGE_OPERATIONS.get(operation.name), **options)
        return lambda images, targets, generator: (change(images, generator), targets)
    mix = functools.partial(MIXING_OPERATIONS.get(operation.name), **options)
    return lambda images, targets, generator: mix(images, _probabilities(targets, classes), generator)


def _options(operation: Operation) -> dict[str, object]:
    """Return the options of `operation`, types and ranges checked and defaults filled in."""
    known = IMAGE_OPERATIONS.names() + MIXING_OPERATIONS.names()
    if operation.name not in known:
        raise RecipeError(f"operation {operation.name!r} is unknown; {nearest(operation.name, known)}")
    image_only = operation.name in IMAGE_OPERATIONS.functions
    table = IMAGE_OPERATIONS.check if image_only else MIXING_OPERATIONS.check
    options = table(operation.name, operation.options)
    check_options(operation.name, **options)
    return options


def _probabilities(targets: Tensor, classes: int) -> Tensor:
    """Return class ids `i64[B]` as probabilities `f32[B,K]`; probabilities stay as they are."""
    if targets.is_floating_point():
        return targets
    zeros = torch.zeros(len(targets), classes, device=targets.device)
    return zeros.scatter_(1, targets[:, None], 1.0)
