"""Measure how long every row of the reports is expected to take on this machine.

    python -m benchmarks.expected --threads 2 --record records/expected-times.json
    python -m benchmarks.expected --threads 2 --record records/expected-times.json ma-scratch yu-vgg

A row's figure is the median of a few estimates from real steps (`thumbnet.workflows.estimate`), in seconds, for the
recipe's full length on Tiny ImageNet; nothing is trained to its end. Pretrained weights are replaced by random ones.
A study's figure is the sum of its runs'. With names, only these are measured, and the record keeps the others, which
must be of the same device and threads. The machine should do nothing else meanwhile.
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
from thumbnet.recipes import OWN, RECIPES, ROWS
from thumbnet.records import Measurement
from thumbnet.studies import find_study
from thumbnet.text import duration
from thumbnet.train.hardware import choose_device, describe_hardware
from thumbnet.workflows.estimate import estimate

NAMES = (*(name for name in OWN if name != "demo"), *ROWS)
"""Every row, and our own recipes but the demo, which does not train on Tiny ImageNet."""


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
    device = choose_device(options.device, options.threads)
    about = describe_hardware(device)
    kept = {} if options.record is None or not options.rows else kept_figures(options.record, about)
    found = {name: median_seconds(name, device, options.repeats) for name in recipes}
    figures = with_studies(kept | found)
    for name in figures:
        if name not in found and not found.keys().isdisjoint(_runs(name)):
            _tell(name, [figures[name]])
    write(options.record, figures, about, _arguments(options, figures))


def recipes_of(names: Sequence[str]) -> list[str]:
    """Return the recipes that measure the rows and recipes `names`: a row's own, or those of its study's runs.

    Raises:
        RecipeError: a name is unknown, with the nearest ones.
    """
    for name in names:
        if name not in NAMES:
            raise RecipeError(f"row {name!r} is unknown; {nearest(name, NAMES)}")
    return list(dict.fromkeys(recipe for name in names for recipe in _runs(name)))


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
    return {name: seconds for name, seconds in record.figures.items() if name in RECIPES and name in NAMES}


def median_seconds(name: str, device: torch.device, repeats: int) -> float:
    """Return the median of `repeats` estimates of the recipe `name`, in seconds, and print it with their range."""
    seconds = [estimate(RECIPES[name](), device).seconds for _ in range(repeats)]
    _tell(name, seconds)
    return statistics.median(seconds)


def with_studies(seconds: Mapping[str, float]) -> dict[str, float]:
    """Return `seconds` of recipes in the order of `NAMES`, with the sum of each study whose runs are all known."""
    return {name: sum(seconds[run] for run in _runs(name)) for name in NAMES if set(_runs(name)) <= seconds.keys()}


def _runs(name: str) -> list[str]:
    """Return the recipes whose times the row or recipe `name` takes, one for each run."""
    study = ROWS[name].study if name in ROWS else None
    return [name] if study is None else [run.recipe.name for run in find_study(study).planned()]


def _arguments(options: argparse.Namespace, figures: Collection[str]) -> list[str]:
    """Return the arguments that give all of `figures`, whatever part of them was measured now."""
    flags = [f"--{key}={getattr(options, key)}" for key in ("device", "threads", "repeats", "record")]
    rows = [] if set(figures) == set(NAMES) else figures
    return [*flags, *rows]


def _tell(name: str, seconds: Sequence[float]) -> None:
    spread = f"{duration(min(seconds))} to {duration(max(seconds))}" if name in RECIPES else "its runs together"
    print(f"{name:<32} {duration(statistics.median(seconds)):>8}   {spread}", flush=True)


if __name__ == "__main__":
    main()
