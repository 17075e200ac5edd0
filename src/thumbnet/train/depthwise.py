"""Depthwise convolutions on the CPU with a backward pass that is as fast as the forward one.

torch's own is slow where it falls back from oneDNN's fast kernels: the gradient of the input at a stride of 2, and
that of the weights for filters larger than 3x3 in bfloat16. Both are the same sums, taken by kernels that are fast:
the first is a depthwise convolution of the gradient with zeros in between, the second is made of 3x3 filters.
`python -m benchmarks.depthwise` measures what it brings.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_ARGUMENTS = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_DEFAULTS: Mapping[str, Any] = {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1}
_BLOCK = 3

Pair = tuple[int, int]


class FastDepthwise(TorchFunctionMode):
    """Within this context, `conv2d` of a depthwise convolution on the CPU has the fast backward pass.

    Everything else is torch's own, and so are the outputs; gradients agree to rounding.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        if func is torch.conv2d or func is functional.conv2d:
            call = {**_DEFAULTS, **dict(zip(_ARGUMENTS, args, strict=False)), **given}
            if _applies(call):
                return _convolve(call)
        return func(*args, **given)


def _applies(call: Mapping[str, Any]) -> bool:
    images, weight = call["input"], call["weight"]
    depthwise = call["groups"] == weight.shape[0] == images.shape[1] > 1 and weight.shape[1] == 1
    plain = _pair(call["dilation"]) == (1, 1) and not isinstance(call["padding"], str)
    return bool(images.ndim == 4 and images.device.type == "cpu" and depthwise and plain and torch.is_grad_enabled())


def _convolve(call: Mapping[str, Any]) -> Tensor:
    tensors = [call["input"], call["weight"], call["bias"]]
    if torch.is_autocast_enabled("cpu"):
        dtype = torch.get_autocast_dtype("cpu")
        tensors = [None if one is None else one.to(dtype) for one in tensors]
    return cast(Tensor, _Depthwise.apply(*tensors, _Steps(_pair(call["stride"]), _pair(call["padding"]))))


class _Steps(NamedTuple):
    """How a filter goes over an image: its stride and the zeros around the image, down and across."""

    stride: Pair
    padding: Pair


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution: images f[B,C,H,W], weight f[C,1,KH,KW], bias f[C] or none."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, steps: _Steps) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.steps = steps
        return torch.conv2d(images, weight, bias, steps.stride, steps.padding, 1, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        wanted = ctx.needs_input_grad
        return (
            _input_gradient(gradient, images, weight, ctx.steps) if wanted[0] else None,
            _weight_gradient(gradient, images, weight, ctx.steps) if wanted[1] else None,
            gradient.sum((0, 2, 3)) if wanted[2] else None,
            None,
        )


def _input_gradient(gradient: Tensor, images: Tensor, weight: Tensor, steps: _Steps) -> Tensor:
    """Return the gradient of the input, f[B,C,H,W]: the output's, spread out by the stride, through turned filters."""
    kernel, sides = weight.shape[2:], images.shape[2:]
    around = [size - 1 - pad for size, pad in zip(kernel, steps.padding, strict=True)]
    if steps.stride == (1, 1) or min(around) < 0:
        return _torch_gradient(gradient, images, weight, steps, of="images")
    spread_sides = [side + pad - rest for side, pad, rest in zip(sides, steps.padding, around, strict=True)]
    spread = gradient.new_zeros((*gradient.shape[:2], *spread_sides)).contiguous(memory_format=torch.channels_last)
    spread[:, :, :: steps.stride[0], :: steps.stride[1]] = gradient
    return torch.conv2d(spread, weight.flip(-1, -2), None, 1, around, 1, len(weight))


def _weight_gradient(gradient: Tensor, images: Tensor, weight: Tensor, steps: _Steps) -> Tensor:
    """Return the gradient of the weights, f[C,1,KH,KW], in bfloat16 from blocks of 3x3 taps."""
    kernel = weight.shape[2:]
    if gradient.dtype != torch.bfloat16 or any(size <= _BLOCK or size % 2 == 0 for size in kernel):
        return _torch_gradient(gradient, images, weight, steps, of="weight")
    down, across = steps.padding
    padded = functional.pad(images, (across, across, down, down)).contiguous(memory_format=torch.channels_last)
    high, wide = ((side - 1) * step + _BLOCK for side, step in zip(gradient.shape[2:], steps.stride, strict=True))
    block, found = weight[:, :, :_BLOCK, :_BLOCK].contiguous(), torch.empty_like(weight)
    for top, left in itertools.product(range(0, kernel[0] - 1, 2), range(0, kernel[1] - 1, 2)):
        part = padded[:, :, top : top + high, left : left + wide].contiguous(memory_format=torch.channels_last)
        taps = _torch_gradient(gradient, part, block, _Steps(steps.stride, (0, 0)), of="weight")
        found[:, :, top : top + _BLOCK, left : left + _BLOCK] = taps
    return found


def _torch_gradient(
    gradient: Tensor, images: Tensor, weight: Tensor, steps: _Steps, *, of: Literal["images", "weight"]
) -> Tensor:
    """Return torch's own gradient of the input or of the weights."""
    mask = (of == "images", of == "weight", False)
    found: Sequence[Tensor] = torch.ops.aten.convolution_backward(
        gradient, images, weight, None, steps.stride, steps.padding, (1, 1), False, (0, 0), len(weight), mask
    )
    return found[mask.index(True)]


def _pair(value: Any) -> Pair:
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))
