"""The fast backward pass of depthwise convolutions: torch's own gradients, to rounding, and nothing else touched."""

import pytest
import timm
import torch
from torch import Tensor
from torch.nn import functional

from thumbnet.train.depthwise import FastDepthwise

CASES = [
    # channels, height, width, kernel, stride, padding
    (6, 9, 11, 3, 1, 1),
    (6, 9, 11, 3, 2, 1),
    (6, 10, 8, 3, 2, 0),
    (4, 12, 13, 5, 1, 2),
    (4, 12, 13, 5, 2, 2),
    (4, 15, 15, 5, 2, 0),
    (4, 16, 16, 7, 2, 3),
    (4, 9, 9, 7, 1, 3),
    (4, 9, 9, 4, 2, 1),
    (4, 7, 7, 1, 2, 0),
    (4, 7, 7, 1, 2, 2),
]


def gradients(case: tuple[int, ...], dtype: torch.dtype, fast: bool, bias: bool = True) -> list[Tensor]:
    channels, high, wide, kernel, stride, padding = case
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(3, channels, high, wide, generator=generator, dtype=torch.float64)
    weight = torch.randn(channels, 1, kernel, kernel, generator=generator, dtype=torch.float64)
    images, weight = (one.to(dtype).requires_grad_() for one in (images, weight))
    offset = torch.zeros(channels, dtype=dtype, requires_grad=True) if bias else None
    with FastDepthwise() if fast else torch.enable_grad():
        outputs = functional.conv2d(images, weight, offset, stride=stride, padding=padding, groups=channels)
    given = torch.randn(outputs.shape, generator=generator, dtype=torch.float64)
    torch.autograd.backward(outputs, given.to(dtype))
    grads = [one.grad for one in (images, weight, *([offset] if offset is not None else []))]
    return [outputs.detach(), *(grad for grad in grads if grad is not None)]


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_torchs(case: tuple[int, ...]) -> None:
    for fast, plain in zip(gradients(case, torch.float64, True), gradients(case, torch.float64, False), strict=True):
        torch.testing.assert_close(fast, plain)


@pytest.mark.parametrize("case", CASES)
def test_gradients_in_bfloat16_are_within_its_rounding(case: tuple[int, ...]) -> None:
    exact = gradients(case, torch.float64, False, bias=False)
    for fast, best in zip(gradients(case, torch.bfloat16, True, bias=False), exact, strict=True):
        assert fast.dtype == torch.bfloat16
        scale = float(best.abs().max())
        assert float((fast.double() - best).abs().max()) < 0.03 * scale


def test_a_network_under_autocast_learns_the_same() -> None:
    torch.manual_seed(0)
    model = timm.create_model("tf_efficientnet_lite0", num_classes=5).to(memory_format=torch.channels_last)
    images, labels = torch.randn(4, 3, 64, 64), torch.arange(4)

    def step(fast: bool, dtype: torch.dtype) -> dict[str, Tensor]:
        model.zero_grad()
        model.eval()  # dropout and batch statistics would hide what is compared
        mode = FastDepthwise() if fast else torch.enable_grad()
        with mode, torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = functional.cross_entropy(model(images).float(), labels)
        torch.autograd.backward(loss)
        return {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}

    exact, plain, fast = step(False, torch.float32), step(False, torch.bfloat16), step(True, torch.bfloat16)
    assert exact.keys() == fast.keys()
    off = [float((found[name] - exact[name]).norm() / exact[name].norm()) for found in (plain, fast) for name in exact]
    plain_off, fast_off = off[: len(exact)], off[len(exact) :]
    assert sum(fast_off) < 1.1 * sum(plain_off)
    for name, found in step(True, torch.float32).items():
        torch.testing.assert_close(found, exact[name], rtol=1e-3, atol=1e-5)


def test_only_depthwise_convolutions_on_the_way_back_are_replaced() -> None:
    images = torch.randn(2, 4, 8, 8, requires_grad=True)
    with FastDepthwise():
        grouped = functional.conv2d(images, torch.randn(4, 2, 3, 3), groups=2)
        dilated = functional.conv2d(images, torch.randn(4, 1, 3, 3), dilation=2, groups=4)
        same = functional.conv2d(images, torch.randn(4, 1, 3, 3), padding="same", groups=4)
        depthwise = torch.conv2d(images, torch.randn(4, 1, 3, 3), None, 2, (1, 0), 1, 4)
        with torch.no_grad():
            judged = functional.conv2d(images, torch.randn(4, 1, 3, 3), groups=4)
    names = [type(one.grad_fn).__name__ for one in (grouped, dilated, same, depthwise)]
    assert names == ["ConvolutionBackward0"] * 3 + ["_DepthwiseBackward"]
    assert judged.grad_fn is None
    assert depthwise.shape == (2, 4, 4, 3)
