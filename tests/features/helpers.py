"""A small frozen network and its images, for tests of cached features."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers import short_recipe
from thumbnet.data import ImageSet
from thumbnet.features import description, entry, extraction
from thumbnet.features.description import DTYPE, DType
from thumbnet.features.entry import Features
from thumbnet.features.extraction import FrozenBody, Wanted
from thumbnet.models import build_model
from thumbnet.recipe import Model, Phase, Recipe, epochs
from thumbnet.watch import silent

CPU = torch.device("cpu")
DATA = "f" * 64


def recipe(**changes: Any) -> Recipe:
    """A linear head on the cached features of a network of a few thousand parameters."""
    defaults: dict[str, Any] = {
        "model": Model("timm/test_resnet"),
        "phases": (Phase(epochs(3), trainable="head", cached_features=2),),
    }
    return short_recipe(**(defaults | changes))


def images(count: int, size: int = 32) -> ImageSet:
    """Random images, always the same ones."""
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return ImageSet(torch.from_numpy(pixels), torch.from_numpy(random.integers(0, 4, count)), CPU)


def body(chosen: Recipe | None = None, data: str = DATA, seed: int = 5) -> FrozenBody:
    """The frozen body of the recipe's network with weights drawn from `seed`."""
    found = chosen or recipe()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return FrozenBody.of(build_model(found.model, 4, 32), found, data)


def shrink(patch: pytest.MonkeyPatch, batch: int, chunk: int) -> None:
    """Let batches and chunks be so small that a few images make several."""
    for module in (description, entry, extraction):
        for name, value in (("BATCH", batch), ("CHUNK", chunk)):
            if hasattr(module, name):
                patch.setattr(module, name, value)


def extract(folder: Path, count: int = 20, *, policy: Any = (), copy: int = 0, dtype: DType = DTYPE) -> Features:
    """Extract the features of `images(count)`."""
    wanted = replace(Wanted("train", 32, policy), copy=copy)
    return extraction.extract(body(), images(count), wanted, folder, silent, dtype=dtype)


def extract_until(folder: Path, policy: Any, moment: int, batch: int, chunk: int) -> None:
    """Extract in small chunks, and kill this process when so many images are done."""
    shrink(pytest.MonkeyPatch(), batch, chunk)

    def watch(text: str, done: int, total: int) -> None:
        del text, total
        if done >= moment:
            os.kill(os.getpid(), signal.SIGKILL)

    extraction.extract(body(), images(20), Wanted("train", 32, policy), folder, watch)
