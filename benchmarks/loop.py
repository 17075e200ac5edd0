"""Compare the whole training loop with the bare model step on fixed tensors, in one process with interleaved rounds.

    python -m benchmarks.loop --data DATA --threads 2 --record records/training-loop.json

The bare step is forward, loss, backward, optimiser step and zeroing the gradients, on one fixed batch in the recipe's
precision and memory format. The loop is the product's own: batch from packed data, horizontal flip, normalise, and
all that it notes; checkpoints and evaluations, which are no part of a step, do not happen. Blocks of steps of the two
alternate, and each round gives one ratio of images per second.

Each recipe is measured twice, in processes of their own: with the setting of the C library's allocator that training
makes (`thumbnet.train.hardware`), and without it.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional

from benchmarks.program import add_record, this_program, wait, write
from thumbnet import environment, packed
from thumbnet.data import training_subsets
from thumbnet.evaluate import DTYPES
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Phase, Recipe, epochs, operation
from thumbnet.recipes import find_recipe
from thumbnet.run import RunDirectory
from thumbnet.train import hardware
from thumbnet.train.interrupt import StopRequest
from thumbnet.train.journal import Journal
from thumbnet.train.loop import Loop
from thumbnet.train.plan import Plan, make_plan
from thumbnet.train.progress import Silent
from thumbnet.train.trainer import Trainer, make_trainer

Figures = dict[str, float]


def main() -> None:
    """Measure, print a table, and write a record when one is asked for."""
    options = _parse()
    if options.worker is not None:
        sys.stdout.write(json.dumps(measure(options)) + "\n")
        return
    figures = {name: _both_settings(name, options) for name in options.recipes}
    Console().print(table(figures))
    hardware.prepare_cpu(options.threads)
    about = hardware.describe_hardware(hardware.choose_device(options.device))
    write(options.record, figures, about)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The training loop against the bare model step.")
    parser.add_argument("--recipes", nargs="+", default=["ma-scratch-64", "mkrtchyan-m1"], help="recipes to measure")
    parser.add_argument("--data", type=Path, default=packed.default_path(), help="packed data")
    parser.add_argument("--rounds", type=int, default=9, help="pairs of blocks")
    parser.add_argument("--steps", type=int, default=12, help="steps of a block")
    parser.add_argument("--threads", type=int, default=environment.usable_cpus(), help="CPU threads")
    parser.add_argument("--device", default="cpu", help="torch device, such as cpu or cuda")
    add_record(parser)
    parser.add_argument("--worker", help=argparse.SUPPRESS)  # measures one recipe; the program calls itself
    parser.add_argument("--default-malloc", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _both_settings(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of a recipe with the product's allocator setting, and what the setting gains."""
    kept, default = (_worker(name, options, arguments) for arguments in ([], ["--default-malloc"]))
    gains = {
        f"{part}_images_per_second_with_default_malloc": default[f"{part}_images_per_second"]
        for part in ("bare", "loop")
    }
    ratio = kept["loop_images_per_second"] / default["loop_images_per_second"]
    return kept | gains | {"loop_speedup_by_malloc_setting": ratio}


def _worker(name: str, options: argparse.Namespace, arguments: list[str]) -> Figures:
    command = [sys.executable, *this_program()[1:], "--worker", name, "--data", str(options.data)]
    for key in ("device", "rounds", "steps", "threads"):
        command += [f"--{key}", str(getattr(options, key))]
    done = subprocess.run([*command, *arguments], stdout=subprocess.PIPE, check=True, text=True)
    figures: Figures = json.loads(done.stdout)
    return figures


