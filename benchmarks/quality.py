"""Measure how well wrong labels and duplicates are found.

    python -m benchmarks.quality RUN DATA --record records/quality.json

Labels of val are flipped on purpose, to any other class or to those that the network finds alike, and searched by the
run's stored predictions. The identical images of the whole data are searched and compared with the identical files
that packing found. Training images are retouched, and each is compared with what it was.
"""

import argparse
import io
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from benchmarks.flips import Method, by_margin, flip_labels, found, suspected
from benchmarks.program import add_record, write
from thumbnet import environment, packed
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.quality import likeness
from thumbnet.quality.duplicates import OUTLINE_MATCH, RADIUS, THRESHOLD, Duplicates, find_duplicates
from thumbnet.run import RunDirectory

SHARES = (0.02, 0.05, 0.1)
SEEDS = 5
RETOUCHED = 2000
JPEG_QUALITY = 30
SHIFT = 2

Edit = Callable[[Image.Image], Image.Image]


def main() -> None:
    """Measure, print, and write a record when one is asked for."""
    parser = argparse.ArgumentParser(description="How well wrong labels and duplicates are found.")
    parser.add_argument("run", type=Path, help="a complete run with predictions for val")
    parser.add_argument("data", type=Path, help="the packed data of the run")
    add_record(parser)
    options = parser.parse_args()
    run, dataset = RunDirectory.open(options.run), packed.load(options.data)
    predictions = run.predictions("val")
    figures = {
        "network": run.recipe().name,
        "top1": predictions.scores().top1,
        "fingerprint": dataset.fingerprint,
        "flipped": measure_flips(predictions),
        "duplicates": measure_duplicates(dataset),
        "retouched": measure_retouched(dataset),
    }
    for name, value in figures.items():
        print(f"{name}: {value}")
    # The folders are of no interest to a reader.
    write(options.record, figures, environment.describe("cpu", 1), [options.run.name, dataset.name])


def measure_flips(predictions: Predictions) -> dict[str, Any]:
    """Return precision and recall of each method, by how labels were flipped and how many, as means over seeds."""
    probabilities, labels = predictions.probabilities(), predictions.labels
    classes = len(predictions.classes)
    alike = np.zeros((classes, classes))
    np.add.at(alike, labels, probabilities)
    kinds = {"to any class": np.ones((classes, classes)), "to similar classes": alike}
    return {
        f"{share:g} {kind}": {
            method: _mean(
                [_searched(probabilities, labels, share, weights, method=method, seed=seed) for seed in range(SEEDS)]
            )
            for method in get_args(Method)
        }
        for (kind, weights), share in itertools.product(kinds.items(), SHARES)
    }


def _searched(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    share: float,
    weights: NDArray[np.float64],
    *,
    method: Method,
    seed: int,
) -> dict[str, float]:
    flipped = flip_labels(labels, share, np.random.default_rng(seed), weights)
    wrong = flipped != labels
    rows = suspected(probabilities, flipped, method)
    furthest = by_margin(rows, probabilities, flipped)
    figures = found(np.isin(np.arange(len(labels)), rows), wrong)
    surest = round(len(labels) * 0.01)
    return {
        "suspects": figures.suspects,
        "precision": figures.precision,
        "recall": figures.recall,
        "precision_of_surest_1%": float(wrong[rows[:surest]].mean()),
        "precision_of_surest_1%_by_margin": float(wrong[furthest[:surest]].mean()),
        "precision_of_as_many_as_flipped": float(wrong[rows[: int(wrong.sum())]].mean()),
    }


