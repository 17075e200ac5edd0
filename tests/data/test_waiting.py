"""The batches of a GPU: no step makes the host wait for what the GPU has yet to compute."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from benchmarks import augment
from torch import Tensor

from tests.helpers import short_recipe
from tests.pretended import CUDA, Pretended, pretended_device
from thumbnet.augment import IMAGE_OPERATIONS, MIXING_OPERATIONS, build_policy
from thumbnet.data import Batches, ImageSet, RowBatches
from thumbnet.data.resident import to_device
from thumbnet.evaluate import Preprocessing
from thumbnet.recipe import Operation, Policy, operation

COUNT, SIDE, CLASSES = 40, 64, 3

OPERATIONS = (
    *augment.OPERATIONS,
    operation("random_resized_crop", size=24, ratio=(40, 50)),
    operation("center_crop", crop=12, size=12),
    operation("corner_crop", crop=12, size=24, interpolation="bicubic"),
    operation("gaussian_blur", kernel_size=11),
    operation("random_erasing", fill=(0.1, 0.2, 0.3)),
    operation("random_erasing", fill="noise"),
    operation("resize", size=40, interpolation="bicubic"),
)


def images_on(place: torch.device) -> ImageSet:
    """Images at `place`, whose batches go to the pretended device."""
    pixels = torch.zeros(COUNT, SIDE, SIDE, 3, dtype=torch.uint8, device=place)
    return ImageSet(pixels, torch.zeros(COUNT, dtype=torch.int64, device=place), CUDA)


def batches(images: ImageSet, policies: Sequence[Policy]) -> Batches:
    return Batches(
        images,
        positions=torch.arange(COUNT),
        augmentations=[build_policy(policy, CLASSES) for policy in policies],
        batch_size=24,
        image_size=SIDE,
        seed=1,
        phase=0,
    )


def laid_out(source: Batches, index: int) -> tuple[Tensor, Tensor]:
    """Return the batch `index` as the network takes it."""
    preprocessing = Preprocessing.of(short_recipe(precision="bf16", channels_last=True), SIDE)
    inputs, targets = source.batch(0, index)
    return preprocessing.lay_out(inputs), targets


def second_step(device: Pretended, step: Callable[[int], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Take two steps, and return the second, which may not wait; the first may, as for constants."""
    step(0)
    device.strict = True
    return step(1)


def test_every_operation_is_watched() -> None:
    assert {one.name for one in OPERATIONS} == {*IMAGE_OPERATIONS.names(), *MIXING_OPERATIONS.names()}


@pytest.mark.parametrize("one", OPERATIONS, ids=str)
def test_no_operation_waits(monkeypatch: pytest.MonkeyPatch, one: Operation) -> None:
    with pretended_device(monkeypatch) as device:
        policy, labels = build_policy((one,), CLASSES), torch.zeros(8, dtype=torch.int64, device=CUDA)
        images, generator = torch.zeros(8, 3, SIDE, SIDE, device=CUDA), torch.Generator(CUDA)
        found, _ = second_step(device, lambda _: policy(images, labels, generator))
        assert found.device == CUDA


@pytest.mark.parametrize("place", [CUDA, torch.device("cpu")], ids=str)
@pytest.mark.parametrize("policies", [[()], [OPERATIONS], [(), OPERATIONS[:2], (operation("mixup"),)]], ids=len)
def test_no_batch_waits(monkeypatch: pytest.MonkeyPatch, place: torch.device, policies: Sequence[Policy]) -> None:
    with pretended_device(monkeypatch) as device:
        source = batches(images_on(place), policies)
        inputs, targets = second_step(device, lambda index: laid_out(source, index))
        assert inputs.device == targets.device == CUDA
        assert inputs.dtype == torch.bfloat16


@pytest.mark.parametrize("place", [CUDA, torch.device("cpu")], ids=str)
def test_no_batch_of_rows_waits(monkeypatch: pytest.MonkeyPatch, place: torch.device) -> None:
    with pretended_device(monkeypatch) as device:
        rows = [torch.zeros(COUNT, 5, dtype=torch.float16, device=place) for _ in range(2)]
        every, labels = torch.arange(COUNT), torch.zeros(COUNT, dtype=torch.int64)
        source = RowBatches([rows], every, labels, batch_size=24, seed=1, phase=0, device=CUDA)
        inputs, targets = second_step(device, lambda index: source.batch(0, index))
        assert inputs.device == targets.device == CUDA
        assert (inputs.shape, inputs.dtype, targets.shape) == ((24, 5), torch.float32, (24,))


def test_nothing_is_copied_to_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = torch.arange(3)
    assert to_device(tensor, torch.device("cpu")) is tensor
    with pretended_device(monkeypatch) as device:
        device.strict = True
        there = to_device(tensor, CUDA)
        assert to_device(there, CUDA) is there


@pytest.mark.parametrize(
    "wait",
    [
        lambda _: torch.arange(4).to(CUDA),
        lambda _: torch.arange(4).to(CUDA, non_blocking=True),
        lambda _: torch.tensor([1.0, 2.0], device=CUDA),
        lambda tensor: tensor[torch.tensor([0, 1])],
        lambda tensor: tensor.cpu(),
        lambda tensor: tensor.to("cpu", non_blocking=True),
        lambda tensor: tensor.copy_(torch.zeros(4)),
        lambda tensor: torch.zeros(4).copy_(tensor),
        lambda tensor: tensor.masked_scatter_(tensor > 0, torch.zeros(4)),
        lambda tensor: tensor.index_put_((tensor > 0,), tensor.new_zeros(1)),
        lambda tensor: tensor[tensor > 0],
        lambda tensor: tensor.sum().item(),
        lambda tensor: tensor.tolist(),
        lambda tensor: bool(tensor.any()),
        lambda tensor: tensor.nonzero(),
        torch.unique,
    ],
)
def test_waiting_is_noticed(monkeypatch: pytest.MonkeyPatch, wait: Callable[[Tensor], Any]) -> None:
    with pretended_device(monkeypatch) as device:
        tensor = torch.zeros(4, device=CUDA)
        device.strict = True
        with pytest.raises((AssertionError, RuntimeError), match=r"waits for the device|aten"):
            wait(tensor)
