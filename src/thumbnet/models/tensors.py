"""Tensors in the bytes of a file."""

import io
import warnings
from typing import Any

import torch


def unpack(content: bytes) -> Any:
    """Return what is in safetensors, or in what torch.save wrote, of which no code is ever run.

    Raises:
        pickle.UnpicklingError: a pickle of more than tensors.
        Exception: of nearly any kind, where the bytes are damaged.
    """
    from safetensors.torch import load

    if content[8:9] == b"{":  # behind eight bytes of length: the header of safetensors
        return load(content)
    with warnings.catch_warnings(action="ignore"):  # about pickles that torch did not write
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
