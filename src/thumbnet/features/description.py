"""Everything that decides the features of a split, and the key that follows from it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from thumbnet import environment
from thumbnet.recipe import Policy, Recipe, to_json

FORMAT_VERSION = 1

BATCH = 64
"""Images that go through the network at a time on a CPU: as fast there as larger batches, in less memory.

Random draws are made for a batch, so it decides the features.
"""

_ACCELERATOR_BATCHES = 8
"""How many times as many on another device, which wants more at once."""

CHUNK = 64 * BATCH
"""Images whose features are written at a time: what a killed extraction loses at most."""

DType = Literal["float16", "float32"]

DTYPE: DType = "float16"
"""How training keeps features. A linear head on those of 5,000 images of Tiny ImageNet by EfficientNet-Lite0 gave the
same 2,000 of 2,000 val predictions as with float32 (logits differ by at most 0.007, with a deviation of 2.0)."""

_KEY_DIGITS = 32

_CODE = ("augment/**/*.py", "data/**/*.py", "evaluate.py", "features/**/*.py", "models/**/*.py", "randomness.py")
"""Modules of this package that decide features."""


def digest_of_code(package: Path) -> str:
    """Return the SHA-256 over names and contents of the modules that decide features, in the folder `package`."""
    digest = hashlib.sha256()
    for file in sorted(file for pattern in _CODE for file in package.glob(pattern)):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(package).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


_DIGEST = digest_of_code(Path(__file__).parents[1])
"""Of the code of this process: taken when it is loaded, for its files may be changed later."""


@dataclass(frozen=True)
class Description:
    """What decides the features of one split under one policy.

    Attributes:
        weights: digest of all weights and buffers but the head's.
        network: `name` and `options`.
        preprocessing: `image_size` (pixels), `interpolation`, `mean`, `std`, `precision` and `channels_last`.
        policy: operations as JSON data.
        copy: which of several random copies; 0 where the policy draws nothing.
        seed: of the draws; `None` where there are none.
        data: fingerprint of the packed data.
        split: 'train', 'val' or 'test'; every image of it, in the order of the packed split.
        shape: number of images and of features.
        dtype: of the stored numbers.
        device: kind of device that computes: 'cpu', 'cuda' or 'mps'.
    """

    weights: str
    network: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    policy: tuple[Any, ...]
    copy: int
    seed: int | None
    data: str
    split: str
    shape: tuple[int, int]
    dtype: DType
    device: str

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON data, with the layout of the draws and the code and versions that compute."""
        versions = environment.versions()
        library, found, _ = str(self.network["name"]).partition("/")
        computing = ("thumbnet", "torch", library) if found else ("thumbnet", "torch")
        return {
            "format_version": FORMAT_VERSION,
            **{name: _plain(value) for name, value in vars(self).items()},
            "batch": batch_of(self.device),
            "chunk": CHUNK,
            "code": _DIGEST,
            **{name: versions[name] for name in computing},
        }

    @property
    def key(self) -> str:
        """Name of the folder that holds these features: a digest of all that decides them."""
        return key_of(self.to_json())


def batch_of(device: str) -> int:
    """Return how many images go through the network at a time on a kind of device."""
    return BATCH if device == "cpu" else _ACCELERATOR_BATCHES * BATCH


def key_of(described: Mapping[str, Any]) -> str:
    """Return the key that follows from a description as JSON data, 32 hexadecimal digits."""
    text = json.dumps(described, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]


def describe_preprocessing(recipe: Recipe, image_size: int) -> dict[str, Any]:
    """Return how images are prepared for the network, at a size of `image_size` pixels, as JSON data."""
    return {
        "image_size": image_size,
        "interpolation": recipe.interpolation,
        "mean": list(recipe.normalization.mean),
        "std": list(recipe.normalization.std),
        "precision": recipe.precision,
        "channels_last": recipe.channels_last,
    }


def describe_policy(policy: Policy) -> tuple[Any, ...]:
    """Return `policy` as JSON data."""
    return tuple(to_json(operation) for operation in policy)


def _plain(value: object) -> Any:
    return to_json(value) if isinstance(value, tuple | Mapping) else value
