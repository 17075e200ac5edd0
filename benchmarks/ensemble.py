"""Measure what an ensemble of saved predictions costs: 20 members, 10,000 images, 200 classes.

python -m benchmarks.ensemble --record records/ensemble.json
"""

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.program import THUMBNET, add_record, made_up_predictions, median_seconds, write
from thumbnet import environment
from thumbnet.ensemble import average, greedy, growth
from thumbnet.predictions import Predictions


def main() -> None:
    """Measure, print, and write a record when one is asked for."""
    parser = argparse.ArgumentParser(description="Seconds of an ensemble of saved predictions.")
    parser.add_argument("--members", type=int, default=20, help="how many networks")
    parser.add_argument("--images", type=int, default=10_000, help="how many images each has judged")
    parser.add_argument("--classes", type=int, default=200, help="how many classes there are")
    parser.add_argument(
        "--runs", type=int, default=5, help="how often each step is run, after one that does not count"
    )
    add_record(parser)
    options = parser.parse_args()
    members = make_members(options.members, options.images, options.classes)
    figures = {"members": options.members, "images": options.images, "classes": options.classes}
    figures |= measure(members, options.runs)
    print(", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    write(options.record, figures, environment.describe("cpu", 1))


def make_members(count: int, images: int, classes: int) -> list[Predictions]:
    """Return random predictions of networks that are right about half of the images, each about others."""
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, images)
    names = [f"n{number:08d}" for number in range(classes)]
    return [made_up_predictions("val", labels, names, random, seed=number) for number in range(count)]


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


if __name__ == "__main__":
    main()
