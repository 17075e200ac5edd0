"""What training changes: weights, averaged weights, optimiser, scaler, and the step; saved and restored whole."""

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from thumbnet.errors import RunError, StorageError, TrainingError, reason_of
from thumbnet.files import atomic_file, storage_errors
from thumbnet.recipe import Ema


@dataclass
class Totals:
    """Sums over the training images seen since the last evaluation, and the training time that they took."""

    loss: float = 0.0
    correct: int = 0
    images: int = 0
    seconds: float = 0.0


@dataclass
class Best:
    """The best evaluation so far on the split that selects: top-1 as a fraction, and the step it came after."""

    top1: float = -1.0
    step: int = 0


@dataclass
class State:
    """Everything that a checkpoint holds.

    `step` counts the optimiser steps done and `images` the images that they saw; `train_seconds` is the time of the
    steps alone, `total_seconds` that with evaluations and checkpoints; `snapshots` are the steps after which the kept
    ones were taken, oldest first.
    """

    model: nn.Module
    scaler: torch.amp.GradScaler
    average: AveragedModel | None = None
    optimizer: torch.optim.Optimizer | None = None
    step: int = 0
    totals: Totals = field(default_factory=Totals)
    best: Best = field(default_factory=Best)
    images: int = 0
    train_seconds: float = 0.0
    total_seconds: float = 0.0
    snapshots: tuple[int, ...] = ()

    @property
    def judged(self) -> nn.Module:
        """The network that is judged: the averaged one where there is one."""
        return self.model if self.average is None else self.average.module


def make_average(model: nn.Module, ema: Ema | None) -> AveragedModel | None:
    """Return an exponential moving average of `model`, batch-norm statistics included, or `None` without `ema`."""
    if ema is None:
        return None
    make: Callable[[float], Any] = get_ema_multi_avg_fn
    return AveragedModel(model, multi_avg_fn=make(ema.decay), use_buffers=True)


@torch.no_grad()
def update_average(average: AveragedModel, model: nn.Module) -> None:
    """Take `model` into `average`, as its `update_parameters` does, but without waiting for the device.

    That would copy the number of averages there, which a moving average has no use for.
    """
    assert average.multi_avg_fn is not None
    own, new = (list(chain(one.parameters(), one.buffers())) for one in (average.module, model))
    if average.n_averaged == 0:
        for old, tensor in zip(own, new, strict=True):
            old.copy_(tensor)
    else:
        for dtype in {tensor.dtype: None for tensor in own}:
            old_ones, new_ones = ([tensor for tensor in group if tensor.dtype == dtype] for group in (own, new))
            average.multi_avg_fn(old_ones, new_ones, average.n_averaged)
    average.n_averaged += 1


def save_state(state: State, path: Path) -> None:
    """Write a checkpoint to resume from, atomically.

    Raises:
        TrainingError: a weight is not finite, so the checkpoint before stays the last good one.
        StorageError: the disk is full or the place cannot be written.
    """
    for name, parameter in state.model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise TrainingError(
                f"{name}: a weight is not finite after iteration {state.step}; the last good checkpoint is kept; "
                "lower the learning rate, set clip_norm, or use fp32"
            )
    _save(_pack(state), path)


def restore_state(state: State, packed: Mapping[str, Any], path: Path) -> None:
    """Restore `state`, whose optimiser must be the one of the checkpoint's phase, from what `path` held.

    Raises:
        RunError: the checkpoint is damaged or of another network.
    """
    try:
        state.model.load_state_dict(packed["model"])
        state.scaler.load_state_dict(packed["scaler"])
        if state.average is not None:
            state.average.load_state_dict(packed["average"])
        if state.optimizer is not None:
            state.optimizer.load_state_dict(packed["optimizer"])
        state.step, state.images = packed["step"], packed["images"]
        state.totals = Totals(**packed["totals"])
        state.best = Best(**packed["best"])
        state.train_seconds, state.total_seconds = packed["train_seconds"], packed["total_seconds"]
        state.snapshots = tuple(packed.get("snapshots", ()))  # older checkpoints know of none
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise RunError(f"{path}: the checkpoint does not fit its recipe ({reason_of(error)}); train again") from error


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the network's weights and buffers to `path`, atomically."""
    _save(model.state_dict(), path)


def load_weights(model: nn.Module, path: Path) -> None:
    """Load weights that `save_weights` wrote.

    Raises:
        RunError: the file is missing, damaged, or does not fit the network.
    """
    tensors = load_tensors(path)
    try:
        model.load_state_dict(tensors)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: the weights do not fit the network: {reason_of(error)}") from error


def load_tensors(path: Path) -> dict[str, Any]:
    """Return what is stored at `path`, loading data only, never code.

    Raises:
        RunError: the file is missing or damaged.
    """
    if not path.is_file():
        raise RunError(f"{path}: no such checkpoint; train or resume the run first")
    with storage_errors(path):
        content = path.read_bytes()
    # Read apart from parsing, for torch answers a truncated file with an error of the operating system.
    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise RunError(f"{path}: the checkpoint is damaged ({reason_of(error)}); train again") from error
    if not isinstance(loaded, dict):
        raise RunError(f"{path}: the checkpoint holds {type(loaded).__name__}, not named tensors; train again")
    return loaded


def _pack(state: State) -> dict[str, Any]:
    return {
        "model": state.model.state_dict(),
        "average": None if state.average is None else state.average.state_dict(),
        "optimizer": None if state.optimizer is None else state.optimizer.state_dict(),
        "scaler": state.scaler.state_dict(),
        "step": state.step,
        "images": state.images,
        "totals": vars(state.totals),
        "best": vars(state.best),
        "train_seconds": state.train_seconds,
        "total_seconds": state.total_seconds,
        "snapshots": list(state.snapshots),
    }


def _save(value: object, path: Path) -> None:
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with atomic_file(path) as handle:
            torch.save(value, handle)
    except RuntimeError as error:  # torch's writer hides the operating system's error behind its own
        raise StorageError(
            f"{path}: cannot be written ({reason_of(error)}); check that the disk is not full"
        ) from error
