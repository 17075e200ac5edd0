"""Measure how long every row and study of the reports is expected to take on this machine.

    python -m benchmarks.expected --threads 2 --record records/expected-times.json
    python -m benchmarks.expected --threads 2 --record records/expected-times.json ma-scratch yu-vgg

A row's figure is the median of a few estimates from real steps (`thumbnet.workflows.estimate`), in seconds, for the
recipe's full length on Tiny ImageNet; nothing is trained to its end. Pretrained weights are replaced by random ones.
A study's figure is the sum of its runs', which are measured too where they are no rows. With names, only these are
measured, and the record keeps the others, which must be of the same device and threads. The machine should do nothing
else meanwhile.
"""

import argparse
import statistics
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.program import add_record, write
from thumbnet import environment, records
from thumbnet.errors import RecipeError, StorageError, ThumbnetError, nearest
from thumbnet.recipe import Recipe
from thumbnet.recipes import OWN, RECIPES, ROWS
from thumbnet.records import Measurement
from thumbnet.studies import STUDIES
from thumbnet.text import duration
from thumbnet.train.hardware import choose_device, describe_hardware, prepare_cpu
from thumbnet.workflows.estimate import estimate

NAMES = (*(name for name in OWN if name != "demo"), *ROWS, *(name for name in STUDIES if name not in ROWS))
"""Every row and study, and our own recipes but the demo, which does not train on Tiny ImageNet."""


def main() -> None:
    """Measure, print each row as it comes, and write a record when one is asked for."""
    options = _parse()
    try:
        _measure(options)
    except ThumbnetError as error:
        sys.exit(str(error))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Expected time of every row on this machine.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows or our own recipes; without any, all of them")
    parser.add_argument("--device", default="cpu", help="torch device, such as cpu or cuda")
    parser.add_argument("--threads", type=int, default=environment.usable_cpus(), help="CPU threads")
    parser.add_argument("--repeats", type=int, default=3, help="estimates of each row, of which the median counts")
    add_record(parser)
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> None:
    recipes = recipes_of(options.rows or NAMES)
    prepare_cpu(options.threads)
    device = choose_device(options.device)
    about = describe_hardware(device)
    kept = {} if options.record is None or not options.rows else kept_figures(options.record, about)
    found = {name: median_seconds(recipe, device, options.repeats) for name, recipe in recipes.items()}
    figures = with_studies(kept | found)
    for name in figures:
        if name not in found and any(recipe.name in found for recipe in _runs(name)):
            _tell(name, [figures[name]], "its runs together")
    write(options.record, figures, about, _arguments(options, figures))


def recipes_of(names: Sequence[str]) -> dict[str, Recipe]:
    """Return by name the recipes that measure the rows, studies and recipes `names`: its own, or its runs'.

    Raises:
        RecipeError: a name is unknown, with the nearest ones.
    """
    for name in names:
        if name not in NAMES:
            raise RecipeError(f"row {name!r} is unknown; {nearest(name, NAMES)}")
    return {recipe.name: recipe for name in names for recipe in _runs(name)}


def kept_figures(path: Path, about: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of the record at `path`, which new ones of some rows join; none where there is no record.

    Raises:
        StorageError: the record is damaged, or of another device or number of threads than `about` says.
    """
    if not path.exists():
        return {}
    record = records.load(path)
    if not isinstance(record, Measurement) or dict(record.device) != records.device_of(about):
        raise StorageError(
            f"{path}: measured on another device or with other threads; measure all rows, or give another --record"
        )
    known = recipes_of(NAMES)
    return {name: seconds for name, seconds in record.figures.items() if name in known}


def median_seconds(recipe: Recipe, device: torch.device, repeats: int) -> float:
    """Return the median of `repeats` estimates of `recipe`, in seconds, and print it with their range."""
    seconds = [estimate(recipe, device).seconds for _ in range(repeats)]
    _tell(recipe.name, seconds, f"{duration(min(seconds))} to {duration(max(seconds))}")
    return statistics.median(seconds)


def with_studies(seconds: Mapping[str, float]) -> dict[str, float]:
    """Return `seconds` of recipes, with the sum of each study whose runs are all known, in the order of `NAMES`.

    The recipes that are no row stand at the end.
    """
    runs = {name: [recipe.name for recipe in _runs(name)] for name in NAMES}
    sums = {name: sum(seconds[run] for run in runs[name]) for name in NAMES if set(runs[name]) <= seconds.keys()}
    return sums | {name: value for name, value in seconds.items() if name not in sums}


def _runs(name: str) -> list[Recipe]:
    """Return the recipes whose times the row, study or recipe `name` takes, one for each run."""
    study = STUDIES.get(ROWS[name].study or name if name in ROWS else name)
    return [RECIPES[name]()] if study is None else [run.recipe for run in study.planned()]


def _arguments(options: argparse.Namespace, figures: Collection[str]) -> list[str]:
    """Return the arguments that give all of `figures`, whatever part of them was measured now."""
    flags = [f"--{key}={getattr(options, key)}" for key in ("device", "threads", "repeats", "record")]
    rows = [] if set(NAMES) <= set(figures) else [name for name in NAMES if name in figures]
    return [*flags, *rows]


def _tell(name: str, seconds: Sequence[float], spread: str) -> None:
    print(f"{name:<32} {duration(statistics.median(seconds)):>8}   {spread}", flush=True)


if __name__ == "__main__":
    main()
