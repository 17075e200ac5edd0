"""The device that computes, its threads, and advice when its memory runs out."""

import contextlib
import ctypes
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from thumbnet import environment
from thumbnet.errors import TrainingError, is_out_of_memory, reason_of


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `name`.

    Args:
        name: 'auto' (a CUDA device, else Apple's, else the CPU), or torch's own name, such as 'cpu' or 'cuda:1'.

    Raises:
        TrainingError: there is no such device here.
    """
    if name == "auto":
        return torch.device(_best_device())
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # which 'meta' has not, though it makes tensors
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(
            f"device {name!r} cannot be used here ({reason_of(error)}); use --device cpu or auto"
        ) from error
    return device


def set_threads(threads: int | None) -> None:
    """Let `threads` threads of this process compute on the CPU; `None` leaves torch's choice.

    Raises:
        TrainingError: not a positive number.
    """
    if threads is None:
        return
    if threads < 1:
        raise TrainingError(f"threads: {threads} is not a positive number; leave it out for all processors")
    torch.set_num_threads(threads)


def prepare_cpu(threads: int | None) -> None:
    """Set this process up to train, until it ends: its CPU threads, and an allocator that keeps freed memory.

    Raises:
        TrainingError: `threads` is not a positive number.
    """
    set_threads(threads)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let glibc keep the large blocks that training frees for the next step, instead of returning them at once.

    By default each activation tensor is mapped anew and zeroed page by page at every step: on two cores that took
    half of the time of a step of M1 (`benchmarks.loop`). Other C libraries are left as they are.
    """
    libc = _glibc()
    if libc is None:
        return
    trim_threshold, mmap_threshold, mmap_max = -1, -3, -4  # malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX
    for option, value in ((mmap_threshold, 32 << 20), (trim_threshold, -1), (mmap_max, 0)):
        libc.mallopt(option, value)


def _glibc() -> ctypes.CDLL | None:
    """Return the C library of this process where it is glibc."""
    return ctypes.CDLL(None) if sys.platform == "linux" and platform.libc_ver()[0] == "glibc" else None


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def describe_hardware(device: torch.device) -> dict[str, Any]:
    """Return the environment's description (see `thumbnet.environment.describe`) for `device`."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return environment.describe(str(device), torch.get_num_threads(), name)


def reset_peak_memory(device: torch.device) -> None:
    """Let `peak_memory_bytes` count from now on: what this process still holds, and what it comes to hold.

    On the CPU that needs Linux, with a `/proc` that can be written; elsewhere the peak stays the whole process's.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)  # what an earlier run has freed is kept otherwise, and counted
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak is what is resident now


def peak_memory_bytes(device: torch.device) -> int:
    """Return the most memory that this process has held: on the GPU for a CUDA device, resident otherwise.

    That is since the last `reset_peak_memory`, or since the process began.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return environment.peak_memory_bytes()


@contextlib.contextmanager
def flush_denormals() -> Iterator[None]:
    """Take numbers too small to matter (below 1e-38) as zero in this thread: on a CPU they are ten times slower."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextlib.contextmanager
def memory_advice(batch_size: int) -> Iterator[None]:
    """Turn running out of memory into a `TrainingError` of one line with advice."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"memory ran out at batch size {batch_size}; try --set batch_size={max(1, batch_size // 2)}, "
            "--set precision=bf16 or a smaller image size, then resume or train again"
        ) from error


@contextlib.contextmanager
def compile_advice(compiled: bool) -> Iterator[None]:
    """Turn what keeps torch from compiling a network here into a `TrainingError` of one line with advice."""
    if not compiled:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException  # slow to import, and torch.compile has imported it

    try:
        yield
    except TorchDynamoException as error:
        raise TrainingError(
            f"the network cannot be compiled here ({reason_of(error)}); train anew with --set compile=false"
        ) from error
