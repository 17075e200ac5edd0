"""Measure how long `thumbnet --help` takes, as a whole process.

python benchmarks/startup.py --record records/startup.json
"""

import argparse
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

from thumbnet import environment, records

THUMBNET = Path(sys.executable).with_name("thumbnet")


def main() -> None:
    """Measure, print, and write a record when one is asked for."""
    parser = argparse.ArgumentParser(description="Seconds of `thumbnet --help`.")
    parser.add_argument("--runs", type=int, default=20, help="how often it is run, after one run that does not count")
    parser.add_argument("--record", type=Path, help="JSON file for the figures, replaced where it exists")
    options = parser.parse_args()
    figures = measure(options.runs)
    print(", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    if options.record is not None:
        about = environment.describe("cpu", 1)
        records.write_measurement(options.record, figures, about, shlex.join(["python", *sys.argv]))


def measure(runs: int) -> dict[str, float]:
    """Return the median, least and greatest wall time of the process in seconds, and the number of runs."""
    times = [help_seconds() for _ in range(runs + 1)][1:]
    return {
        "seconds_median": statistics.median(times),
        "seconds_min": min(times),
        "seconds_max": max(times),
        "runs": runs,
    }


def help_seconds() -> float:
    """Return the wall time of one `thumbnet --help`, in seconds."""
    start = time.perf_counter()
    subprocess.run([str(THUMBNET), "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
