"""Measure what an ensemble of saved predictions costs: 20 members, 10,000 images, 200 classes.

python benchmarks/ensemble.py --record records/ensemble.json
"""

import argparse
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from thumbnet import environment, records
from thumbnet.ensemble import average, greedy, growth
from thumbnet.predictions import Predictions

THUMBNET = Path(sys.executable).with_name("thumbnet")


def main() -> None:
    """Measure, print, and write a record when one is asked for."""
    parser = argparse.ArgumentParser(description="Seconds of an ensemble of saved predictions.")
    parser.add_argument("--members", type=int, default=20, help="how many networks")
    parser.add_argument("--images", type=int, default=10_000, help="how many images each has judged")
    parser.add_argument("--classes", type=int, default=200, help="how many classes there are")
    parser.add_argument(
        "--runs", type=int, default=5, help="how often each step is run, after one that does not count"
    )
    parser.add_argument("--record", type=Path, help="JSON file for the figures, replaced where it exists")
    options = parser.parse_args()
    members = make_members(options.members, options.images, options.classes)
    figures = {"members": options.members, "images": options.images, "classes": options.classes}
    figures |= measure(members, options.runs)
    print(", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    if options.record is not None:
        about = environment.describe("cpu", 1)
        records.write_measurement(options.record, figures, about, shlex.join(["python", *sys.argv]))


def make_members(count: int, images: int, classes: int) -> list[Predictions]:
    """Return random predictions of networks that are right about half of the images, each about others."""
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, images)
    ids = tuple(f"val_{number}.JPEG" for number in range(images))
    names = tuple(f"n{number:08d}" for number in range(classes))
    found = []
    for number in range(count):
        logits = random.normal(0, 2, (images, classes)).astype(np.float32)
        logits[np.arange(images), labels] += 5
        found.append(Predictions("val", ids, logits, labels, names, {"seed": number}))
    return found


def measure(members: Sequence[Predictions], runs: int) -> dict[str, float]:
    """Return the median seconds of each step, and of the whole command, which reads the members from files."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"member-{number:02d}.npz" for number in range(len(members))]
        for member, path in zip(members, paths, strict=True):
            member.save(path)
        command = [str(THUMBNET), "ensemble", *map(str, paths)]
        return {
            "seconds_average": median_seconds(lambda: average(members), runs),
            "seconds_curve": median_seconds(lambda: growth(members), runs),
            "seconds_greedy": median_seconds(lambda: greedy(members), runs),
            "seconds_command": median_seconds(
                lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), runs
            ),
            "runs": runs,
        }


def median_seconds(step: Callable[[], object], runs: int) -> float:
    """Return the median wall time of `step`, in seconds."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
