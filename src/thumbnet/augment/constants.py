"""Constants of a computation, on its device."""

import functools

import torch
from torch import Tensor


@functools.cache
def constant(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return `values` on `device`, [len(values)] of `dtype`: the same tensor each time, not to be changed in place.

    A new tensor would be copied to a GPU, and the host would wait there for all that the GPU has yet to compute.
    """
    return torch.tensor(values, device=device, dtype=dtype)
