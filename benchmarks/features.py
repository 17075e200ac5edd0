"""Compare the extraction of features with the bare forward pass, and time a linear probe on cached features.

    python -m benchmarks.features --data DATA --threads 2 --record records/features.json

The bare pass takes one fixed batch, prepared beforehand, through the network without its head. The extraction is the
product's own: images from packed data, resize, normalise, network, rounding, checksums and files on the disk. Blocks
of as many images alternate in one process, and each round gives one ratio of images per second.

Then a linear head is trained on the features of all training images, twice: the first run computes the features, the
second finds them.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.program import add_record, write
from thumbnet import environment, packed, train
from thumbnet.data import ImageSet, place
from thumbnet.evaluate import DTYPES, Preprocessing
from thumbnet.features.body import body_of
from thumbnet.features.description import CHUNK, batch_of
from thumbnet.features.extraction import FrozenBody, Wanted, extract
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Evaluation, Model, Optimizer, Phase, Recipe, Schedule, epochs
from thumbnet.train.begin import begun
from thumbnet.train.hardware import (
    choose_device,
    describe_hardware,
    flush_denormals,
    peak_memory_bytes,
    prepare_cpu,
)
from thumbnet.train.trainer import initial_model


def main() -> None:
    """Measure, print a table, and write a record when one is asked for."""
    options = _parse()
    prepare_cpu(options.threads)
    device = choose_device(options.device)
    dataset = packed.load(options.data)
    recipe = begun(_linear_probe(options), dataset)
    with tempfile.TemporaryDirectory(dir=options.folder) as name, flush_denormals():
        figures = {"extraction": measure_extraction(recipe, dataset, device, options, Path(name))}
        if options.epochs:
            figures["linear_probe"] = measure_probe(recipe, dataset, options, Path(name))
    Console().print(table(figures))
    write(options.record, figures, describe_hardware(device))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Extraction of features against the bare forward pass.")
    parser.add_argument("--data", type=Path, default=packed.default_path(), help="packed data")
    parser.add_argument("--network", default="timm/tf_efficientnet_lite0", help="network, with a package's weights")
    parser.add_argument("--image-size", type=int, default=224, help="side of the images, in pixels")
    parser.add_argument("--precision", default="fp32", choices=sorted(DTYPES), help="precision of the network")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of blocks")
    parser.add_argument("--images", type=int, default=CHUNK, help="images of a block")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of the linear probe; 0 leaves it out")
    parser.add_argument("--threads", type=int, default=environment.usable_cpus(), help="CPU threads")
    parser.add_argument("--device", default="cpu", help="torch device, such as cpu or cuda")
    parser.add_argument("--folder", type=Path, help="where the features are kept meanwhile")
    add_record(parser)
    return parser.parse_args()


def _linear_probe(options: argparse.Namespace) -> Recipe:
    """Return the recipe that trains a linear head on the network's features."""
    length = epochs(max(1, options.epochs))
    return Recipe(
        name="features",
        model=Model(options.network, weights="package"),
        optimizer=Optimizer("adamw", lr=0.001),
        phases=(Phase(length, image_size=options.image_size, trainable="head", cached_features=1),),
        schedule=Schedule("cosine"),
        evaluation=Evaluation(every=length, train_images=0, image_size=options.image_size),
        preprocessing="network",
        precision=options.precision,
        channels_last=True,
    )


