"""What a person sees while training: a live line on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_PLAIN_SECONDS = 30.0


class Reporter(Protocol):
    """Receives the progress of a run."""

    def step(self, step: int, epoch: float, loss: float | None, images_per_second: float) -> None:
        """One optimiser step is done; `loss` is the newest known, and `None` where none is newer than before."""

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """The splits were evaluated."""

    def message(self, text: str) -> None:
        """Something that a person should know."""


class Silent:
    """Shows nothing."""

    def step(self, step: int, epoch: float, loss: float | None, images_per_second: float) -> None:
        """Show nothing."""

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """Show nothing."""

    def message(self, text: str) -> None:
        """Show nothing."""


@dataclass
class Plain:
    """Plain lines on standard error: one every half minute and one an evaluation."""

    total: int
    done: int = 0
    stream: Any = field(default_factory=lambda: sys.stderr)
    _next: float = field(default_factory=lambda: time.monotonic() + _PLAIN_SECONDS, init=False)

    def step(self, step: int, epoch: float, loss: float | None, images_per_second: float) -> None:
        """Write a line when half a minute has passed since the last such line."""
        now = time.monotonic()
        if now >= self._next and loss is not None:
            self._next = now + _PLAIN_SECONDS
            text = f"step {step} of {self.total}, epoch {epoch:.2f}, loss {loss:.4f}, {images_per_second:.0f} images/s"
            self.message(text)

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """Write a line."""
        self.message(describe_evaluation(row))

    def message(self, text: str) -> None:
        """Write a line."""
        print(text, file=self.stream, flush=True)


@dataclass
class Live:
    """One live line on a terminal: epoch, loss, images/s, bar and time left; evaluations scroll above it."""

    progress: Progress
    task: Any
    _loss: float | None = field(default=None, init=False)

    def step(self, step: int, epoch: float, loss: float | None, images_per_second: float) -> None:
        """Move the live line."""
        self._loss = self._loss if loss is None else loss
        shown = "-" if self._loss is None else f"{self._loss:.3f}"
        self.progress.update(self.task, completed=step, epoch=epoch, loss=shown, rate=images_per_second)

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """Print a line above the live one."""
        self.message(describe_evaluation(row))

    def message(self, text: str) -> None:
        """Print a line above the live one."""
        self.progress.console.print(text, highlight=False, markup=False)


def describe_evaluation(row: Mapping[str, Any]) -> str:
    """Return one evaluation as a line of text."""
    parts = [f"epoch {row['epoch']:g}", f"loss {row['running_train_loss']:.3f}"]
    names = {"running_train_top1": "train (running)", "eval_train_top1": "train (eval)"}
    names |= {"holdout_top1": "holdout", "val_top1": "val"}
    parts += [f"{label} {row[key]:.2%}" for key, label in names.items() if row.get(key) is not None]
    parts.append(f"{row['images_per_second']:.0f} images/s")
    return ", ".join(parts)


@contextlib.contextmanager
def reporting(total: int, done: int, stream: Any = None) -> Iterator[Reporter]:
    """Yield the reporter that fits `stream` (standard error by default): live on a terminal, plain elsewhere."""
    console = Console(file=stream or sys.stderr)
    if not console.is_terminal:
        yield Plain(total, done, stream or sys.stderr)
        return
    columns = (
        TextColumn("epoch {task.fields[epoch]:.2f}"),
        BarColumn(bar_width=20),
        TextColumn("loss {task.fields[loss]}  {task.fields[rate]:.0f} images/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, refresh_per_second=4) as progress:
        task = progress.add_task("train", total=total, completed=done, epoch=0.0, loss="-", rate=0.0)
        yield Live(progress, task)
