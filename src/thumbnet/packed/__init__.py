"""Packed data: a folder of memory-mappable arrays, and the JSON sidecar that describes and guards them.

A packed folder holds `dataset.json` and, for each split, `<split>.images.npy` (uint8 [N, H, W, 3]),
`<split>.labels.npy` (int64 [N], -1 where unknown), `<split>.ids.json` (N strings) and, where boxes are known,
`<split>.boxes.npy` (int32 [N, 4]). The sidecar states, for each file, its size and the SHA-256 of its content (for an
array, of the bytes after the `.npy` header). The data set's fingerprint is computed from those same digests, so that
it does not depend on the archive, the paths or the time, and a verified folder proves its fingerprint.
"""

from thumbnet.packed.format import FORMAT_VERSION, SIDECAR, TINY_IMAGENET_FINGERPRINT, TINY_IMAGENET_SIZE, ClassInfo
from thumbnet.packed.holdout import holdout_mask, packed_split_of, subset_indices
from thumbnet.packed.reader import PackedDataset, PackedSplit, default_path, is_at, load
from thumbnet.packed.writer import DatasetWriter, SplitWriter, create

__all__ = [
    "FORMAT_VERSION",
    "SIDECAR",
    "TINY_IMAGENET_FINGERPRINT",
    "TINY_IMAGENET_SIZE",
    "ClassInfo",
    "DatasetWriter",
    "PackedDataset",
    "PackedSplit",
    "SplitWriter",
    "create",
    "default_path",
    "holdout_mask",
    "is_at",
    "load",
    "packed_split_of",
    "subset_indices",
]
