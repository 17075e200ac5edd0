"""Computing the features of a split, or finding them where an earlier run has left them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from thumbnet.augment import DETERMINISTIC, build_policy
from thumbnet.data import ImageSet
from thumbnet.errors import TrainingError
from thumbnet.evaluate import Preprocessing, mixed_precision
from thumbnet.features.body import body_digest, body_of, feature_count
from thumbnet.features.description import (
    DTYPE,
    Description,
    DType,
    batch_of,
    describe_policy,
    describe_preprocessing,
    key_of,
)
from thumbnet.features.entry import Entry, Features
from thumbnet.randomness import derive_seed
from thumbnet.recipe import Policy, Recipe
from thumbnet.watch import Watch

_ROUNDING = 1e-3


class UnfitFeaturesError(TrainingError):
    """Features that cannot be kept; `reason` says why, without what to do about it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason


@dataclass(frozen=True)
class Wanted:
    """Which features: of a whole split, with images of `image_size` pixels under `policy`, the copy of that number."""

    split: str
    image_size: int
    policy: Policy = ()
    copy: int = 0

    @property
    def is_random(self) -> bool:
        """Whether the policy draws, so that copies differ."""
        return any(operation.name not in DETERMINISTIC for operation in self.policy)


@dataclass(frozen=True)
class FrozenBody:
    """A network whose features are wanted, as it is now.

    Args:
        model: the network; its head does not matter.
        recipe: states its name, the preprocessing and the seed.
        data: fingerprint of the packed data.
        digest: of the body's weights (see `body_digest`).
    """

    model: nn.Module
    recipe: Recipe
    data: str
    digest: str

    @classmethod
    def of(cls, model: nn.Module, recipe: Recipe, data: str) -> "FrozenBody":
        """Return the body of `model` with its weights as they are now."""
        return cls(model, recipe, data, body_digest(model))

    def describe(self, wanted: Wanted, images: ImageSet, dtype: DType = DTYPE) -> Description:
        """Return all that decides the features that are `wanted` of `images`, all those of the split."""
        return Description(
            weights=self.digest,
            network={"name": self.recipe.model.name, "options": dict(self.recipe.model.options)},
            preprocessing=describe_preprocessing(self.recipe, wanted.image_size),
            policy=describe_policy(wanted.policy),
            copy=wanted.copy if wanted.is_random else 0,
            seed=self.recipe.seed if wanted.is_random else None,
            data=self.data,
            split=wanted.split,
            shape=(len(images), feature_count(self.model)),
            dtype=dtype,
            device=images.device.type,
        )


def extract(
    body: FrozenBody, images: ImageSet, wanted: Wanted, folder: Path, watch: Watch, *, dtype: DType = DTYPE
) -> Features:
    """Return the features of all `images` of a split, memory-mapped: found in `folder`, or computed and kept there.

    An extraction that was killed goes on with the chunk that it had not finished, and ends with the same bits. There
    is never more than one chunk in memory.

    Args:
        body: the network.
        images: all images of the split.
        wanted: which features.
        folder: of all cached features (see `cache.features_folder`).
        watch: is told the progress, in images; it may raise to stop.
        dtype: of the stored numbers.

    Raises:
        DataError: what lies there is damaged or holds other features.
        StorageError: the disk is full or the place cannot be written.
        UnfitFeaturesError: a feature is not finite, or is too large or too small for `dtype`.
    """
    description = body.describe(wanted, images, dtype)
    total, size = description.shape[0], batch_of(description.device)
    text = f"features of {_name(wanted)}"

    def compute(positions: range) -> Features:
        rows = np.empty((len(positions), description.shape[1]), dtype)
        with body_of(body.model) as network:
            for start in range(positions.start, positions.stop, size):
                batch = range(start, min(start + size, positions.stop))
                exact = batch_features(network, body.recipe, images, wanted, batch).float().cpu()
                rows[start - positions.start : batch.stop - positions.start] = _rounded(exact, dtype, text)
                watch(text, batch.stop, total)
        return rows

    return Entry(folder / description.key, description).fill(compute, watch)


@torch.no_grad()
def batch_features(network: nn.Module, recipe: Recipe, images: ImageSet, wanted: Wanted, batch: range) -> Tensor:
    """Return the features f[B,D] of a batch of images, on their device.

    They are a pure function of the recipe's seed, the policy, the copy and the positions.

    Args:
        network: the network without its head, in evaluation mode (see `body_of`).
        recipe: states preprocessing, precision and seed.
        images: all images of the split.
        wanted: which features.
        batch: positions of the images.
    """
    preprocessing = replace(Preprocessing.of(recipe, wanted.image_size), image_size=wanted.image_size)
    pixels, labels = images.take(torch.arange(batch.start, batch.stop))
    if wanted.policy:
        generator = _generator(recipe, images.device, wanted, batch.start)
        pixels, _ = build_policy(wanted.policy, classes=1)(pixels, torch.zeros_like(labels), generator)
    inputs = preprocessing.finish(pixels)
    with mixed_precision(images.device, preprocessing.dtype):
        features: Tensor = network(inputs)
    return features


def _rounded(exact: Tensor, dtype: DType, text: str) -> Features:
    """Return features f32[B,D] as `dtype`.

    Raises:
        UnfitFeaturesError: they are not finite, or that type does not hold them to a thousandth.
    """
    if not bool(exact.isfinite().all()):
        raise UnfitFeaturesError(f"{text}: some are not finite", "use precision=fp32, or other weights to start from")
    rounded = exact.to(getattr(torch, dtype))
    if not bool((rounded.float() - exact).norm() <= _ROUNDING * exact.norm()):
        raise UnfitFeaturesError(
            f"{text}: they reach {float(exact.abs().max()):.3g}, which {dtype} numbers do not hold to a thousandth",
            "set cached_features=0 in the phase",
        )
    found: Features = rounded.numpy()
    return found


def _generator(recipe: Recipe, device: torch.device, wanted: Wanted, start: int) -> torch.Generator:
    purpose = f"features/{key_of({'policy': describe_policy(wanted.policy)})}"
    generator = torch.Generator(device)
    generator.manual_seed(derive_seed(recipe.seed, purpose, wanted.copy, start))
    return generator


def _name(wanted: Wanted) -> str:
    copy = f", copy {wanted.copy + 1}" if wanted.is_random else ""
    return f"{wanted.split}{copy}"
