"""What training measures, step by step: kept on the device, written in blocks, checked for finite losses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from thumbnet.errors import TrainingError
from thumbnet.run import RunDirectory
from thumbnet.train.state import Totals
from thumbnet.train.tensorboard import Mirror

_BLOCK = 50


class StepResult(NamedTuple):
    """One optimiser step: its number and its phase's (from 1), epochs done, rate, mean loss, correct answers, images.

    `loss` and `correct` are tensors of one element that stay on the device until the block is written.
    """

    step: int
    phase: int
    epoch: float
    lr: float
    loss: Tensor
    correct: Tensor
    images: int


@dataclass
class Journal:
    """Collects steps and writes them to the run's metrics in blocks; reading them earlier would stall the device."""

    run: RunDirectory
    mirror: Mirror
    waiting: list[StepResult] = field(default_factory=list)

    def note(self, result: StepResult, totals: Totals) -> float | None:
        """Take one step; return its loss when it ends a block, and `None` otherwise.

        Raises:
            TrainingError: a loss of the block is not finite.
        """
        self.waiting.append(result)
        return self.flush(totals) if len(self.waiting) >= _BLOCK else None

    def flush(self, totals: Totals) -> float | None:
        """Write what waits, add it to `totals`, and return the last loss.

        Raises:
            TrainingError: a loss is not finite; the steps before it are written.
        """
        if not self.waiting:
            return None
        waiting, self.waiting = self.waiting, []
        losses = torch.stack([result.loss for result in waiting]).tolist()
        correct = torch.stack([result.correct for result in waiting]).tolist()
        rows: list[dict[str, Any]] = []
        for result, loss, hits in zip(waiting, losses, correct, strict=True):
            if not -float("inf") < loss < float("inf"):
                self._write(rows)
                raise TrainingError(_advice(result, loss))
            rows.append(_row(result, loss))
            totals.loss += loss * result.images
            totals.correct += int(hits)
            totals.images += result.images
        self._write(rows)
        return float(losses[-1])

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """Write one evaluation."""
        self._write([{"kind": "evaluation", **row}])

    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.run.metrics.append(rows)
        self.mirror(rows)


def _row(result: StepResult, loss: float) -> dict[str, Any]:
    return {
        "kind": "iteration",
        "step": result.step,
        "phase": result.phase,
        "epoch": round(result.epoch, 5),
        "loss": loss,
        "lr": result.lr,
    }


def _advice(result: StepResult, loss: float) -> str:
    return (
        f"the loss is {loss} at iteration {result.step} (epoch {result.epoch:.2f}, learning rate {result.lr:g}); "
        "the last good checkpoint is kept; lower optimizer.lr, set clip_norm, or use precision=fp32"
    )
