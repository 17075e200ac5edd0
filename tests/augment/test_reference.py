"""Every deterministic function against torchvision on fixed parameters, and its identity.

Tolerances: 0 where both only move pixels; 2e-6 for single precision sums in another order; kornia and hue 1e-5, where
both divide by small numbers on the way.
"""

import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as reference
from kornia.enhance import normalize as kornia_normalize
from PIL import Image
from torch import Tensor
from torch.nn import functional

from thumbnet.augment import color, geometry, mixing, normalize

SUMS = 2e-6
HUE = 1e-5


@pytest.fixture
def images() -> Tensor:
    return torch.rand(8, 3, 20, 24, generator=torch.Generator().manual_seed(1))


def close(ours: Tensor, theirs: list[Tensor], tolerance: float) -> None:
    torch.testing.assert_close(ours, torch.stack(theirs), atol=tolerance, rtol=0)


def test_flips(images: Tensor) -> None:
    mask = torch.tensor([True, False] * 4)
    across = [reference.horizontal_flip(x) if m else x for x, m in zip(images, mask, strict=True)]
    down = [reference.vertical_flip(x) if m else x for x, m in zip(images, mask, strict=True)]
    close(geometry.flip_horizontal(images, mask), across, 0)
    close(geometry.flip_vertical(images, mask), down, 0)


def test_translate_is_reflect_padding_and_a_crop(images: Tensor) -> None:
    dx, dy = torch.tensor([0, 1, -1, 7, -7, 19, -19, 3]), torch.tensor([0, -1, 2, -5, 19, -19, 0, 3])
    theirs = []
    for x, right, down in zip(images, dx.tolist(), dy.tolist(), strict=True):
        padded = reference.pad(x, [19, 19], padding_mode="reflect")
        theirs.append(reference.crop(padded, 19 - down, 19 - right, 20, 24))
    close(geometry.translate(images, dx, dy), theirs, 0)


def test_crop(images: Tensor) -> None:
    top, left = torch.arange(8), torch.arange(8, 0, -1)
    theirs = [reference.crop(x, i, 8 - i, 12, 10) for i, x in enumerate(images)]
    close(geometry.crop(images, top, left, (12, 10)), theirs, 0)


@pytest.mark.parametrize("size", [(20, 24), (40, 33), (7, 5), (20, 3)])
def test_crop_resize(images: Tensor, size: tuple[int, int]) -> None:
    boxes = torch.tensor(
        [[0, 0, 20, 24], [0, 0, 1, 1], [19, 23, 1, 1], [3, 4, 10, 11], [5, 0, 15, 24], [2, 2, 2, 20], [0, 9, 20, 3]]
    )
    boxes = torch.cat([boxes, boxes[3:4] + 1])
    theirs = [reference.resized_crop(x, *box, size=list(size)) for x, box in zip(images, boxes.tolist(), strict=True)]
    close(geometry.crop_resize(images, boxes.float(), size), theirs, SUMS)


@pytest.mark.parametrize(("crop", "size"), [(16, 24), (15, 20), (20, 20), (17, 9)])
def test_center_crop(images: Tensor, crop: int, size: int) -> None:
    theirs = [reference.resize(reference.center_crop(x, [crop, crop]), [size, size]) for x in images]
    close(geometry.center_crop(images, (crop, crop), (size, size)), theirs, SUMS)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [20, 33])
@pytest.mark.parametrize("corners", [[0, 1, 2, 3, 4, 0, 3, 4], [1] * 8])
def test_corner_crop(images: Tensor, interpolation: geometry.Resampling, size: int, corners: list[int]) -> None:
    square = images[..., :20]
    windows = reference.five_crop(square, [14, 14])
    mode = reference.InterpolationMode(interpolation)
    resized = [reference.resize(window, [size, size], mode) for window in (*windows[:4], square)]
    theirs = [resized[place][i] for i, place in enumerate(corners)]
    close(geometry.corner_crop(square, torch.tensor(corners), (14, 14), (size, size), interpolation), theirs, SUMS)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_rotate(images: Tensor, interpolation: geometry.Interpolation) -> None:
    degrees = torch.tensor([0.0, 10, -10, 33.3, 77, -150, 179, 5])
    mode = reference.InterpolationMode(interpolation)
    theirs = torch.stack(
        [reference.rotate(x, d, interpolation=mode) for x, d in zip(images, degrees.tolist(), strict=True)]
    )
    ours = geometry.rotate(images, degrees, interpolation)
    # A place halfway between two pixels may round either way, or fall just outside: at most 1 value in 1,000.
    different = (ours - theirs).abs() > 2e-5
    assert different.float().mean() <= (0.001 if interpolation == "nearest" else 0)


