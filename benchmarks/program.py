"""What the programs that measure share: the option --record, the record, what is timed, and made-up predictions."""

import argparse
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thumbnet import records
from thumbnet.errors import StorageError
from thumbnet.predictions import Predictions

if TYPE_CHECKING:
    import resource

    import torch

TIMINGS = {"images_per_second", "seconds", "train_seconds", "total_seconds", "peak_memory_bytes"}
"""The figures in a run's metrics and result that differ each time that it is trained."""

THUMBNET = Path(sys.executable).with_name("thumbnet")
"""The command that is installed beside this Python."""


def untimed(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a run's metrics, or its result, without the figures of `TIMINGS`."""
    return {key: value for key, value in row.items() if key not in TIMINGS}


def add_record(parser: argparse.ArgumentParser) -> None:
    """Add the option --record, whose value is checked before anything is measured."""
    parser.add_argument("--record", type=_record_file, help="JSON file for the figures, replaced where it exists")


def write(
    record: Path | None, figures: Mapping[str, Any], about: Mapping[str, Any], arguments: Sequence[str] | None = None
) -> None:
    """Write the figures of this program to the file `record`; nothing for `None`.

    Args:
        record: the value of --record.
        figures: what was found, by name.
        about: where, as `thumbnet.environment.describe` gives it.
        arguments: those that give the figures again; `None` takes those of this call, as `portable` has them.

    Raises:
        StorageError: a figure cannot be stored, or the place cannot be written.
    """
    if record is not None:
        command = [*this_program(), *(map(portable, sys.argv[1:]) if arguments is None else arguments)]
        records.write_measurement(record, figures, about, shlex.join(command))


def portable(argument: str) -> str:
    """Return an argument as others may have it: of a path from the root, also behind 'NAME=', the last part."""
    name, equals, value = argument.rpartition("=")
    return f"{name}{equals}{Path(value).name if Path(value).is_absolute() else value}"


def this_program() -> list[str]:
    """Return how the program that runs is called: 'python', '-m' and its module."""
    spec = sys.modules["__main__"].__spec__
    assert spec is not None, "a program is called by its module: python -m benchmarks.NAME"
    return ["python", "-m", spec.name.removesuffix(".__main__")]


def times(
    step: Callable[[], object], runs: int, *, warm_up: int = 1, device: "torch.device | None" = None
) -> list[float]:
    """Return the seconds of each of `runs` calls of `step` on `device`, after `warm_up` that do not count."""
    found = []
    for _ in range(warm_up + runs):
        wait(device)
        start = time.perf_counter()
        step()
        wait(device)
        found.append(time.perf_counter() - start)
    return found[warm_up:]


def median_seconds(step: Callable[[], object], runs: int) -> float:
    """Return the median wall time of `runs` calls of `step`, in seconds, after one that does not count."""
    return statistics.median(times(step, runs))


def wait(device: "torch.device | None") -> None:
    """Wait until `device` has done what it was given; the CPU has, and so has `None`."""
    if device is not None and device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)


def peak_bytes(usage: "resource.struct_rusage") -> int:
    """Return the largest resident memory that `usage` counts, in bytes."""
    return usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024


def made_up_predictions(
    split: str, labels: NDArray[np.int64], classes: Sequence[str], random: np.random.Generator, **provenance: object
) -> Predictions:
    """Return random predictions of a network that is right about half of the images.

    Args:
        split: the split that they are for.
        labels: i64[N], class indices; an image is called by the split and its place.
        classes: ids of the classes.
        random: draws the logits.
        provenance: where the predictions say that they come from.
    """
    logits = random.normal(0, 2, (len(labels), len(classes))).astype(np.float32)
    logits[np.arange(len(labels)), labels] += 5
    ids = tuple(f"{split}_{number:06d}.JPEG" for number in range(len(labels)))
    return Predictions(split, ids, logits, labels, tuple(classes), provenance)


def _record_file(text: str) -> Path:
    path = Path(text)
    try:
        records.check_place(path)
    except StorageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return path
