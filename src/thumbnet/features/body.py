"""The body of a network: all but its head, what it computes, and a digest of its weights."""

import contextlib
import hashlib
import itertools
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from thumbnet.errors import RecipeError
from thumbnet.models import evaluation_mode, head_of

_REMEDY = "set cached_features=0 in its phases"


@contextlib.contextmanager
def body_of(model: nn.Module) -> Iterator[nn.Module]:
    """Yield `model` in evaluation mode without its head for the block: it maps images f[B,3,S,S] to features f[B,D].

    Head and modes are as before afterwards.
    """
    name, head = head_of(model)
    place, _, attribute = name.rpartition(".")
    parent = model.get_submodule(place)
    with evaluation_mode(model):
        setattr(parent, attribute, nn.Identity())
        try:
            yield model
        finally:
            setattr(parent, attribute, head)


def feature_count(model: nn.Module) -> int:
    """Return how many features D of an image go into the network's head."""
    _, head = head_of(model)
    first = next(module for module in head.modules() if isinstance(module, nn.Linear))
    return first.in_features


def body_digest(model: nn.Module) -> str:
    """Return the SHA-256 over names, types, shapes and bytes of all parameters and buffers but the head's."""
    name, _ = head_of(model)
    digest = hashlib.sha256()
    for key, tensor in itertools.chain(model.named_parameters(), model.named_buffers()):
        if key.startswith(f"{name}."):
            continue
        digest.update(f"{key} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_body(model: nn.Module, image_size: int) -> None:
    """Check that the network is its head after its body, with one row of features an image.

    Raises:
        RecipeError: it is not, so training the head on features would train another network.
    """
    image = torch.rand(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    _, head = head_of(model)
    kind = type(model).__name__
    with torch.no_grad(), evaluation_mode(model):
        logits: Tensor = model(image)
        with body_of(model) as body:
            features: Tensor = body(image)
        if features.shape != (2, feature_count(model)):
            raise RecipeError(
                f"phase.cached_features: what goes into the head of {kind} is of shape {list(features.shape[1:])} an "
                f"image, not one row of features; {_REMEDY}"
            )
        if not torch.allclose(head(features), logits, rtol=1e-3, atol=1e-4):
            raise RecipeError(
                f"phase.cached_features: {kind} computes something after its head or around it, so its features alone "
                f"do not give its logits; {_REMEDY}"
            )
