"""The training loop."""

import math
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from thumbnet.files import atomic_file
from thumbnet.models import first_convolution
from thumbnet.run import RunDirectory, epoch_tag
from thumbnet.train.assess import assess, improved
from thumbnet.train.interrupt import Interrupted, StopRequest
from thumbnet.train.journal import Journal, StepResult
from thumbnet.train.progress import Reporter
from thumbnet.train.snapshots import take_snapshot
from thumbnet.train.state import Totals, save_state, save_weights
from thumbnet.train.trainer import Trainer


@dataclass
class Clock:
    """Splits the time of a run into training steps and everything else."""

    started: float = field(default_factory=time.perf_counter)

    def running(self) -> float:
        """Return the seconds since the last lap."""
        return time.perf_counter() - self.started

    def lap(self) -> float:
        """Return the seconds since the last lap, and start a new one."""
        now = time.perf_counter()
        seconds, self.started = now - self.started, now
        return seconds


@dataclass
class Loop:
    """Runs a trainer's steps and keeps its run directory up to date.

    Without `checkpoint_seconds` there are no checkpoints. `on_evaluation` takes each evaluation's row.
    """

    trainer: Trainer
    run: RunDirectory
    journal: Journal
    reporter: Reporter
    stop: StopRequest
    checkpoint_seconds: float | None
    on_evaluation: Callable[[Mapping[str, Any]], None] | None = None
    _clock: Clock = field(default_factory=Clock, init=False)
    _next_checkpoint: float = field(default=0.0, init=False)

    def run_steps(self) -> bool:
        """Train to the end of the plan; return whether it was reached (else somebody asked to stop)."""
        trainer, state = self.trainer, self.trainer.state
        self._clock.lap()
        self._plan_checkpoint()
        if state.step == trainer.plan.total_steps:
            self._enter(state.step - 1)  # only the end is left, which judges by the last phase's features
        while state.step < trainer.plan.total_steps and not self.stop.requested:
            step = state.step
            learning_rate = self._enter(step)
            inputs, targets = trainer.batch(step)
            logits = trainer.logits(inputs, step)
            loss = trainer.loss(logits, targets)
            trainer.update(loss)
            self._note(learning_rate, loss.detach(), logits.detach(), targets)
            milestone = state.step in trainer.plan.milestones
            if milestone:
                self._evaluate(learning_rate)
            self._keep(trainer.plan.epoch_ended(state.step))
            if milestone or time.monotonic() >= self._next_checkpoint:
                self._checkpoint()
        if self.stop.requested and state.step > 0:
            self._checkpoint()
        return state.step == trainer.plan.total_steps

    def _enter(self, step: int) -> float:
        """Enter the phase of `step`, with the features that it needs, and return the learning rate."""
        learning_rate = self.trainer.enter(step)
        if self.trainer.batches is None:
            self._lap_training()
            self.trainer.make_features(self._watch)
            self._lap_other()
        return learning_rate

    def _watch(self, text: str, done: int, total: int) -> None:
        """Show how far features are, and stop there when somebody asks: what is written of them stays."""
        self.reporter.features(text, done, total)
        if self.stop.requested:
            raise interruption(self.trainer, self.run)

    def _note(self, learning_rate: float, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Take the step's figures, without waiting for the device."""
        state = self.trainer.state
        labels = targets if targets.ndim == 1 else targets.argmax(-1)
        correct = (logits.argmax(-1) == labels).sum()
        state.images += len(targets)
        epoch = self.trainer.plan.epochs_done(state.step)
        phase = self.trainer.plan.phase_at(state.step - 1).index + 1
        result = StepResult(state.step, phase, epoch, learning_rate, loss, correct, len(targets))
        newest = self.journal.note(result, state.totals)
        if newest is not None:
            self._lap_training()
        seconds = state.train_seconds + self._clock.running()
        self.reporter.step(state.step, epoch, newest, state.images / seconds)

    def _flush(self) -> None:
        """Write what the journal holds, and show the newest loss."""
        state = self.trainer.state
        newest = self.journal.flush(state.totals)
        self._lap_training()
        if newest is not None:
            epoch = self.trainer.plan.epochs_done(state.step)
            self.reporter.step(state.step, epoch, newest, state.images / state.train_seconds)

    def _lap_training(self) -> None:
        """Count the time since the last lap as training (the journal has just waited for the device)."""
        seconds = self._clock.lap()
        self.trainer.state.totals.seconds += seconds
        self.trainer.state.train_seconds += seconds
        self.trainer.state.total_seconds += seconds

    def _lap_other(self) -> None:
        self.trainer.state.total_seconds += self._clock.lap()

    def _evaluate(self, learning_rate: float) -> None:
        """Evaluate, write the row, and keep the weights where they are the best so far."""
        self._flush()
        trainer, state = self.trainer, self.trainer.state
        found = assess(trainer, learning_rate)
        self.journal.evaluation(found.row)
        self.reporter.evaluation(found.row)
        if improved(trainer, found.row):
            save_weights(state.judged, self.run.weights_path("best"))
            if trainer.recipe.checkpointing.snapshots:
                take_snapshot(trainer, self.run, found)
        state.totals = Totals()
        self._lap_other()
        if self.on_evaluation is not None:
            self.on_evaluation(found.row)

    def _keep(self, epoch: int | None) -> None:
        """Keep the weights and filters that the recipe asks for at the end of `epoch`, evaluated or not."""
        kept = self.trainer.recipe.checkpointing
        if epoch is None or epoch not in {*kept.keep, *kept.filters}:
            return
        self._flush()
        if epoch in kept.keep:
            save_weights(self.trainer.state.judged, self.run.weights_path(epoch_tag(epoch)))
        if epoch in kept.filters:
            save_filters(self.trainer, self.run, epoch_tag(epoch))
        self._lap_other()

    def _checkpoint(self) -> None:
        """Write what a resumed run needs: first the metrics up to this step, then the state.

        Only then may the snapshots go that the state no longer names.
        """
        if self.checkpoint_seconds is None:
            return
        self._flush()
        self.run.metrics.sync()
        save_state(self.trainer.state, self.run.state_path)
        self.run.keep_snapshots(self.trainer.state.snapshots)
        self.run.write_status("running", self.trainer.state.step, self.trainer.plan.total_steps)
        self._lap_other()
        self._plan_checkpoint()

    def _plan_checkpoint(self) -> None:
        seconds = math.inf if self.checkpoint_seconds is None else self.checkpoint_seconds
        self._next_checkpoint = time.monotonic() + seconds


def interruption(trainer: Trainer, run: RunDirectory) -> Interrupted:
    """Return what ends a run that was asked to stop."""
    return Interrupted(
        f"stopped after iteration {trainer.state.step} of {trainer.plan.total_steps}; "
        f"go on with: thumbnet resume {shlex.quote(str(run.path))}"
    )


def save_filters(trainer: Trainer, run: RunDirectory, tag: str) -> None:
    """Write the first layer's filters f32[filters, channels, height, width] of the judged network."""
    filters = first_convolution(trainer.state.judged).weight.detach().float().cpu().numpy()
    with atomic_file(run.filters_path(tag)) as handle:
        np.save(handle, filters)
