"""Measure how long `thumbnet --help` takes, as a whole process.

python -m benchmarks.startup --record records/startup.json
"""

import argparse
import statistics
import subprocess

from benchmarks.program import THUMBNET, add_record, times, write
from thumbnet import environment


def main() -> None:
    """Measure, print, and write a record when one is asked for."""
    parser = argparse.ArgumentParser(description="Seconds of `thumbnet --help`.")
    parser.add_argument("--runs", type=int, default=20, help="how often it is run, after one run that does not count")
    add_record(parser)
    options = parser.parse_args()
    figures = measure(options.runs)
    print(", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    write(options.record, figures, environment.describe("cpu", 1))


def measure(runs: int) -> dict[str, float]:
    """Return the median, least and greatest wall time of the process in seconds, and the number of runs."""
    command = [str(THUMBNET), "--help"]
    found = times(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), runs)
    return {
        "seconds_median": statistics.median(found),
        "seconds_min": min(found),
        "seconds_max": max(found),
        "runs": runs,
    }


if __name__ == "__main__":
    main()