def measure(options: argparse.Namespace) -> Figures:
    """Return the ratios of loop to bare step, and the images per second of both, for one recipe."""
    # With default_malloc the setting of the allocator is what is measured, so this process goes without it.
    prepare = hardware.set_threads if options.default_malloc else hardware.prepare_cpu
    prepare(options.threads)
    device = hardware.choose_device(options.device)
    dataset = packed.load(options.data)
    recipe = _endless(find_recipe(options.worker))
    bare = bare_block(_trainer(recipe, dataset, device), options.steps)
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory.create(Path(folder) / "run", recipe, {}, {}, "benchmarks/loop.py")
        loop = loop_block(_trainer(recipe, dataset, device), run, options.steps)
        rounds = [(bare(), loop()) for _ in range(options.rounds + 1)][1:]  # the first pair warms up
    images = options.steps * recipe.batch_size
    ratios = [of_bare / of_loop for of_bare, of_loop in rounds]
    return {
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "bare_images_per_second": images / statistics.median(of_bare for of_bare, _ in rounds),
        "loop_images_per_second": images / statistics.median(of_loop for _, of_loop in rounds),
        "rounds": options.rounds,
        "steps_per_round": options.steps,
        "batch_size": recipe.batch_size,
    }


def _endless(recipe: Recipe) -> Recipe:
    """Return `recipe` as one long phase with horizontal flips and nothing else."""
    phase = Phase(epochs(1000), policies=((operation("horizontal_flip"),),), image_size=recipe.phases[0].image_size)
    return replace(recipe, phases=(phase,))


def _trainer(recipe: Recipe, dataset: PackedDataset, device: torch.device) -> Trainer:
    subsets = training_subsets(dataset, device, recipe)
    plan = make_plan(recipe, len(subsets["train"].positions), dataset.image_size)
    return make_trainer(recipe, Plan(plan.phases, frozenset()), dataset, subsets, device)


def bare_block(trainer: Trainer, steps: int) -> Callable[[], float]:
    """Return a function that takes `steps` bare steps and returns their seconds."""
    recipe, model = trainer.recipe, trainer.state.model
    trainer.enter(0)
    images, targets = trainer.batch(0)
    optimizer = trainer.state.optimizer
    assert optimizer is not None
    dtype = DTYPES[recipe.precision]

    def block() -> float:
        wait(trainer.device)
        began = time.perf_counter()
        for _ in range(steps):
            with torch.autocast(trainer.device.type, dtype, enabled=dtype != torch.float32):
                logits = model(images)
            loss = functional.cross_entropy(logits.float(), targets, label_smoothing=recipe.loss.label_smoothing)
            torch.autograd.backward(loss)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        wait(trainer.device)
        return time.perf_counter() - began

    return block


@dataclass
class StopAfter(StopRequest):
    """Asks for a stop once the run has come to a step."""

    trainer: Trainer
    step: int = 0

    @property
    def requested(self) -> bool:
        """Whether the step is reached."""
        return self.trainer.state.step >= self.step

    @requested.setter
    def requested(self, value: bool) -> None:
        raise AssertionError(f"nobody else asks ({value})")


class BlockLoop(Loop):
    """The product's loop, stopped after each block of steps without the checkpoint that a stop writes."""

    def _checkpoint(self) -> None:
        self._flush()


def loop_block(trainer: Trainer, run: RunDirectory, steps: int) -> Callable[[], float]:
    """Return a function that takes `steps` steps of the product's loop and returns their seconds."""
    stop = StopAfter(trainer)
    journal = Journal(run, lambda _: None)
    loop = BlockLoop(trainer, run, journal, Silent(), stop, checkpoint_seconds=math.inf)

    def block() -> float:
        stop.step += steps
        wait(trainer.device)
        began = time.perf_counter()
        loop.run_steps()
        wait(trainer.device)
        return time.perf_counter() - began

    return block


def table(figures: dict[str, dict[str, Any]]) -> Table:
    """Return the figures as a table."""
    result = Table(title="The training loop against the bare model step")
    for column in ("recipe", "loop / bare", "from", "to", "bare images/s", "loop images/s", "gain by malloc"):
        result.add_column(column, justify="left" if column == "recipe" else "right")
    for name, one in figures.items():
        ratios = [f"{one[key]:.1%}" for key in ("ratio_median", "ratio_min", "ratio_max")]
        rates = [f"{one[key]:.0f}" for key in ("bare_images_per_second", "loop_images_per_second")]
        result.add_row(name, *ratios, *rates, f"{one['loop_speedup_by_malloc_setting']:.2f}x")
    return result


if __name__ == "__main__":
    main()
