"""The process that trains: its threads, its allocator, and the memory that a run takes of it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers import QUIET, short_recipe
from thumbnet import environment, train
from thumbnet.cli.options import ComputeOptions
from thumbnet.packed import PackedDataset
from thumbnet.run import RunDirectory
from thumbnet.train.hardware import choose_device, peak_memory_bytes, prepare_cpu, reset_peak_memory


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The threads of this process each time that its allocator is set."""
    before, found = torch.get_num_threads(), list[int]()
    monkeypatch.setattr("thumbnet.train.hardware._keep_freed_memory", lambda: found.append(torch.get_num_threads()))
    yield found
    torch.set_num_threads(before)


def test_choosing_a_device_changes_nothing(prepared: list[int]) -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert prepared == []


def test_commands_and_training_prepare_the_process(
    out: Path, shapes: PackedDataset, short_run: RunDirectory, prepared: list[int]
) -> None:
    assert ComputeOptions("cpu", 1).choose() == torch.device("cpu")
    train.start(short_recipe(), shapes, out, QUIET)
    assert prepared == [1, 1]
    train.resume(short_run, shapes, QUIET)  # which is complete
    assert prepared == [1, 1]


def test_a_runs_peak_memory_is_its_own(out: Path, shapes: PackedDataset) -> None:
    prepare_cpu(None)
    held = np.ones(1 << 29, np.uint8)
    before = environment.peak_memory_bytes()
    del held
    run = train.start(short_recipe(), shapes, out, QUIET)
    assert 10**8 < run.result()["peak_memory_bytes"] < before - (1 << 28)


def test_a_peak_that_cannot_be_reset_is_the_processs(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Path] = []

    def refused(path: Path, _text: str) -> int:
        tried.append(path)
        raise PermissionError

    held = np.ones(1 << 29, np.uint8)
    before = environment.peak_memory_bytes()
    del held
    monkeypatch.setattr(Path, "write_text", refused)
    reset_peak_memory(torch.device("cpu"))
    assert tried == [Path("/proc/self/clear_refs")]
    # The system counts in parts, one for each processor, so its peak is exact to a few hundred kB only.
    assert peak_memory_bytes(torch.device("cpu")) > before - (1 << 28)
