"""Measure what a report costs: seconds, peak memory and size of the page, of one run and of a comparison of two.

The runs are of real size: 100,000 images of train and 10,000 of val, 200 classes, all analyses, and duplicates.
The images are noise, which compresses worst, and what the networks say is made up. Each report is a process by itself.

python -m benchmarks.report --record records/report.json
"""

import argparse
import multiprocessing
import os
import re
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.made_run import Size, make_data, make_run
from benchmarks.program import THUMBNET, add_record, peak_bytes, write
from thumbnet import environment
from thumbnet.quality.stored import ensure_duplicates
from thumbnet.run import RunDirectory

NAMES = ("first", "second")


def main() -> None:
    """Measure, print, and write a record when one is asked for."""
    parser = argparse.ArgumentParser(description="Seconds, memory and size of a report, and of a comparison.")
    parser.add_argument("--images", type=int, default=10_000, help="how many val images are judged")
    parser.add_argument("--train", type=int, default=100_000, help="how many training images there are")
    parser.add_argument("--classes", type=int, default=200, help="how many classes there are")
    parser.add_argument("--steps", type=int, default=20_000, help="how many iterations each run has")
    parser.add_argument("--runs", type=int, default=3, help="how often each report is made")
    add_record(parser)
    options = parser.parse_args()
    size = Size(options.images, options.train, options.classes, options.steps)
    with tempfile.TemporaryDirectory() as folder:
        figures = {"images": size.val, "train_images": size.train, "classes": size.classes, "steps": size.steps}
        figures |= measure(Path(folder), size, options.runs)
    for name, value in figures.items():
        print(f"{name}: {value}")
    write(options.record, figures, environment.describe("cpu", environment.usable_cpus()))


def measure(folder: Path, size: Size, runs: int) -> dict[str, Any]:
    """Return the figures of a report of one run, and under 'comparison' those of a report of two.

    Args:
        folder: where data, runs and reports are written.
        size: of the data and the runs.
        runs: how often each report is made.
    """
    # In a process of its own, as the peak of a child counts what this process held when it began the child.
    maker = multiprocessing.get_context("spawn").Process(target=make, args=(folder, size))
    maker.start()
    maker.join()
    if maker.exitcode:
        raise SystemExit("the runs were not made; see above")
    pair = [RunDirectory.open(folder / name) for name in NAMES]
    return {
        **measure_report(pair[:1], folder / "cache", runs),
        "comparison": measure_report(pair, folder / "cache", runs),
        "runs": runs,
    }


def make(folder: Path, size: Size) -> None:
    """Write data, the duplicates in it, and two runs on it below `folder`."""
    dataset = make_data(folder / "packed", size)
    ensure_duplicates(dataset, folder / "cache")
    for seed, name in enumerate(NAMES):
        make_run(folder / name, dataset, size, seed)


def measure_report(subjects: Sequence[RunDirectory], cache: Path, runs: int) -> dict[str, float]:
    """Return seconds, peak memory in bytes of the largest process, bytes of the page, and images on and off it.

    Of the seconds, `cpu_seconds` is the time that the cores computed, which other programs lengthen less.
    """
    out = subjects[0].path / "measured.html"
    command = [str(THUMBNET), "report", *(str(one.path) for one in subjects), "--out", str(out)]
    made = [run_alone(command, cache) for _ in range(runs)]
    html = out.read_text(encoding="utf-8")
    left_out = re.search(r"([\d,]+) images? w\w+ left out", html)
    return {
        "seconds_median": statistics.median(seconds for seconds, _ in made),
        "seconds_max": max(seconds for seconds, _ in made),
        "cpu_seconds": statistics.median(usage.ru_utime + usage.ru_stime for _, usage in made),
        "peak_memory_bytes": max(peak_bytes(usage) for _, usage in made),
        "page_bytes": out.stat().st_size,
        "page_images": html.count("data:image/"),
        "images_left_out": 0 if left_out is None else int(left_out[1].replace(",", "")),
    }


def run_alone(command: Sequence[str], cache: Path) -> tuple[float, resource.struct_rusage]:
    """Return the seconds that a command takes, and what it used."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"THUMBNET_CACHE": str(cache)})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - start, usage


if __name__ == "__main__":
    main()
