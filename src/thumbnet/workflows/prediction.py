"""Predictions for people: the best guesses for images of one's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from thumbnet import metrics
from thumbnet.data import ImageSet
from thumbnet.ensemble import check_over
from thumbnet.errors import DataError
from thumbnet.evaluate import Preprocessing, predict_logits
from thumbnet.files import storage_errors
from thumbnet.run import RunDirectory
from thumbnet.sources.decode import decode, pillow_warnings
from thumbnet.workflows.judging import load_network
from thumbnet.workflows.stored import How


@dataclass(frozen=True)
class Guess:
    """A class that an image may show: its id, its name, and the network's probability in [0, 1]."""

    class_id: str
    name: str
    probability: float


def guess_images(
    run: RunDirectory,
    images: Sequence[Path],
    how: How = How(),
    *,
    count: int = 5,
    device: torch.device | None = None,
) -> list[list[Guess]]:
    """Return the `count` likeliest classes of each image file, likeliest first.

    An image is prepared as packing prepares it: RGB, shorter side to the run's image size, centre crop.

    Raises:
        DataError: a file is not an image, or a count below 1.
        RunError: the run is unfinished or damaged.
    """
    if count < 1:
        raise DataError(f"count is {count}: it must be 1 or more guesses for each image")
    check_over(how.over)
    model = load_network(run, how.weights, device or torch.device("cpu"))
    data = run.data()
    if not images:
        return []
    pixels = np.stack([read_image(path, data["image_size"]) for path in images])
    chosen = ImageSet(torch.from_numpy(pixels), torch.full((len(pixels),), -1), device or torch.device("cpu"))
    preprocessing = Preprocessing.of(run.recipe(), data["image_size"])
    logits = predict_logits(model, chosen, torch.arange(len(pixels)), preprocessing, views=how.views, over=how.over)
    return [_guesses(row, data["classes"], count) for row in metrics.softmax(logits.numpy())]


def read_image(path: Path, size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return an image file as u8[size, size, 3].

    Raises:
        DataError: the file is not an image, or is damaged.
        StorageError: the file cannot be read.
    """
    with storage_errors(path):
        content = path.read_bytes()
    try:
        with pillow_warnings():
            return decode(content, size).pixels
    except ValueError as error:
        raise DataError(f"{path}: {error}; give an image file such as a JPEG or PNG") from error


def _guesses(
    probabilities: np.ndarray[tuple[int, ...], np.dtype[np.float64]], classes: Sequence[dict[str, str]], count: int
) -> list[Guess]:
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [Guess(classes[i]["id"], classes[i]["name"], float(probabilities[i])) for i in order]
