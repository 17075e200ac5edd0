"""What reaches the network: the same images in training and judging, as the recipe states them."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch.nn import functional

from tests.helpers import short_recipe
from thumbnet.augment import Augmentation
from thumbnet.data import Batches, ImageSet
from thumbnet.evaluate import Preprocessing
from thumbnet.recipe import Normalization, Phase, Recipe, epochs

MEAN, STD = (0.5, 0.4, 0.3), (0.5, 0.25, 0.2)


def recipe(**changes: object) -> Recipe:
    return short_recipe(phases=(Phase(epochs(1), image_size=48),), normalization=Normalization(MEAN, STD), **changes)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "side"), [(48, 24), (48, 48), (48, 64)])
@pytest.mark.parametrize("layout", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_judged_images_are_resized_and_normalised(
    interpolation: Literal["bilinear", "bicubic"], size: int, side: int, layout: bool, precision: str
) -> None:
    stated = recipe(interpolation=interpolation, channels_last=layout, precision=precision)
    images = torch.rand(9, 3, side, side, generator=torch.Generator().manual_seed(4))
    found = Preprocessing.of(stated, side).finish(images)
    resized = functional.interpolate(images, (size, size), mode=interpolation, antialias=True)
    expected = (resized - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    assert found.dtype == (torch.float32 if precision == "fp32" else torch.bfloat16)
    assert found.is_contiguous(memory_format=torch.channels_last if layout else torch.contiguous_format)
    torch.testing.assert_close(found.float(), expected, atol=2e-5, rtol=0 if precision == "fp32" else 2**-8)


def test_training_and_judging_resize_alike() -> None:
    for interpolation in ("bilinear", "bicubic"):
        stated = recipe(interpolation=interpolation, channels_last=True)
        pixels = torch.randint(0, 256, (5, 16, 16, 3), generator=torch.Generator().manual_seed(4), dtype=torch.uint8)
        images = ImageSet(pixels, torch.arange(5), torch.device("cpu"))
        source = Batches(
            images, torch.arange(5), [Augmentation(())], 8, 48, seed=0, phase=0, interpolation=interpolation
        )
        batch, labels = source.batch(0, 0)
        preprocessing = Preprocessing.of(stated, 16)
        judged = preprocessing.finish(images.take(labels)[0])
        torch.testing.assert_close(preprocessing.lay_out(batch), judged, atol=2e-5, rtol=0)


def test_bicubic_is_no_bilinear() -> None:
    images = torch.rand(2, 3, 16, 16)
    stated = recipe()
    one = Preprocessing.of(stated, 16).finish(images)
    other = Preprocessing.of(replace(stated, interpolation="bicubic"), 16).finish(images)
    assert (one - other).abs().mean() > 0.01
