"""The random mixtures that a recipe names: each draws a partner and one parameter per sample.

Every operation is `(images, targets, generator, *, options) -> (images, targets)` with images `f[B,3,H,W]` and targets
`f[B,K]`, probabilities of the classes.
"""

import torch
from torch import Generator, Tensor

from thumbnet.augment import boxes, draws, mixing
from thumbnet.augment.limits import check_options
from thumbnet.registry import Registry


def mixup(images: Tensor, targets: Tensor, generator: Generator, *, alpha: float = 0.2) -> tuple[Tensor, Tensor]:
    """Blend each sample with another; its own weight is drawn from Beta(alpha, alpha)."""
    check_options("mixup", alpha=alpha)
    partner = torch.randperm(len(images), generator=generator, device=images.device)
    return mixing.mixup(images, targets, partner, draws.beta(images, generator, alpha))


def cutmix(
    images: Tensor, targets: Tensor, generator: Generator, *, alpha: float = 1.0, p: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Replace, with probability `p`, a box of each sample by another's; its area's share is from Beta(alpha, alpha).

    The target's weight is the share that the box has after it was cut off at the edge of the image.
    """
    check_options("cutmix", alpha=alpha, p=p)
    partner = torch.randperm(len(images), generator=generator, device=images.device)
    replaced = boxes.mixing_boxes(images, generator, draws.beta(images, generator, alpha))
    replaced = replaced * draws.chosen(images, generator, p)[:, None]
    return mixing.cutmix(images, targets, partner, replaced)


MIXING_OPERATIONS: Registry[tuple[Tensor, Tensor]] = Registry("operation", {"mixup": mixup, "cutmix": cutmix})
"""Operations on images and targets together, by the names that recipes use."""
