"""Measure what a report costs: seconds, peak memory and size of the page, of a run on 10,000 images of 200 classes.

The images are noise, which compresses worst, and the predictions are made up. Each report is a process of its own.

python -m benchmarks.report --record records/report.json
"""

import argparse
import resource
import statistics
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.program import THUMBNET, add_record, made_up_predictions, peak_bytes, times, write
from thumbnet import environment
from thumbnet.packed import ClassInfo, PackedDataset, create, load
from thumbnet.recipes import find_recipe
from thumbnet.run import RunDirectory


def main() -> None:
    """Measure, print, and write a record when one is asked for."""
    parser = argparse.ArgumentParser(description="Seconds, memory and size of a report.")
    parser.add_argument("--images", type=int, default=10_000, help="how many val images are judged")
    parser.add_argument("--classes", type=int, default=200, help="how many classes there are")
    parser.add_argument("--steps", type=int, default=20_000, help="how many iterations the run has")
    parser.add_argument("--runs", type=int, default=3, help="how often the report is made")
    add_record(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = make_run(Path(folder), options.images, options.classes, options.steps)
        figures = {"images": options.images, "classes": options.classes, "steps": options.steps}
        figures |= measure(run, options.runs)
    print(", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    write(options.record, figures, environment.describe("cpu", environment.usable_cpus()))


def make_run(folder: Path, images: int, classes: int, steps: int) -> RunDirectory:
    """Return a run on noise, right about half of the images, with predictions for val and for the holdout."""
    random = np.random.default_rng(0)
    dataset = make_data(folder / "packed", images, classes, random)
    about = {
        "name": dataset.name,
        "path": str(dataset.path),
        "fingerprint": dataset.fingerprint,
        "image_size": dataset.image_size,
        "classes": [{"id": one.id, "name": one.name} for one in dataset.classes],
        "counts": dict(dataset.counts),
    }
    described = environment.describe("cpu", 1)
    run = RunDirectory.create(
        folder / "run", find_recipe("resnet18-64"), about, described, "thumbnet train resnet18-64"
    )
    epoch = steps / 17
    run.metrics.append(
        [
            {"kind": "iteration", "step": step, "epoch": step / epoch, "loss": 5 - step / steps, "lr": 0.1}
            for step in range(1, steps + 1)
        ]
    )
    names = [one.id for one in dataset.classes]
    for split in ("val", "holdout"):
        made = made_up_predictions(
            split, dataset.split("val").labels, names, random, train_on="fit", data=dataset.fingerprint
        )
        made.save(run.predictions_path(split))
    run.write_result({"recipe": "resnet18-64", "scores": {}, "best": None, "epochs": 17.0})
    run.write_status("complete", steps, steps)
    return run


def make_data(path: Path, images: int, classes: int, random: np.random.Generator) -> PackedDataset:
    """Pack a val split of noise, 64 pixels wide."""
    names = [ClassInfo(f"n{number:08d}", f"class {number}") for number in range(classes)]
    labels = np.arange(images, dtype=np.int64) % classes
    ids = [f"val_{number:06d}.JPEG" for number in range(images)]
    with (
        create(path, name="noise", image_size=64, classes=names) as writer,
        writer.split("val", ids, labels, None) as split,
    ):
        for start in range(0, images, 1000):
            split.append(random.integers(0, 256, (min(1000, images - start), 64, 64, 3), dtype=np.uint8))
    return load(path)


def measure(run: RunDirectory, runs: int) -> dict[str, float]:
    """Return seconds, peak memory in bytes of the largest process, and the size of the page in bytes."""
    command = [str(THUMBNET), "report", str(run.path)]
    seconds = times(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), runs, warm_up=0)
    return {
        "seconds_median": statistics.median(seconds),
        "seconds_max": max(seconds),
        "peak_memory_bytes": peak_bytes(resource.getrusage(resource.RUSAGE_CHILDREN)),
        "page_bytes": run.report_path.stat().st_size,
        "runs": runs,
    }


if __name__ == "__main__":
    main()