@pytest.mark.parametrize("size", [(40, 48), (10, 12), (31, 7)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [True, False])
def test_resize(images: Tensor, size: tuple[int, int], interpolation: geometry.Resampling, antialias: bool) -> None:
    mode = reference.InterpolationMode(interpolation)
    theirs = reference.resize(images, list(size), interpolation=mode, antialias=antialias)
    ours = geometry.resize(images, size, interpolation, antialias)
    # torchvision clamps what bicubic overshoots only for whole numbers.
    torch.testing.assert_close(ours, theirs, atol=SUMS, rtol=0)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_enlarge(images: Tensor, interpolation: geometry.Resampling, dtype: torch.dtype) -> None:
    ours = geometry.enlarge(images, 70, interpolation, dtype)
    theirs = functional.interpolate(images, (70, 70), mode=interpolation, antialias=True)
    assert ours.dtype == dtype
    assert ours.is_contiguous(memory_format=torch.channels_last)
    # Half precision rounds the same sum: up or down where it lies in the middle.
    torch.testing.assert_close(ours.float(), theirs, atol=SUMS, rtol=2**-8 if dtype == torch.bfloat16 else 0)
    assert torch.equal(geometry.enlarge(images[:0], 70, interpolation, dtype), ours[:0])


@pytest.mark.parametrize(
    ("interpolation", "pillow"), [("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)]
)
@pytest.mark.parametrize("size", [70, 224, 11])
def test_resizes_are_pillows(interpolation: geometry.Resampling, pillow: Image.Resampling, size: int) -> None:
    generator = torch.Generator().manual_seed(2)
    pixels = torch.randint(80, 176, (3, 32, 32, 3), generator=generator, dtype=torch.uint8)
    theirs = torch.stack(
        [torch.from_numpy(np.array(Image.fromarray(x.numpy()).resize((size, size), pillow))) for x in pixels]
    )
    images = pixels.permute(0, 3, 1, 2).float() / 255
    ours = [geometry.resize(images, (size, size), interpolation)]
    if size > 32:
        ours.append(geometry.enlarge(images, size, interpolation, torch.float32))
    for one in ours:
        # Pillow rounds to whole numbers twice, and would cut off what overshoots.
        rounded = one.clamp(0, 1).mul(255).permute(0, 2, 3, 1)
        assert (rounded - theirs).abs().max() <= 1.1


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 9, 11, 23])
def test_gaussian_blur(images: Tensor, kernel_size: int) -> None:
    sigma = torch.tensor([0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 10])
    theirs = [
        reference.gaussian_blur(x, [kernel_size] * 2, [s, s]) for x, s in zip(images, sigma.tolist(), strict=True)
    ]
    close(color.gaussian_blur(images, sigma, kernel_size), theirs, SUMS)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_blends(images: Tensor, name: str) -> None:
    factor = torch.tensor([0, 0.2, 0.5, 0.9, 1, 1.1, 1.7, 3])
    ours = getattr(color, f"adjust_{name}")(images, factor)
    theirs = getattr(reference, f"adjust_{name}")
    close(ours, [theirs(x, f) for x, f in zip(images, factor.tolist(), strict=True)], SUMS)
    identity = getattr(color, f"adjust_{name}")(images, torch.ones(8))
    torch.testing.assert_close(identity, images, atol=SUMS, rtol=0)


def test_hue(images: Tensor) -> None:
    images = images.clone()
    images[0] = images[0, :1]  # grey
    images[1, :, :4], images[1, :, 4:8], images[1, 1:, 8:12] = 0.0, 1.0, 0.0  # black, white, red
    images[2, 1] = images[2, 0]  # ties of two channels
    images[3, 2] = images[3, 1]
    factor = torch.tensor([0.3, -0.2, 0.1, 0.4, -0.5, 0.5, -0.01, 0.25])
    theirs = [reference.adjust_hue(x, f) for x, f in zip(images, factor.tolist(), strict=True)]
    close(color.adjust_hue(images, factor), theirs, HUE)
    torch.testing.assert_close(color.adjust_hue(images, torch.zeros(8)), images, atol=HUE, rtol=0)


def test_normalize(images: Tensor) -> None:
    mean, std = (0.48, 0.45, 0.4), (0.28, 0.27, 0.29)
    ours = normalize(images, mean, std)
    torch.testing.assert_close(ours, reference.normalize(images, list(mean), list(std)), atol=SUMS, rtol=0)
    kornia = kornia_normalize(images, torch.tensor(mean), torch.tensor(std))
    torch.testing.assert_close(ours, kornia, atol=SUMS, rtol=0)


def test_erase(images: Tensor) -> None:
    boxes = torch.tensor([[0, 0, 20, 24], [0, 0, 0, 5], [3, 4, 5, 6], [19, 23, 1, 1]]).repeat(2, 1)
    for fill in (torch.tensor([0.1, 0.2, 0.3])[:, None, None], torch.rand(8, 3, 20, 24)):
        values = fill.expand_as(images)
        theirs = []
        for x, (i, j, h, w), v in zip(images, boxes.tolist(), values, strict=True):
            theirs.append(reference.erase(x, i, j, h, w, v[:, i : i + h, j : j + w]))
        close(color.erase(images, boxes, fill), theirs, 0)


def test_identity_parameters_give_the_images_bit_by_bit(images: Tensor) -> None:
    zero, no = torch.zeros(8), torch.zeros(8, dtype=torch.bool)
    full = torch.tensor([[0.0, 0, 20, 24]]).repeat(8, 1)
    for result in (
        geometry.flip_horizontal(images, no),
        geometry.flip_vertical(images, no),
        geometry.translate(images, zero.long(), zero.long()),
        geometry.crop(images, zero.long(), zero.long(), (20, 24)),
        geometry.crop_resize(images, full, (20, 24)),
        geometry.center_crop(images, (20, 24), (20, 24)),
        geometry.corner_crop(images, torch.full((8,), 4), (9, 9), (20, 24)),
        geometry.rotate(images, zero),
        geometry.resize(images, (20, 24)),
        color.gaussian_blur(images, zero + 1, 1),
        color.adjust_brightness(images, zero + 1),
        color.erase(images, full * 0, torch.zeros(3, 1, 1)),
    ):
        assert torch.equal(result, images)
    bilinear = geometry.rotate(images, zero, "bilinear")
    torch.testing.assert_close(bilinear, images, atol=1e-5, rtol=0)


def test_mixup_blends_images_and_targets_alike(images: Tensor) -> None:
    targets = functional.one_hot(torch.arange(8), 8).float()
    partner = torch.tensor([3, 2, 1, 0, 7, 6, 5, 4])
    weight = torch.tensor([0, 0.1, 0.25, 0.5, 0.6, 0.75, 0.9, 1.0])
    mixed, soft = mixing.mixup(images, targets, partner, weight)
    for i, w in enumerate(weight.tolist()):
        expected = w * images[i] + (1 - w) * images[partner[i]]
        torch.testing.assert_close(mixed[i], expected, atol=SUMS, rtol=0)
        assert soft[i, i].item() == pytest.approx(w)
        assert soft[i, partner[i]].item() == pytest.approx(1 - w)
    assert torch.equal(soft.sum(1), torch.ones(8))


def test_cutmix_gives_the_partner_the_share_of_its_area() -> None:
    generator = torch.Generator().manual_seed(3)
    images = torch.arange(8.0)[:, None, None, None].expand(8, 3, 16, 16) / 8
    targets = functional.one_hot(torch.arange(8), 8).float()
    partner = (torch.arange(8) + 3) % 8
    top, left = torch.randint(0, 8, (2, 8), generator=generator)
    extent = torch.randint(0, 9, (8, 2), generator=generator)
    boxes = torch.cat([top[:, None], left[:, None], extent], 1)
    mixed, soft = mixing.cutmix(images, targets, partner, boxes)
    for i, (row, column, height, width) in enumerate(boxes.tolist()):
        expected = images[i].clone()
        expected[:, row : row + height, column : column + width] = images[partner[i], 0, 0, 0]
        assert torch.equal(mixed[i], expected)
        assert soft[i, partner[i]].item() == height * width / 256
        assert soft[i, i].item() == 1 - height * width / 256
