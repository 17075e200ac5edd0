"""benchmarks.waits: steps are free first and watched then, and the place of a wait is said."""

from pathlib import Path

import pytest
import torch
from benchmarks import waits
from torch import Tensor

from tests.train.helpers import CPU
from thumbnet.errors import TrainingError
from thumbnet.packed import PackedDataset
from thumbnet.train.trainer import Trainer


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the modes that torch is set to, the last one last; no device is needed."""
    found = ["default"]
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", found.append)
    return found


@pytest.mark.parametrize("case", waits.cases())
def test_steps_are_watched_to_the_last(
    case: str, modes: list[str], shapes: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, seen = Trainer.loss, list[str]()

    def noted(trainer: Trainer, logits: Tensor, targets: Tensor) -> Tensor:
        seen.append(modes[-1])
        return loss(trainer, logits, targets)

    monkeypatch.setattr(Trainer, "loss", noted)
    assert waits.first_wait(waits.cases()[case], shapes, CPU, tmp_path / "run") is None
    assert seen == ["default"] * waits.FREE + ["error"] * waits.WATCHED
    assert modes[-1] == "default"


@pytest.mark.parametrize("step", [0, 1])
def test_the_place_of_a_wait_is_said(
    step: int, modes: list[str], shapes: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = Trainer.loss

    def waiting(trainer: Trainer, logits: Tensor, targets: Tensor) -> Tensor:
        if modes[-1] == "error" and trainer.state.step == waits.FREE + step:
            raise RuntimeError("called a synchronizing CUDA operation")
        return loss(trainer, logits, targets)

    monkeypatch.setattr(Trainer, "loss", waiting)
    found = waits.first_wait(waits.cases()["fp32"], shapes, CPU, tmp_path / "run")
    assert found is not None
    assert found.startswith("train/loop.py, line ")
    assert modes[-1] == "default"


def test_another_device_is_refused() -> None:
    with pytest.raises(TrainingError, match="device 'cpu': torch says of CUDA devices alone what waits for them"):
        waits.waits("cpu")
