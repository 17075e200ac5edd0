"""The names, version and digests that the reader and the writer of packed data share."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FORMAT_VERSION = 1
SIDECAR = "dataset.json"

DEFAULT_NAME = "tiny-imagenet-200"
TINY_IMAGENET_SIZE = 64
TINY_IMAGENET_FINGERPRINT = "cdda66f27e47601a78d44436caaf27a4bb55ba85c8500c36b6412510936fe657"
"""Fingerprint of the whole Tiny ImageNet at 64 pixels, by which it is told from other data of its layout."""


@dataclass(frozen=True)
class ClassInfo:
    """One class: `id` is its wnid or folder name, `name` what people call it."""

    id: str
    name: str


@dataclass(frozen=True)
class FileFacts:
    """What the sidecar says of one file: its size in bytes and the SHA-256 of its content."""

    size: int
    sha256: str


def split_files(split: str) -> tuple[str, str, str, str]:
    """Return the names of the files of a split: images, labels, ids, and boxes, which only some splits have."""
    return f"{split}.images.npy", f"{split}.labels.npy", f"{split}.ids.json", f"{split}.boxes.npy"


def fingerprint(
    classes: Sequence[ClassInfo], image_size: int, counts: Mapping[str, int], described: Mapping[str, FileFacts]
) -> str:
    """Return the SHA-256 over class ids, image size and the digests of each split's ids, labels and pixels."""
    content = {
        "classes": [item.id for item in classes],
        "image_size": image_size,
        "splits": {
            split: {kind: described[f"{split}.{kind}"].sha256 for kind in ("ids.json", "labels.npy", "images.npy")}
            for split in counts
        },
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
