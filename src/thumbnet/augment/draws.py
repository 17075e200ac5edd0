"""Random parameters, one per sample, from an explicit generator."""

import torch
from torch import Tensor


def uniform(images: Tensor, generator: torch.Generator, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Return `f32[B]` uniform in [low, high) for the B samples of `images`, on their device."""
    return torch.rand(len(images), generator=generator, device=images.device).mul_(high - low).add_(low)


def chosen(images: Tensor, generator: torch.Generator, p: float) -> Tensor:
    """Return `bool[B]`, each true with probability `p`."""
    return uniform(images, generator) < p


def integers(images: Tensor, generator: torch.Generator, low: int, high: int) -> Tensor:
    """Return `i64[B]` uniform in low to high, both included."""
    return torch.randint(low, high + 1, (len(images),), generator=generator, device=images.device)


def places(images: Tensor, generator: torch.Generator, count: Tensor) -> Tensor:
    """Return for each sample a whole number uniform in 0 to `count` - 1, as a float: `f32[B]`.

    Args:
        images: the batch; `count` is `f[B]` of whole numbers of at least 1.
        generator: the source of the draws.
        count: how many numbers each sample has to choose from.
    """
    # In single precision the product may round up to `count` itself.
    return torch.minimum((uniform(images, generator) * count).floor_(), count - 1)


def beta(images: Tensor, generator: torch.Generator, alpha: float) -> Tensor:
    """Return `f32[B]` from the symmetric Beta(alpha, alpha) distribution.

    A Beta variate is a Gamma variate's share of the sum of two. `torch.distributions` offers no generator, so this
    calls the sampler beneath it; double precision keeps both from vanishing when alpha is small.
    """
    shape = torch.full((2, len(images)), alpha, device=images.device, dtype=torch.float64)
    gamma: Tensor = torch._standard_gamma(shape, generator=generator)
    return (gamma[0] / gamma.sum(0)).float()
