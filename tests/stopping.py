"""Runs that are interrupted or killed at a chosen moment, also in a process of their own."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from tests.helpers import QUIET
from thumbnet import packed, train
from thumbnet.recipe import Recipe
from thumbnet.run import RunDirectory
from thumbnet.train.trainer import Trainer

EVERY_STEP = replace(QUIET, checkpoint_seconds=0)
NO_TIME_CHECKPOINTS = replace(QUIET, checkpoint_seconds=1e9)

EVENTS = ("open", "os.chmod", "os.rename", "os.remove", "os.mkdir", "os.truncate")
IN_A_CHECKPOINT: Mapping[str, Any] = {"moment": 8, "mark": ".state.pt."}
"""Arguments of `go_on`: before the mode of the third checkpoint is set; each is opened, set and renamed."""
PRELOADED = ["thumbnet.workflows.tuning.searching", "timm", "tests.disk", "tests.stopping", "tests.features.helpers"]


def interrupt_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ctrl-C come once so many steps are taken, counted over all runs from now."""
    update, done = Trainer.update, count(1)

    def update_then_interrupt(self: Trainer, loss: Tensor) -> None:
        update(self, loss)
        if next(done) == steps:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "update", update_then_interrupt)


def send_at(folder: Path, moment: int, number: int = signal.SIGKILL, mark: str = "") -> None:
    """Let this process send itself signal `number` at the moment-th event of a file in `folder`.

    An event opens, renames or changes a file, which is also while a file is being written. Only paths with the text
    `mark` count.
    """
    events = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal events
        if event in EVENTS and str(folder) in str(arguments[0]) and mark in str(arguments[0]):
            events += 1
            if events == moment:
                os.kill(os.getpid(), number)

    sys.addaudithook(watch)


def processes() -> ForkServerContext:
    """Return what starts processes: forked from a server that has torch loaded already, in milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def in_a_process(target: Callable[..., object], *arguments: Any, kill_after: float | None = None, **named: Any) -> int:
    """Call `target` in a process of its own and return its exit status: minus the signal that ended it, if one did.

    With `kill_after` it is killed with SIGKILL when it has not ended after so many seconds.
    """
    process = processes().Process(target=target, args=arguments, kwargs=named)
    process.start()
    process.join(kill_after)
    if process.exitcode is None:
        process.kill()
        process.join()
    assert process.exitcode is not None
    return process.exitcode


def go_on(
    out: Path,
    recipe: Recipe,
    data: Path,
    options: train.Options = QUIET,
    *,
    moment: int | None = None,
    number: int = signal.SIGKILL,
    mark: str = "",
) -> RunDirectory:
    """Start the run `out` on packed `data`, or resume it when it is there.

    With a `moment`, this process sends itself signal `number` at that event of a file beside the run (`send_at`).
    """
    if moment is not None:
        send_at(out.parent, moment, number, mark)
    dataset = packed.load(data)
    if out.exists():
        return train.resume(RunDirectory.open(out), dataset, options)
    return train.start(recipe, dataset, out, options)


def killed_run(folder: Path, recipe: Recipe, data: Path, options: train.Options) -> RunDirectory:
    """Return a run in `folder` on packed `data` that was killed after a few of its steps, in a checkpoint."""
    assert go_on_in_a_process(folder / "run", recipe, data, options, **IN_A_CHECKPOINT) == -signal.SIGKILL
    return RunDirectory.open(folder / "run")


def go_on_in_a_process(*arguments: Any, kill_after: float | None = None, **named: Any) -> int:
    """Call `go_on` in a process of its own and return its exit status, as `in_a_process` does."""
    return in_a_process(go_on, *arguments, kill_after=kill_after, **named)
