"""Mixtures of two samples with one parameter per sample: deterministic functions of a batch and its parameters."""

import torch
from torch import Tensor

from thumbnet.augment.color import inside_boxes


def mixup(images: Tensor, targets: Tensor, partner: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return each sample blended with its partner: `weight` of itself and the rest of the partner.

    From 'mixup: Beyond Empirical Risk Minimization' (Zhang et al., 2018), with a weight per sample.

    Args:
        images: `f[B,C,H,W]`.
        targets: `f[B,K]`, probabilities of the classes.
        partner: `i64[B]`, the position of each sample's partner in the batch.
        weight: `f[B]` in [0, 1].

    Returns:
        Images `f[B,C,H,W]` and targets `f[B,K]`.
    """
    mixed = torch.lerp(images[partner], images, weight.to(images.dtype)[:, None, None, None])
    return mixed, torch.lerp(targets[partner], targets, weight.to(targets.dtype)[:, None])


def cutmix(images: Tensor, targets: Tensor, partner: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return each sample with a box of it replaced by the same box of its partner.

    From 'CutMix' (Yun et al., 2019), with a box per sample; the partner's weight is the box's share of the area.

    Args:
        images: `f[B,C,H,W]`.
        targets: `f[B,K]`, probabilities of the classes.
        partner: `i64[B]`, the position of each sample's partner in the batch.
        boxes: `[B,4]`: top, left, height and width in whole pixels, inside the image.

    Returns:
        Images `f[B,C,H,W]` and targets `f[B,K]`.
    """
    # Interpolating with weights of exactly 0 and 1 is exact, and faster than a mask that is broadcast over channels.
    mixed = torch.lerp(images, images[partner], inside_boxes(images, boxes).to(images.dtype))
    share = (boxes[:, 2] * boxes[:, 3]).to(targets.dtype) / (images.shape[2] * images.shape[3])
    return mixed, torch.lerp(targets, targets[partner], share[:, None])
