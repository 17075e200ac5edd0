"""Take training steps on a CUDA device where each wait for the device is an error, and say which cases wait.

    python -m benchmarks.waits --device cuda

The steps are the product's own, on the digits: batch from packed data, every augmentation, normalise, and all that the
loop notes. The first few may wait, as for constants, memory and the choice of kernels; evaluations, checkpoints and
the journal's blocks, which read from the device on purpose, do not happen.
"""

import argparse
import math
import sys
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

import thumbnet
from benchmarks.augment import OPERATIONS
from benchmarks.loop import StopAfter
from thumbnet.data import training_subsets
from thumbnet.errors import ThumbnetError, TrainingError
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Ema, Optimizer, Phase, Recipe, epochs, operation
from thumbnet.recipes import find_recipe
from thumbnet.run import RunDirectory
from thumbnet.sources.pack import pack
from thumbnet.train.hardware import choose_device
from thumbnet.train.journal import Journal
from thumbnet.train.loop import Loop
from thumbnet.train.plan import Plan, make_plan
from thumbnet.train.progress import Silent
from thumbnet.train.trainer import Trainer, make_trainer

FREE, WATCHED = 5, 10
"""Steps of a case that may wait, and those after them that may not: together less than a block of the journal."""


def main() -> None:
    """Take the steps of every case, print what is found, and exit with 1 where one waits."""
    parser = argparse.ArgumentParser(description="Does a training step wait for the device?")
    parser.add_argument("--device", default="cuda", help="torch's name of a CUDA device")
    try:
        found = waits(parser.parse_args().device)
    except ThumbnetError as error:
        sys.exit(str(error))
    for name, place in found.items():
        Console().print(f"{name}: {'no step waits' if place is None else f'waits in {place}'}")
    sys.exit(any(place is not None for place in found.values()))


def waits(name: str) -> dict[str, str | None]:
    """Return by case where its steps first wait for the device called `name`, and `None` where they do not.

    Raises:
        TrainingError: there is no such device here, or it is none of CUDA's.
    """
    device = choose_device(name)
    if device.type != "cuda":
        raise TrainingError(
            f"device {name!r}: torch says of CUDA devices alone what waits for them; use --device cuda"
        )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        dataset = pack("digits", folder / "data")
        return {case: first_wait(recipe, dataset, device, folder / case) for case, recipe in cases().items()}


def cases() -> Mapping[str, Recipe]:
    """Return recipes by name: every augmentation in each precision, and what else a step may hold."""
    policy = (operation("resize", size=64), *OPERATIONS)
    plain = replace(find_recipe("demo"), phases=(Phase(epochs(1000), policies=((), policy), image_size=32),))
    return {
        **{precision: replace(plain, precision=precision) for precision in ("fp32", "bf16", "fp16")},
        "channels last": replace(plain, channels_last=True),
        "clipped, with momentum": replace(plain, clip_norm=1.0, optimizer=Optimizer("nesterov", lr=0.01)),
        "averaged": replace(plain, ema=Ema(decay=0.9)),
    }


def first_wait(recipe: Recipe, dataset: PackedDataset, device: torch.device, folder: Path) -> str | None:
    """Return the file and line of the package where a watched step first waits, `None` where none does."""
    subsets = training_subsets(dataset, device, recipe)
    plan = make_plan(recipe, len(subsets["train"].positions), dataset.image_size)
    trainer = make_trainer(recipe, Plan(plan.phases, frozenset()), dataset, subsets, device)
    loop = _loop(trainer, RunDirectory.create(folder, recipe, {}, {}, "benchmarks/waits.py"), FREE)
    loop.run_steps()
    loop = _loop(trainer, loop.run, FREE + WATCHED)
    torch.cuda.set_sync_debug_mode("error")
    try:
        loop.run_steps()
    except RuntimeError as error:
        if "synchronizing" not in str(error):
            raise
        return _place(error)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return None


def _place(error: Exception) -> str:
    """Return the last file of the package, and the line, on the way to `error`."""
    package = Path(thumbnet.__file__).parent
    way = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    file, line = [(file, line) for file, line in way if file.is_relative_to(package)][-1]
    return f"{file.relative_to(package)}, line {line}"


class _Steps(Loop):
    """The product's loop with nothing after the steps."""

    def _checkpoint(self) -> None:
        """Keep nothing, and leave on the device what the journal holds."""


def _loop(trainer: Trainer, run: RunDirectory, last: int) -> Loop:
    stop = StopAfter(trainer, last)
    return _Steps(trainer, run, Journal(run, lambda _: None), Silent(), stop, checkpoint_seconds=math.inf)


if __name__ == "__main__":
    main()