def measure_duplicates(dataset: PackedDataset) -> dict[str, Any]:
    """Return what the search found, how long it took, and whether it agrees with the files that packing compared."""
    start, cpu = time.perf_counter(), time.process_time()
    result = find_duplicates(dataset)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    known = _known_pairs(dataset)
    identical = _pairs(dataset, result)
    return {
        "images": sum(dataset.counts.values()),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_memory_bytes": environment.peak_memory_bytes(),
        "known_identical_pairs": len(known),
        "identical_pairs": len(identical),
        "identical_precision": len(known & identical) / len(identical),
        "identical_recall": len(known & identical) / len(known),
        "identical_by_splits": result.by_splits(result.identical),
        "near_pairs": int((~result.identical).sum()),
        "near_by_splits": result.by_splits(~result.identical),
        "least_agreement": float(result.agreement.min()),
        "threshold": result.threshold,
        "radius_bits": result.radius,
    }


def _known_pairs(dataset: PackedDataset) -> set[frozenset[str]]:
    groups = [
        [f"{split}/{Path(file).name}" for split, file in zip(group["splits"], group["files"], strict=True)]
        for group in dataset.facts["identical_files"]["groups"]
    ]
    return {frozenset(pair) for group in groups for pair in itertools.combinations(group, 2)}


def _pairs(dataset: PackedDataset, result: Duplicates) -> set[frozenset[str]]:
    ids = [dataset.split(name, verify=False).image_ids for name in result.splits]
    columns = (result.first_split, result.first, result.second_split, result.second)
    return {
        frozenset((f"{result.splits[a]}/{ids[a][i]}", f"{result.splits[b]}/{ids[b][j]}"))
        for a, i, b, j in zip(*(column[result.identical].tolist() for column in columns), strict=True)
    }


def measure_retouched(dataset: PackedDataset) -> dict[str, Any]:
    """Return for each way of retouching the share of images that are found as near duplicates of what they were."""
    images = dataset.split("train", verify=False).images
    rows = np.sort(np.random.default_rng(0).choice(len(images), RETOUCHED, replace=False))
    originals = [Image.fromarray(images[row]) for row in rows.tolist()]
    before = likeness.shrink(np.stack([np.asarray(one) for one in originals]))
    return {name: _found_again(before, [edit(one) for one in originals]) for name, edit in _edits().items()}


def _found_again(before: likeness.Grey, edited: list[Image.Image]) -> dict[str, float]:
    after = likeness.shrink(np.stack([np.asarray(one) for one in edited]))
    bits = np.bitwise_count(likeness.perceptual_hash(before) ^ likeness.perceptual_hash(after)).sum(axis=0)
    near = (bits <= RADIUS) & (likeness.match(likeness.outline(before), likeness.outline(after)) >= OUTLINE_MATCH)
    alike = likeness.agreement(before, after) >= THRESHOLD
    return {"candidates": float(near.mean()), "found": float((near & alike).mean())}


def _edits() -> dict[str, Edit]:
    def jpeg(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=JPEG_QUALITY)
        return Image.open(buffer).convert("RGB")

    def resized(image: Image.Image) -> Image.Image:
        side = image.width
        return image.resize((side // 2, side // 2), Image.Resampling.BICUBIC).resize((side, side))

    def cropped(image: Image.Image) -> Image.Image:
        side = image.width
        return image.resize((side, side), Image.Resampling.BICUBIC, (SHIFT, SHIFT, side - SHIFT, side - SHIFT))

    return {
        f"JPEG of quality {JPEG_QUALITY}": jpeg,
        "half the size and back": resized,
        "brightness 1.2, contrast 0.8": lambda one: ImageEnhance.Contrast(
            ImageEnhance.Brightness(one).enhance(1.2)
        ).enhance(0.8),
        "greyscale": lambda one: one.convert("L").convert("RGB"),
        f"moved by {SHIFT} pixels": lambda one: one.transform(
            one.size, Image.Transform.AFFINE, (1, 0, SHIFT, 0, 1, SHIFT)
        ),
        f"cropped by {SHIFT} pixels a side": cropped,
    }


def _mean(results: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in results])) for name in results[0]}


if __name__ == "__main__":
    main()
