"""Measure how well wrong labels and duplicates are found.

    python -m benchmarks.quality RUN DATA --record records/quality.json

Labels of val are flipped on purpose, to any other class or to those that the network finds alike, and searched by the
run's stored predictions. Labels of train are flipped likewise, and the heads of the cross-fit are fitted to them anew,
on the run's features, which are computed once and kept in the cache. The body saw the true labels, which a user's body
would not have: what is found is an upper bound.

The identical images of the whole data are searched and compared with the identical files that packing found. Training
images are retouched, and each is compared with what it was.
"""

import argparse
import io
import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from scipy.special import softmax
from torch import Tensor

from benchmarks.flips import Method, by_margin, flip_labels, found, suspected
from benchmarks.program import add_record, write
from thumbnet import environment, packed
from thumbnet.analysis import CrossFit
from thumbnet.analysis.crossfit import cross_fitted_logits
from thumbnet.data import whole_split
from thumbnet.evaluate import Preprocessing
from thumbnet.features.cache import features_folder
from thumbnet.features.extraction import FrozenBody, Wanted, extract
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.quality import likeness
from thumbnet.quality.duplicates import OUTLINE_MATCH, RADIUS, THRESHOLD, Duplicates, find_duplicates
from thumbnet.run import RunDirectory
from thumbnet.train.hardware import choose_device, prepare_cpu
from thumbnet.workflows.judging import load_network

HOW = CrossFit()
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
    parser.add_argument("--cache", type=Path, help="folder of cached features; by default the user's own")
    parser.add_argument("--threads", type=int, help="CPU threads; by default as many as torch chooses")
    add_record(parser)
    options = parser.parse_args()
    prepare_cpu(options.threads)
    device = choose_device("cpu")
    run, dataset = RunDirectory.open(options.run), packed.load(options.data)
    predictions = run.predictions("val")
    duplicates = measure_duplicates(dataset)  # first, for its peak of memory is the process's
    figures = {
        "network": run.recipe().name,
        "top1": predictions.scores().top1,
        "fingerprint": dataset.fingerprint,
        "flipped": measure_flips(predictions),
        "flipped_train": measure_train_flips(predictions, train_features(run, dataset, device, options.cache)),
        "duplicates": duplicates,
        "retouched": measure_retouched(dataset),
    }
    for name, value in figures.items():
        print(f"{name}: {value}")
    # The folders are of no interest to a reader.
    write(options.record, figures, environment.describe("cpu", 1), [options.run.name, dataset.name])


def measure_flips(predictions: Predictions) -> dict[str, Any]:
    """Return precision and recall of each method, by how labels were flipped and how many, as means over seeds."""
    probabilities, labels = predictions.probabilities(), predictions.labels

    def searched(share: float, weights: NDArray[np.float64], method: Method, seed: int) -> dict[str, float]:
        flipped = flip_labels(labels, share, np.random.default_rng(seed), weights)
        return _searched(probabilities, flipped, flipped != labels, method)

    return {
        f"{share:g} {kind}": {
            method: _mean([searched(share, weights, method, seed) for seed in range(SEEDS)])
            for method in get_args(Method)
        }
        for (kind, weights), share in itertools.product(_kinds(predictions).items(), SHARES)
    }


def train_features(
    run: RunDirectory, dataset: PackedDataset, device: torch.device, cache: Path | None
) -> tuple[Tensor, NDArray[np.int64]]:
    """Return features f16[N,D] of the run's training images, computed where the cache lacks them, and their labels.

    Args:
        run: complete.
        dataset: the packed data that it trained on.
        device: where to compute.
        cache: folder of cached features; `None` for the user's own.
    """
    recipe, train = run.recipe(), whole_split(dataset, "train", device)
    body = FrozenBody.of(load_network(run, "last", device), recipe, dataset.fingerprint)
    wanted = Wanted("train", Preprocessing.of(recipe, dataset.image_size).image_size, recipe.evaluation.policy)
    found = extract(body, train.images, wanted, features_folder(cache), _tell)
    return torch.from_numpy(found), train.labels.numpy()


def measure_train_flips(
    predictions: Predictions, features: tuple[Tensor, NDArray[np.int64]], how: CrossFit = HOW, seed: int = 0
) -> dict[str, Any]:
    """Return precision and recall on flipped labels of train, by heads that are cross-fitted to the flipped labels.

    Args:
        predictions: for val, which say what classes are alike.
        features: of the training images, f16[N,D], and their labels.
        how: the heads are fitted.
        seed: of the flips, the folds and the batches; one draw of each, as every one takes minutes.
    """
    rows, labels = features
    classes = len(predictions.classes)
    figures: dict[str, Any] = {}
    for (kind, weights), share in itertools.product(_kinds(predictions).items(), SHARES):
        flipped = flip_labels(labels, share, np.random.default_rng(seed), weights)
        given = torch.from_numpy(flipped)
        logits = cross_fitted_logits(rows, given, classes, how, seed=seed, device=torch.device("cpu"), watch=_tell)
        probabilities = softmax(logits.numpy().astype(np.float64), axis=1)
        figures[f"{share:g} {kind}"] = _searched(probabilities, flipped, flipped != labels, "class")
    return figures


def _kinds(predictions: Predictions) -> dict[str, NDArray[np.float64]]:
    """Return how labels are flipped: as weights f64[K,K] of the class that a label of each class becomes."""
    classes = len(predictions.classes)
    alike = np.zeros((classes, classes))
    np.add.at(alike, predictions.labels, predictions.probabilities())
    return {"to any class": np.ones((classes, classes)), "to similar classes": alike}


def _searched(
    probabilities: NDArray[np.float64], flipped: NDArray[np.int64], wrong: NDArray[np.bool_], method: Method
) -> dict[str, float]:
    rows = suspected(probabilities, flipped, method)
    furthest = by_margin(rows, probabilities, flipped)
    figures = found(np.isin(np.arange(len(flipped)), rows), wrong)
    surest = max(1, round(len(flipped) * 0.01))
    return {
        "suspects": figures.suspects,
        "precision": figures.precision,
        "recall": figures.recall,
        "precision_of_surest_1%": _share(wrong[rows[:surest]]),
        "precision_of_surest_1%_by_margin": _share(wrong[furthest[:surest]]),
        "precision_of_as_many_as_flipped": _share(wrong[rows[: int(wrong.sum())]]),
    }


def _share(wrong: NDArray[np.bool_]) -> float:
    """Return the share of wrong labels; 0 of none, as for all suspects."""
    return float(wrong.mean()) if len(wrong) else 0.0


def _tell(text: str, done: int, total: int) -> None:
    print(f"{text}: {done:,} of {total:,}", file=sys.stderr)


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
        "identical_precision": len(known & identical) / len(identical) if identical else None,
        "identical_recall": len(known & identical) / len(known) if known else None,
        "identical_by_splits": result.by_splits(result.identical),
        "near_pairs": int((~result.identical).sum()),
        "near_by_splits": result.by_splits(~result.identical),
        "least_agreement": float(result.agreement.min()) if len(result.agreement) else None,
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
    rows = np.sort(np.random.default_rng(0).choice(len(images), min(RETOUCHED, len(images)), replace=False))
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
