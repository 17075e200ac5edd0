"""The demo: every step from images to a judged classifier, on the embedded digits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.metrics import Scores
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipes.own import demo as demo_recipe
from thumbnet.report import make_report, write_report
from thumbnet.run import RunDirectory, evaluations
from thumbnet.sources import pack
from thumbnet.train import Options, start
from thumbnet.workflows.figures import drawn

_SHADES = " .:-=+*#%@"


@dataclass(frozen=True)
class Sample:
    """One judged image: pixels u8[H,W,3], true and predicted class name, and the predicted class's probability."""

    pixels: NDArray[np.uint8]
    truth: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class DemoResult:
    """What the demo made: data, run, scores on val, some judged images, a picture of all that, and a report."""

    dataset: PackedDataset
    run: RunDirectory
    scores: Scores
    samples: Sequence[Sample]
    picture: Path
    report: Path


def run_demo(out: Path, options: Options) -> DemoResult:
    """Pack the digits, train the recipe `demo`, judge it on val, and draw and report it, all in the new folder `out`.

    Raises:
        StorageError: `out` holds a demo already, or cannot be written.
    """
    dataset = pack("digits", out / "data")
    run = start(demo_recipe(), dataset, out / "run", options, "thumbnet demo")
    predictions = run.predictions("val")
    samples = pick_samples(dataset, predictions, 24)
    picture = out / "demo.png"
    draw_demo(run, predictions.scores(), samples, picture)
    page, *_ = write_report(make_report([run]), run.report_path)
    return DemoResult(dataset, run, predictions.scores(), samples, picture, page)


def pick_samples(dataset: PackedDataset, predictions: Predictions, count: int) -> list[Sample]:
    """Return `count` judged images of val: up to a quarter of them mistakes, the others spread over the split."""
    images = dataset.split(predictions.split).images
    probabilities = metrics.softmax(predictions.logits)
    predicted = predictions.predicted()
    wrong = np.flatnonzero(predicted != predictions.labels)[: count // 4]
    right = np.flatnonzero(predicted == predictions.labels)
    spread = right[np.linspace(0, len(right) - 1, count - len(wrong)).astype(int)]
    names = [info.name for info in dataset.classes]
    return [
        Sample(
            images[i],
            names[predictions.labels[i]],
            names[predicted[i]],
            float(probabilities[i, predicted[i]]),
        )
        for i in (*spread, *wrong)
    ]


def as_text(pixels: NDArray[np.uint8], width: int = 16) -> list[str]:
    """Return an image u8[H,W,3] as `width / 2` lines of `width` characters, bright as '@' and dark as blank."""
    grey = pixels.mean(2)
    rows = np.array_split(grey, width // 2, axis=0)
    cells = [[part.mean() for part in np.array_split(row, width, axis=1)] for row in rows]
    return ["".join(_SHADES[int(cell / 256 * len(_SHADES))] for cell in row) for row in cells]


def draw_demo(run: RunDirectory, scores: Scores, samples: Sequence[Sample], path: Path) -> None:
    """Draw the training curves and the samples of a demo into a PNG at `path`, atomically."""
    with drawn(11, 4.6, [path], "demo") as figure:
        halves: Any = figure.subfigures(1, 2, width_ratios=(4, 7))
        left, right = halves
        _draw_curves(left.subplots(), run, scores)
        _draw_samples(right, samples)


def _draw_curves(axes: Any, run: RunDirectory, scores: Scores) -> None:
    rows = evaluations(run.metrics.read())
    epochs = [row["epoch"] for row in rows]
    curves = {
        "running_train_top1": "train, running",
        "eval_train_top1": "train, eval mode",
        "holdout_top1": "holdout",
        "val_top1": "val",
    }
    for key, label in curves.items():
        axes.plot(epochs, [100 * row[key] for row in rows], label=label, marker="o", markersize=3)
    low, high = scores.top1_interval
    axes.set_title(f"val top-1 {scores.top1:.1%}\n95% interval {low:.1%} to {high:.1%}", fontsize=11)
    axes.set_xlabel("epoch")
    axes.set_ylabel("top-1 accuracy (%)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9)


def _draw_samples(figure: Any, samples: Sequence[Sample]) -> None:
    grid: Any = figure.subplots(-(-len(samples) // 8), 8, squeeze=False)
    figure.suptitle("val images: prediction and probability (mistakes in red, with the truth)", fontsize=11)
    for axes in grid.flat:
        axes.axis("off")
    for axes, sample in zip(grid.flat, samples, strict=False):
        right = sample.truth == sample.predicted
        axes.imshow(sample.pixels)
        title = f"{sample.predicted}  {sample.probability:.0%}" + ("" if right else f"\nis {sample.truth}")
        axes.set_title(title, fontsize=9, color="black" if right else "crimson")
