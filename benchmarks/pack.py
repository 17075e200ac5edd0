"""Measure `thumbnet data pack ARCHIVE` as a whole process: wall time and peak resident memory.

    python -m benchmarks.pack tiny-imagenet-200.zip --record records/pack.json

What was packed is checked against what is known of Tiny ImageNet: the images of each class and the greyscale ones.
"""

import argparse
import os
import shlex
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.program import THUMBNET, add_record, peak_bytes, write
from thumbnet import environment, packed

GREYSCALE = {"train": 1821, "val": 168, "test": 189}
PER_CLASS = {"train": 500, "val": 50}
CLASSES = 200


def main() -> None:
    """Measure, print, and write a record when one is asked for."""
    parser = argparse.ArgumentParser(description="Wall time and peak memory of packing Tiny ImageNet.")
    parser.add_argument("archive", type=Path, help="tiny-imagenet-200.zip, or the unpacked folder")
    parser.add_argument("--runs", type=int, default=3, help="how often it is packed")
    add_record(parser)
    options = parser.parse_args()
    figures = measure(options.archive, options.runs)
    for name, value in figures.items():
        print(f"{name}: {value}")
    about = environment.describe("cpu", environment.usable_cpus())
    # The folder of the archive is of no interest to a reader.
    write(options.record, figures, about, [options.archive.name, "--runs", str(options.runs)])


def measure(archive: Path, runs: int) -> dict[str, Any]:
    """Pack `archive` `runs` times and return times in seconds, peak memory in bytes, and the counts that agreed."""
    times, peaks = [], []
    confirmed: dict[str, Any] = {}
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "packed"
            seconds, peak = pack_once(archive, out)
            times.append(seconds)
            peaks.append(peak)
            confirmed = confirm(packed.load(out))
    return {
        "seconds_median": statistics.median(times),
        "seconds_min": min(times),
        "seconds_max": max(times),
        "peak_memory_bytes": max(peaks),
        "runs": runs,
        **confirmed,
    }


def pack_once(archive: Path, out: Path) -> tuple[float, int]:
    """Run the command once; return its wall time in seconds and its peak resident memory in bytes."""
    command = [str(THUMBNET), "data", "pack", str(archive), "--out", str(out)]
    silence = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    start = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=silence)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{shlex.join(command)}: failed; run it to see why")
    return seconds, peak_bytes(usage)


def confirm(dataset: packed.PackedDataset) -> dict[str, Any]:
    """Return the counts of images, of images a class and of greyscale images, once they are those that are known."""
    facts = dataset.facts
    greyscale = {split: facts["converted"][split].get("greyscale", 0) for split in GREYSCALE}
    per_class = {split: sorted(set(facts["images_per_class"][split].values())) for split in PER_CLASS}
    if len(dataset.classes) != CLASSES or greyscale != GREYSCALE:
        sys.exit(f"{len(dataset.classes)} classes, greyscale {greyscale}: not those of Tiny ImageNet")
    if per_class != {split: [count] for split, count in PER_CLASS.items()}:
        sys.exit(f"images a class: {per_class}: not those of Tiny ImageNet")
    return {
        "images": dict(dataset.counts),
        "classes": len(dataset.classes),
        "images_per_class": PER_CLASS,
        "greyscale": greyscale,
        "fingerprint": dataset.fingerprint,
    }


if __name__ == "__main__":
    main()
