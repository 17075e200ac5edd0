"""Tensors in files, of which no code is ever run."""

import contextlib
import io
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from thumbnet.errors import RecipeError, reason_of
from thumbnet.files import storage_errors


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


def read_published(name: str, path: Path, remedy: str) -> dict[str, Any]:
    """Return what a file of ImageNet weights holds, by name.

    Args:
        name: of the network.
        path: the file.
        remedy: what to do where it is damaged.

    Raises:
        RecipeError: it is damaged, or holds something else.
        StorageError: it cannot be read.
    """
    with storage_errors(path):
        content = path.read_bytes()
    with damaged(name, remedy):
        found = unpack(content)
        if not isinstance(found, dict) or not found:
            raise TypeError("it holds no tensors by name")
        return found


@contextlib.contextmanager
def damaged(name: str, remedy: str) -> Iterator[None]:
    """Say of whatever the block fails with that the ImageNet weights of the network `name` are damaged."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # torch answers damaged files with nearly anything, by where the damage is
        pickled = "it is no file of weights, or a pickle of more than tensors, which is never executed"
        reason = pickled if isinstance(error, pickle.UnpicklingError) else reason_of(error)
        raise RecipeError(f"model {name}: its ImageNet weights are damaged ({reason}); {remedy}") from error
