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

    def features(self, text: str, done: int, total: int) -> None:
        """The features that `text` names are computed for `done` images of `total`."""

    def message(self, text: str) -> None:
        """Something that a person should know."""


class Silent:
    """Shows nothing."""

    def step(self, step: int, epoch: float, loss: float | None, images_per_second: float) -> None:
        """Show nothing."""

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """Show nothing."""

    def features(self, text: str, done: int, total: int) -> None:
        """Show nothing."""

    def message(self, text: str) -> None:
        """Show nothing."""


@dataclass
class Plain:
    """Plain lines on standard error: one every half minute and one an evaluation."""

    total: int
    stream: Any = field(default_factory=lambda: sys.stderr)
    _next: float = field(default_factory=lambda: time.monotonic() + _PLAIN_SECONDS, init=False)
    _text: str = field(default="", init=False)

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

    def features(self, text: str, done: int, total: int) -> None:
        """Write a line when there is something new to say, every half minute, and at the end."""
        now = time.monotonic()
        if text != self._text or now >= self._next or done == total:
            self._text, self._next = text, now + _PLAIN_SECONDS
            self.message(describe_features(text, done, total))

    def message(self, text: str) -> None:
        """Write a line."""
        print(text, file=self.stream, flush=True)


@dataclass
class Live:
    """One live line on a terminal: epoch, loss, images/s, bar and time left; evaluations scroll above it."""

    progress: Progress
    task: Any
    _loss: float | None = field(default=None, init=False)
    _features: dict[str, Any] = field(default_factory=dict, init=False)

    def step(self, step: int, epoch: float, loss: float | None, images_per_second: float) -> None:
        """Move the live line."""
        self._loss = self._loss if loss is None else loss
        shown = "-" if self._loss is None else f"{self._loss:.3f}"
        tail = f"loss {shown}  {images_per_second:.0f} images/s"
        self.progress.update(self.task, completed=step, head=f"epoch {epoch:.2f}", tail=tail)

    def evaluation(self, row: Mapping[str, Any]) -> None:
        """Print a line above the live one."""
        self.message(describe_evaluation(row))

    def features(self, text: str, done: int, total: int) -> None:
        """Show a live line of its own, and a line above it at the end."""
        for other in [one for one in self._features if one != text]:
            self.progress.remove_task(self._features.pop(other))
        if text not in self._features:
            self._features[text] = self.progress.add_task("features", total=total, head=text, tail="")
        self.progress.update(self._features[text], completed=done, tail=f"{done:,} of {total:,} images")
        if done == total:
            self.progress.remove_task(self._features.pop(text))
            self.message(describe_features(text, done, total))

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


def describe_features(text: str, done: int, total: int) -> str:
    """Return how far features are as a line of text."""
    return f"{text}: {done:,} of {total:,} images"


@contextlib.contextmanager
def reporting(total: int, done: int, stream: Any = None) -> Iterator[Reporter]:
    """Yield the reporter that fits `stream` (standard error by default): live on a terminal, plain elsewhere."""
    console = Console(file=stream or sys.stderr)
    if not console.is_terminal:
        yield Plain(total, stream or sys.stderr)
        return
    columns = (
        TextColumn("{task.fields[head]}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[tail]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, refresh_per_second=4) as progress:
        task = progress.add_task("train", total=total, completed=done, head="epoch 0.00", tail="loss -")
        yield Live(progress, task)
