"""Measure a training step of EfficientNet-Lite0 on the CPU with and without the fast depthwise backward pass.

python -m benchmarks.depthwise [--size 160] [--batch 32] [--rounds 5] [--threads N] [--record FILE]
"""

import argparse
import contextlib
import statistics
import time

import timm
import torch
from torch.nn import functional

from benchmarks.program import add_record, write
from thumbnet.train.depthwise import FastDepthwise
from thumbnet.train.hardware import describe_hardware

NETWORK = "tf_efficientnet_lite0"


def images_per_second(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, fast: bool) -> float:
    """Return the images a second of one forward and backward pass in bfloat16."""
    model.zero_grad(set_to_none=True)
    began = time.perf_counter()
    mode = FastDepthwise() if fast else contextlib.nullcontext()
    with mode, torch.autocast("cpu", torch.bfloat16):
        loss = functional.cross_entropy(model(images).float(), labels)
    torch.autograd.backward(loss)
    return len(images) / (time.perf_counter() - began)


def measure(size: int, batch: int, rounds: int) -> dict[str, object]:
    """Return the images a second of both, in alternating rounds, and the ratio of each round."""
    torch.manual_seed(0)
    model = timm.create_model(NETWORK, num_classes=200).train().to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, size, size).to(torch.bfloat16, memory_format=torch.channels_last)
    labels = torch.randint(0, 200, (batch,))
    for fast in (False, True):
        images_per_second(model, images, labels, fast)
    plain, quick = [], []
    for number in range(rounds):
        plain.append(images_per_second(model, images, labels, False))
        quick.append(images_per_second(model, images, labels, True))
        print(f"round {number + 1}: {plain[-1]:.1f} images/s, {quick[-1]:.1f} with the fast backward pass")
    return {
        "network": NETWORK,
        "image_size": size,
        "batch_size": batch,
        "images_per_second": plain,
        "images_per_second_fast": quick,
        "ratio_median": statistics.median(after / before for before, after in zip(plain, quick, strict=True)),
    }


def main() -> None:
    """Measure and print, and write the record where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=160, help="side of the images, in pixels")
    parser.add_argument("--batch", type=int, default=32, help="images a step")
    parser.add_argument("--rounds", type=int, default=5, help="measured steps of each kind")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    add_record(parser)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    figures = measure(given.size, given.batch, given.rounds)
    print(f"ratio of each round, median: {figures['ratio_median']:.2f}")
    write(given.record, figures, describe_hardware(torch.device("cpu")))


if __name__ == "__main__":
    main()
