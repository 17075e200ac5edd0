"""Corruptions against scipy, Pillow and plain numpy; the same in every batch."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

from tests.shapes import draw
from thumbnet.analyses.corruptions import DEFINITIONS, SEVERITIES
from thumbnet.augment.corruptions import CORRUPTIONS, corrupt, image_noise

CPU = torch.device("cpu")
LEVEL = 1 / 255


def pictures(size: int = 64, count: int = 4) -> NDArray[np.uint8]:
    random = np.random.default_rng(1)
    return np.stack([np.asarray(draw(label, size, random)[0]) for label in range(count)])


def tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2).float() / 255


def corrupted(pixels: NDArray[np.uint8], name: str, severity: int) -> NDArray[np.float64]:
    """Return the corrupted pixels, f64[B,H,W,3] in [0, 1]."""
    images = tensor(pixels)
    noise = image_noise(3, torch.arange(len(images)), images.shape[-1], CPU)
    return corrupt(images, name, severity, noise).permute(0, 2, 3, 1).double().numpy()


@pytest.mark.parametrize("severity", range(1, SEVERITIES + 1))
def test_blur_is_that_of_scipy(severity: int) -> None:
    pixels = pictures()
    sigma = CORRUPTIONS["blur"].parameters[severity - 1]
    expected = gaussian_filter(pixels / 255, (0, sigma, sigma, 0), mode="mirror", truncate=4.0)
    np.testing.assert_allclose(corrupted(pixels, "blur", severity), expected, atol=0.51 * LEVEL)


def test_blur_grows_with_the_side() -> None:
    pixels = pictures(32)
    expected = gaussian_filter(pixels / 255, (0, 0.75, 0.75, 0), mode="mirror", truncate=4.0)
    np.testing.assert_allclose(corrupted(pixels, "blur", 5), expected, atol=0.51 * LEVEL)


def test_blur_of_tiny_images_is_none() -> None:
    pixels = pictures(32)[:, :4, :4]
    np.testing.assert_allclose(corrupted(pixels, "blur", 1), pixels / 255, atol=1e-6)


@pytest.mark.parametrize("severity", range(1, SEVERITIES + 1))
def test_contrast_is_its_formula(severity: int) -> None:
    pixels = pictures()
    values, factor = pixels / 255, CORRUPTIONS["contrast"].parameters[severity - 1]
    mean = values.mean(axis=(1, 2), keepdims=True)
    expected = np.clip((values - mean) * factor + mean, 0, 1)
    np.testing.assert_allclose(corrupted(pixels, "contrast", severity), expected, atol=0.51 * LEVEL)


@pytest.mark.parametrize("size", [64, 32, 28, 50])
@pytest.mark.parametrize("severity", range(1, SEVERITIES + 1))
def test_pixelation_is_that_of_pillow(severity: int, size: int) -> None:
    pixels = pictures(size)
    small = int(size * CORRUPTIONS["pixelation"].parameters[severity - 1])
    box = Image.Resampling.BOX
    expected = [
        np.asarray(Image.fromarray(one).resize((small, small), box).resize((size, size), box)) for one in pixels
    ]
    # Pillow rounds between its passes.
    np.testing.assert_allclose(corrupted(pixels, "pixelation", severity) * 255, np.stack(expected), atol=1.01)


@pytest.mark.parametrize("severity", range(1, SEVERITIES + 1))
def test_jpeg_is_that_of_pillow(severity: int) -> None:
    pixels = pictures()
    expected = []
    for one in pixels:
        file = io.BytesIO()
        Image.fromarray(one).save(file, "JPEG", quality=int(CORRUPTIONS["jpeg"].parameters[severity - 1]))
        expected.append(np.asarray(Image.open(file)))
    difference = np.abs(corrupted(pixels, "jpeg", severity) * 255 - np.stack(expected))
    assert difference.max() <= 3
    assert difference.mean() < 0.1


@pytest.mark.parametrize("severity", range(1, SEVERITIES + 1))
def test_noise_has_its_deviation(severity: int) -> None:
    grey = np.full((8, 64, 64, 3), 128, np.uint8)
    found = corrupted(grey, "noise", severity) - 128 / 255
    deviation = CORRUPTIONS["noise"].parameters[severity - 1]
    assert abs(found.mean()) < 0.002
    # At 0.18 the clipping at 0 and 1 takes a little.
    assert found.std() == pytest.approx(deviation, rel=0.03)
    channels = found.reshape(-1, 3)
    assert np.abs(np.corrcoef(channels.T) - np.eye(3)).max() < 0.02


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severities_go_further_and_further(name: str) -> None:
    pixels = pictures()
    distances = [np.abs(corrupted(pixels, name, severity) - pixels / 255).mean() for severity in range(1, 6)]
    assert distances == sorted(distances)
    assert distances[0] > 0.001


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_results_are_bytes_over_255(name: str) -> None:
    found = corrupted(pictures(), name, 3) * 255
    np.testing.assert_allclose(found, found.round(), atol=1e-4)
    assert found.min() >= 0
    assert found.max() <= 255


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_batch_changes_nothing(name: str) -> None:
    images, positions = tensor(pictures(32, 8)), torch.arange(8)

    def part(rows: slice) -> Tensor:
        return corrupt(images[rows], name, 4, image_noise(5, positions[rows], 32, CPU))

    whole = part(slice(0, 8))
    for size in (1, 3):
        parts = torch.cat([part(slice(start, start + size)) for start in range(0, 8, size)])
        assert float((parts - whole).abs().max()) <= 1.01 * LEVEL
        assert float(((parts - whole).abs() > 0.1 * LEVEL).float().mean()) < 1e-3  # sums in another order


def test_noise_is_a_function_of_seed_and_position() -> None:
    noise = image_noise(5, torch.tensor([4, 9, 2]), 8, CPU)
    torch.testing.assert_close(image_noise(5, torch.tensor([9]), 8, CPU)[0], noise[1], rtol=0, atol=0)
    assert not torch.equal(image_noise(6, torch.tensor([9]), 8, CPU)[0], noise[1])
    assert not torch.equal(noise[0], noise[1])


def test_the_documentation_defines_them_alike() -> None:
    page = (Path(__file__).parents[2] / "docs" / "analysis.md").read_text()
    found = re.findall(r"^\| `(\w+)` \| (.*) \| ([\d., ]+) \|$", page, re.MULTILINE)
    stated = [(name, one.does, ", ".join(f"{value:g}" for value in one.values)) for name, one in DEFINITIONS.items()]
    assert found == stated
    assert list(CORRUPTIONS) == list(DEFINITIONS)
