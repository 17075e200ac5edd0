"""Measure what each augmentation costs, in microseconds per image.

    python -m benchmarks.augment --threads 2 --record records/augmentation.json

Every operation runs on a batch of 256 images of 64x64 in single precision, as do the two augmentation sets of
'Convolutional Neural Networks on Tiny ImageNet' (Mkrtchyan, 2022), normalisation included.
"""

import argparse
import functools
import statistics
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.program import add_record, times, write
from thumbnet import environment
from thumbnet.augment import Augmentation, build_policy, normalize
from thumbnet.recipe import Normalization, Operation, Policy, operation
from thumbnet.train.hardware import choose_device, describe_hardware, prepare_cpu

Figures = dict[str, dict[str, float]]

BATCH, SIDE, CLASSES, WARMUP = 256, 64, 200, 3

OPERATIONS: tuple[Operation, ...] = (
    operation("horizontal_flip"),
    operation("vertical_flip"),
    operation("translate_crop", padding=4),
    operation("random_crop", size=60),
    operation("random_resized_crop"),
    operation("center_crop", crop=56),
    operation("corner_crop", crop=56),
    operation("rotation", degrees=10),
    operation("rotation", degrees=10, interpolation="bilinear"),
    operation("gaussian_blur", kernel_size=5, sigma=(0.1, 2.0)),
    operation("brightness", amount=0.4),
    operation("contrast", amount=0.4),
    operation("saturation", amount=0.4),
    operation("hue", amount=0.1),
    operation("random_erasing"),
    operation("resize", size=32),
    operation("mixup", alpha=0.2),
    operation("cutmix", alpha=1.0),
)

SETS: dict[str, Policy] = {
    "mkrtchyan set 1": (operation("horizontal_flip"), operation("center_crop", crop=56)),
    "mkrtchyan set 2": (
        operation("rotation", degrees=10),
        operation("horizontal_flip"),
        operation("vertical_flip"),
        operation("gaussian_blur", kernel_size=5, sigma=(0.1, 2.0)),
    ),
}


def main() -> None:
    """Measure, print a table, and write a record when one is asked for."""
    parser = argparse.ArgumentParser(description="Microseconds per image of every augmentation.")
    parser.add_argument("--device", default="cpu", help="torch device, such as cpu or cuda")
    parser.add_argument("--threads", type=int, default=environment.usable_cpus(), help="CPU threads")
    parser.add_argument("--repeats", type=int, default=15, help="measurements of each operation")
    add_record(parser)
    options = parser.parse_args()
    prepare_cpu(options.threads)  # and its setting of the allocator, as training has it
    device = choose_device(options.device)
    figures = measure(device, options.repeats)
    Console().print(table(figures))
    write(options.record, figures, describe_hardware(device))


def measure(device: torch.device, repeats: int) -> Figures:
    """Return for every operation and set the median, least and greatest time in microseconds per image."""
    generator = torch.Generator(device).manual_seed(0)
    images = torch.rand(BATCH, 3, SIDE, SIDE, device=device, generator=generator)
    labels = torch.randint(0, CLASSES, (BATCH,), device=device, generator=generator)
    scale = Normalization()

    def normalized(batch: torch.Tensor) -> torch.Tensor:
        return normalize(batch, scale.mean, scale.std)

    def augmented(policy: Augmentation) -> torch.Tensor:
        return normalized(policy(images, labels, generator)[0])

    def timed(call: Callable[[], object]) -> dict[str, float]:
        return _summary(times(call, repeats, warm_up=WARMUP, device=device))

    figures: Figures = {}
    for one in OPERATIONS:
        single = build_policy((one,), CLASSES)
        figures[_label(one)] = timed(functools.partial(single, images, labels, generator))
    figures["normalize"] = timed(functools.partial(normalized, images))
    for name, policy in SETS.items():
        whole = build_policy(policy, CLASSES)
        figures[name] = timed(functools.partial(augmented, whole))
    return figures


def table(figures: Figures) -> Table:
    """Return the figures as a table."""
    result = Table(title=f"Augmentation, {BATCH} images of {SIDE}x{SIDE}, microseconds per image")
    result.add_column("operation")
    for column in ("median", "min", "max"):
        result.add_column(column, justify="right")
    for name, figure in figures.items():
        result.add_row(name, *(f"{figure[key]:.2f}" for key in ("microseconds_per_image", "min", "max")))
    return result


def _label(one: Operation) -> str:
    return one.name + (f" {one.options['interpolation']}" if "interpolation" in one.options else "")


def _summary(found: list[float]) -> dict[str, float]:
    per_image = [seconds / BATCH * 1e6 for seconds in found]
    return {"microseconds_per_image": statistics.median(per_image), "min": min(per_image), "max": max(per_image)}


if __name__ == "__main__":
    main()