def measure_extraction(
    recipe: Recipe, dataset: PackedDataset, device: torch.device, options: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """Return the ratios of extraction to bare forward pass, the images per second of both, and the peak memory."""
    model = initial_model(recipe, dataset).to(device).to(memory_format=torch.channels_last)
    body = FrozenBody.of(model, recipe, dataset.fingerprint)
    images = place(dataset.split("train"), device)
    bare = _bare_block(body, images, options.images)
    rounds = []
    for number in range(options.rounds + 1):  # the first pair warms up
        block = _block(images, number, options.images)
        rounds.append((bare(), _extract_block(body, block, options.image_size, folder / f"round-{number}")))
    ratios = [of_bare / of_extraction for of_bare, of_extraction in rounds[1:]]
    rates = [[options.images / seconds for seconds in part] for part in zip(*rounds[1:], strict=True)]
    return {
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "bare_images_per_second": statistics.median(rates[0]),
        "images_per_second": statistics.median(rates[1]),
        "peak_memory_bytes": peak_memory_bytes(device),
        "rounds": options.rounds,
        "images_per_round": options.images,
        "network": options.network,
        "image_size": options.image_size,
        "precision": options.precision,
    }


def _block(images: ImageSet, number: int, count: int) -> ImageSet:
    """Return the images of one round, others in each as far as there are some."""
    start = number * count % max(1, len(images) - count + 1)
    return ImageSet(images.images[start : start + count], images.labels[start : start + count], images.device)


def _bare_block(body: FrozenBody, images: ImageSet, count: int) -> Callable[[], float]:
    """Return a function that takes `count` images through the network without its head and returns the seconds."""
    recipe = body.recipe
    preprocessing = Preprocessing.of(recipe, images.images.shape[1])
    batch = batch_of(images.device.type)
    inputs = preprocessing.finish(images.take(torch.arange(batch))[0])
    dtype = DTYPES[recipe.precision]

    @torch.no_grad()
    def block() -> float:
        with body_of(body.model) as network:
            began = time.perf_counter()
            for start in range(0, count, batch):
                with torch.autocast(images.device.type, dtype, enabled=dtype != torch.float32):
                    features = network(inputs[: min(batch, count - start)])
            features.cpu()  # waits for the device
            return time.perf_counter() - began

    return block


def _extract_block(body: FrozenBody, images: ImageSet, image_size: int, folder: Path) -> float:
    began = time.perf_counter()
    extract(body, images, Wanted("train", image_size), folder, lambda *_: None)
    return time.perf_counter() - began


def measure_probe(recipe: Recipe, dataset: PackedDataset, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return the times of a linear probe on all training images, without and with its features there."""
    chosen = train.Options(options.device, options.threads, cache=folder / "cache")
    first, second = (
        train.start(replace(recipe, name=name), dataset, folder / name, chosen).result()
        for name in ("first", "second")
    )
    images = sum(dataset.counts.values())
    seconds = first["total_seconds"] - second["total_seconds"]
    return {
        "epochs": second["epochs"],
        "train_seconds": second["train_seconds"],
        "total_seconds": second["total_seconds"],
        "images_per_second": second["images_per_second"],
        "val_top1": second["scores"]["val"]["top1"],
        "extraction_seconds": seconds,
        "extraction_images": images,
        "extraction_images_per_second": images / seconds,
        "peak_memory_bytes": second["peak_memory_bytes"],
    }


def table(figures: dict[str, dict[str, Any]]) -> Table:
    """Return the figures as a table."""
    result = Table("what", "measured", title="Features of a frozen network")
    found = figures["extraction"]
    low, high = found["ratio_min"], found["ratio_max"]
    result.add_row("extraction / bare forward", f"{found['ratio_median']:.1%} ({low:.1%} to {high:.1%})")
    result.add_row("bare forward", f"{found['bare_images_per_second']:.0f} images/s")
    result.add_row("extraction", f"{found['images_per_second']:.0f} images/s")
    result.add_row("peak memory", f"{found['peak_memory_bytes'] / 1e9:.2f} GB")
    if "linear_probe" in figures:
        probe = figures["linear_probe"]
        result.add_row("features of all images", f"{probe['extraction_seconds']:.0f} s")
        result.add_row(f"linear probe, {probe['epochs']:g} epochs", f"{probe['train_seconds']:.1f} s")
        result.add_row("val top-1", f"{probe['val_top1']:.1%}")
    return result


if __name__ == "__main__":
    main()
