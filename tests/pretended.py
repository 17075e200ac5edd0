"""A CUDA device that is only pretended: what lies on it has shapes and no values, and waiting for it is an error."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from thumbnet.augment.constants import constant

CUDA = torch.device("cuda:0")

_ATEN = torch.ops.aten


class Pretended:
    """Gives what touches the pretended device on to a `FakeTensorMode`, and computes everything else as it is.

    That mode refuses to give a value that lies on the device, and a shape that depends on values there. While `strict`
    is set, this one refuses whatever else makes the host wait: a tensor of the host that goes to the device, but for a
    copy from pinned memory that is queued, and a tensor of the device that comes to the host.
    """

    def __init__(self) -> None:
        self.strict = False
        self._pinned: list[Tensor] = []

    def dispatch(
        self, func: Any, _types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Compute one of torch's operations."""
        options = dict(kwargs or {})
        given = [leaf for leaf in tree_leaves((args, options)) if isinstance(leaf, Tensor)]
        on_host = all(one.device.type == "cpu" for one in given)
        with unset_fake_temporarily():
            if func is _ATEN.is_pinned.default:
                return self._are_pinned(given)
            if func is _ATEN._pin_memory.default:
                self._pinned.append(given[0].clone())
                return self._pinned[-1]
            if on_host and torch.device(options.get("device") or "cpu").type == "cpu":
                return func(*args, **options)
        if self.strict:
            self._refuse_waiting(func, options, given)
        return func(*args, **options)

    def _refuse_waiting(self, func: Any, options: Mapping[str, Any], given: Sequence[Tensor]) -> None:
        host = [one for one in given if one.device.type == "cpu"]
        queued = func is _ATEN._to_copy.default and options.get("non_blocking") and self._are_pinned(host)
        assert queued or not host, f"{func} waits for the device: it takes a tensor of the host there"
        assert torch.device(options.get("device") or CUDA) == CUDA, f"{func} waits for the device, to read from it"
        masks = func is _ATEN.index_put_.default and any(one.dtype == torch.bool for one in given)
        assert not masks, f"{func} waits for the device, to count a mask there"

    def _are_pinned(self, tensors: Sequence[Tensor]) -> bool:
        return all(any(tensor is one for one in self._pinned) for tensor in tensors)


@contextmanager
def pretended_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pretended]:
    """Pretend for the block that there is a CUDA device; its generators are the host's, its constants forgotten."""
    device, generator = Pretended(), torch.Generator
    mode = type("Mode", (TorchDispatchMode,), {"__torch_dispatch__": lambda _, *called: device.dispatch(*called)})
    constant.cache_clear()
    with monkeypatch.context() as patch, FakeTensorMode(allow_non_fake_inputs=True), mode():
        patch.setattr(torch, "Generator", lambda _device="cpu": generator())
        try:
            yield device
        finally:
            constant.cache_clear()
