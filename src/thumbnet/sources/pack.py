"""Packing: a source is listed and checked, its images are decoded by threads, and written in order."""

import contextlib
import os
import shutil
import time
from collections import Counter, deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from thumbnet import packed
from thumbnet.errors import DataError, StorageError
from thumbnet.files import check_absent
from thumbnet.sources.class_folders import list_class_folders
from thumbnet.sources.decode import Batch, decode_batch, pillow_warnings
from thumbnet.sources.digits import list_digits
from thumbnet.sources.download import download
from thumbnet.sources.identical import identical_files
from thumbnet.sources.listing import Listing
from thumbnet.sources.opening import open_tree
from thumbnet.sources.tiny_imagenet import is_tiny_imagenet, list_tiny_imagenet
from thumbnet.sources.tree import FileSource
from thumbnet.submission import fits
from thumbnet.watch import Watch, silent

BATCH = 256
"""Most images a task: enough that handing tasks over costs nothing, few enough that the queue stays small."""

BATCH_BYTES = 4 * 2**20
"""Most pixels a task, in bytes, unless one image has more: so large images do not fill the memory."""

MOST_NAMED = 10
"""Bad files that an error names."""

DEFAULT_SIZE = 64
DEFAULT_DIGITS_SIZE = 32


def pack(
    source: Path | Literal["digits"] | None,
    out: Path,
    *,
    size: int | None = None,
    val_fraction: float = 0.1,
    threads: int = 0,
    watch: Watch = silent,
) -> packed.PackedDataset:
    """Check a source whole and write it as packed data.

    Args:
        source: an archive or folder in Tiny ImageNet's layout or of class folders; `digits` for scikit-learn's digits;
            None for the official Tiny ImageNet archive, which is downloaded to the cache folder.
        out: the folder to make; it must not exist.
        size: height and width of the packed images, in pixels; by default 64, and 32 for the digits.
        val_fraction: share of each class that becomes val where the source has no val split, above 0 and below 1.
        threads: threads that decode; 0 is one for each processor.
        watch: is told the progress, in images (of a download: in bytes).

    Returns:
        The packed data set.

    Raises:
        DataError: the source is missing, incomplete or damaged, or an option is out of range. Of several bad files the
            first are named in the error's notes.
        StorageError: `out` exists or cannot be written, or the source cannot be read.
    """
    if size is not None and not 4 <= size <= 1024:
        raise DataError(f"size is {size}: it must be from 4 to 1024 pixels")
    if not 0 < val_fraction < 1:
        raise DataError(f"val_fraction is {val_fraction}: it must be above 0 and below 1")
    if threads < 0:
        raise DataError(f"threads is {threads}: it must be 0 (one for each processor) or more")
    check_absent(out)
    started = time.perf_counter()
    if source == "digits":
        digits, listing = list_digits(val_fraction)
        return _write(digits, listing, out, size or DEFAULT_DIGITS_SIZE, threads=threads, watch=watch, started=started)
    with open_tree(download(watch=watch) if source is None else source) as tree:
        listing = list_tiny_imagenet(tree) if is_tiny_imagenet(tree) else list_class_folders(tree, val_fraction)
        listing = replace(listing, notes=(*tree.notes, *listing.notes, *_unfit_classes(listing)))
        return _write(tree, listing, out, size or DEFAULT_SIZE, threads=threads, watch=watch, started=started)


def _unfit_classes(listing: Listing) -> list[str]:
    """Return a note where a submission cannot state some of the classes."""
    unfit = [item.id for item in listing.classes if not fits("image", item.id)]
    if not unfit:
        return []
    note = f"{len(unfit):,} of the class names have a blank, first {unfit[0]!r}: predictions can be written as .npz, "
    return [note + "not as text; for text, give the folders names without blanks and pack them again"]


def _write(
    source: FileSource,
    listing: Listing,
    out: Path,
    size: int,
    *,
    threads: int,
    watch: Watch,
    started: float,
) -> packed.PackedDataset:
    total = sum(len(split.files) for split in listing.splits.values())
    conversions: dict[str, Counter[str]] = {}
    checksums: dict[str, list[tuple[int, int]]] = {}
    refused: list[str] = []
    done = 0
    with (
        packed.create(out, name=listing.name, image_size=size, classes=listing.classes) as writer,
        pillow_warnings(),
    ):
        _check_space(out, total * size * size * 3)
        for name, split in listing.splits.items():
            conversions[name], checksums[name] = Counter(), []
            with (
                writer.split(name, split.image_ids, split.labels, split.boxes) as images,
                contextlib.closing(_decoded(source, split.files, size, threads)) as batches,
            ):
                for batch in batches:
                    images.append(batch.pixels)
                    conversions[name].update(batch.conversions)
                    checksums[name] += batch.checksums
                    refused += batch.refused
                    done += len(batch.pixels)
                    watch("reading", done, total)
        _check_refused(listing.name, refused, total)
        identical = identical_files(source, listing, checksums)
        writer.facts.update(_facts(listing, conversions, identical, size))
        writer.facts["seconds"] = round(time.perf_counter() - started, 3)
    return packed.load(out)


def _decoded(source: FileSource, files: Sequence[str], size: int, threads: int) -> Generator[Batch, None, None]:
    """Yield the decoded images in order, from a pool that runs a bounded number of tasks ahead."""
    workers = threads or os.cpu_count() or 1
    waiting: deque[Future[Batch]] = deque()
    count = min(BATCH, max(1, BATCH_BYTES // (size * size * 3)))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        for start in range(0, len(files), count):
            waiting.append(pool.submit(decode_batch, source, files[start : start + count], size))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _check_refused(name: str, refused: Sequence[str], total: int) -> None:
    """Raise an error of the bad files: of one its line, of more their number and, as notes, the lines of the first."""
    if len(refused) == 1:
        raise DataError(refused[0])
    if refused:
        error = DataError(
            f"{name}: {len(refused):,} of {total:,} files cannot be packed; mend, replace or remove them"
        )
        for line in refused[:MOST_NAMED]:
            error.add_note(line)
        if len(refused) > MOST_NAMED:
            error.add_note(f"and {len(refused) - MOST_NAMED:,} more")
        raise error


def _facts(
    listing: Listing, conversions: dict[str, Counter[str]], identical: dict[str, Any], size: int
) -> dict[str, Any]:
    ids = [item.id for item in listing.classes]
    per_class = {
        name: dict(zip(ids, np.bincount(split.labels[split.labels >= 0], minlength=len(ids)).tolist(), strict=True))
        for name, split in listing.splits.items()
        if split.labels.max() >= 0
    }
    return {
        "source": listing.kind,
        "notes": list(listing.notes),
        **listing.facts,
        "converted": {name: dict(sorted(counts.items())) for name, counts in conversions.items()},
        "resize": f"centred square of the shorter side, to {size}x{size}, bicubic with antialiasing",
        "boxes": [name for name, split in listing.splits.items() if split.boxes is not None],
        "images_per_class": per_class,
        "identical_files": identical,
    }


def _check_space(out: Path, needed: int) -> None:
    free = shutil.disk_usage(out.parent).free
    if free < needed:
        raise StorageError(
            f"{out}: the packed data needs {needed / 1e9:.1f} GB and the disk has {free / 1e9:.1f} GB free; "
            "free some space or choose another place"
        )
