"""Runs from beginning to end: start one, resume one."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from thumbnet import environment, packed
from thumbnet.data import training_subsets
from thumbnet.errors import DataError, RunError, TrainingError
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Recipe
from thumbnet.run import RunDirectory, find_data
from thumbnet.train.checks import check_recipe
from thumbnet.train.hardware import (
    choose_device,
    compile_advice,
    describe_hardware,
    flush_denormals,
    memory_advice,
    prepare_cpu,
    reset_peak_memory,
)
from thumbnet.train.interrupt import Interrupted, StopRequest, stop_on_signals
from thumbnet.train.journal import Journal
from thumbnet.train.loop import Loop, interruption, save_filters
from thumbnet.train.plan import Plan, make_plan
from thumbnet.train.progress import Reporter, Silent, reporting
from thumbnet.train.results import finish
from thumbnet.train.state import load_tensors, restore_state, save_weights
from thumbnet.train.tensorboard import open_writer, require_tensorboard
from thumbnet.train.trainer import Trainer, make_trainer


@dataclass(frozen=True)
class Options:
    """What does not decide the result of a run.

    Args:
        device: 'auto', or torch's name of a device.
        threads: CPU threads; `None` leaves torch's choice (floating-point sums depend on it, in the last digits).
        checkpoint_seconds: longest time between two checkpoints; each evaluation writes one too. `None` writes none,
            and a run that stops begins anew.
        tensorboard: also write the metrics for TensorBoard (needs the extra of that name).
        quiet: show no progress.
        cache: place of cached features; `None` takes `$THUMBNET_CACHE`, else the user's cache folder.
        on_evaluation: takes each evaluation's row (see `thumbnet.train.assess.assess`); what it raises ends the run,
            unfinished.
    """

    device: str = "auto"
    threads: int | None = None
    checkpoint_seconds: float | None = 120.0
    tensorboard: bool = False
    quiet: bool = False
    cache: Path | None = None
    on_evaluation: Callable[[Mapping[str, Any]], None] | None = None


def start(
    recipe: Recipe, dataset: PackedDataset, out: Path, options: Options = Options(), command: str = "thumbnet.train"
) -> RunDirectory:
    """Train `recipe` on `dataset` into the new run directory `out` and return it, complete.

    Raises:
        ThumbnetError: anything that a user can mend; before training begins, nothing is written.
        Interrupted: somebody asked to stop; the run can be resumed.
    """
    device = choose_device(options.device)
    prepare_cpu(options.threads)
    if options.tensorboard:
        require_tensorboard()
    recipe = check_recipe(recipe, dataset)
    run = RunDirectory.create(out, recipe, dataset.described(), describe_hardware(device), command)
    with run.lock():
        _go_on(run, recipe, dataset, device, options=options)
    return run


def resume(
    run: RunDirectory, dataset: PackedDataset, options: Options = Options(), command: str = "thumbnet.resume"
) -> RunDirectory:
    """Train an unfinished run to its end, from its last checkpoint or from the beginning, and return it, complete.

    A complete run is returned as it is.

    Raises:
        ThumbnetError: the run or the data is damaged, or the data is other data than the run's.
        Interrupted: somebody asked to stop; the run can be resumed again.
    """
    if _is_over(run):
        return run
    recipe, before = run.recipe(), run.sessions()[0]
    _require_own(run, dataset)
    if options.tensorboard or run.tensorboard_path.exists():
        require_tensorboard()
    device = choose_device(options.device)
    prepare_cpu(options.threads if options.threads is not None else before["threads"])
    now = describe_hardware(device)
    differences = environment.differences(before, now)
    with run.lock():
        if not _is_over(run):  # another process may have ended it since
            run.add_session({**now, "differences": differences}, command)
            _go_on(run, recipe, dataset, device, options=options, differences=differences)
    return run


def _is_over(run: RunDirectory) -> bool:
    """Return whether the run is complete; then what a kill between the last two lines of `finish` left is removed."""
    complete = run.is_complete
    if complete:
        run.state_path.unlink(missing_ok=True)
    return complete


def _go_on(
    run: RunDirectory,
    recipe: Recipe,
    dataset: PackedDataset,
    device: torch.device,
    *,
    options: Options,
    differences: Sequence[str] = (),
) -> None:
    """Train a run, which this process has locked, to its end."""
    reset_peak_memory(device)
    with memory_advice(recipe.batch_size), flush_denormals(), stop_on_signals() as stop:
        subsets = training_subsets(dataset, device, recipe)
        plan = make_plan(recipe, len(subsets["train"].positions), dataset.image_size)
        first = run.weights_path("first")
        stored = first if first.exists() else None
        trainer = make_trainer(recipe, plan, dataset, subsets, device, cache=options.cache, first=stored)
        _restore(trainer, run)
        run.write_status("running", trainer.state.step, plan.total_steps)
        shown: contextlib.AbstractContextManager[Reporter] = (
            contextlib.nullcontext(Silent()) if options.quiet else reporting(plan.total_steps, trainer.state.step)
        )
        with shown as reporter:
            for difference in differences:
                reporter.message(f"note: the environment differs from the run's first: {difference}")
            for note in _shortened(recipe, plan):
                reporter.message(f"note: {note}")
            with _failures_noted(run, plan, trainer), compile_advice(recipe.compile), memory_advice(recipe.batch_size):
                _train(trainer, run, options, reporter, stop)
                finish(trainer, run, dataset)
            if stop.requested:
                reporter.message(f"note: asked to stop after the last iteration; {run.path} is complete")


def _shortened(recipe: Recipe, plan: Plan) -> list[str]:
    """Return what a reader must know of epochs that a run of a part of the length does not reach, if any are kept."""
    missed = [str(epoch) for epoch in recipe.checkpointing.keep if epoch > plan.epochs]
    if not missed:
        return []
    share, last = f"{recipe.fraction:g} of the full length", f"ends with epoch {plan.epochs}"
    return [f"checkpointing.keep: {share} {last}, so these are not kept: {', '.join(missed)}"]


def _restore(trainer: Trainer, run: RunDirectory) -> None:
    """Bring a trainer to the run's last checkpoint, or write what a run stores before its first step."""
    if run.state_path.exists():
        packed_state = load_tensors(run.state_path)
        step = packed_state.get("step")
        if not isinstance(step, int) or not 0 < step <= trainer.plan.total_steps:
            raise RunError(f"{run.state_path}: not a checkpoint of this run; train again")
        trainer.enter(step - 1)
        restore_state(trainer.state, packed_state, run.state_path)
    else:
        save_weights(trainer.state.judged, run.weights_path("first"))
        save_filters(trainer, run, "initial")
    run.metrics.truncate(trainer.state.step)
    run.keep_snapshots(trainer.state.snapshots)


def _train(trainer: Trainer, run: RunDirectory, options: Options, reporter: Reporter, stop: StopRequest) -> None:
    with open_writer(run, options.tensorboard) as mirror:
        journal = Journal(run, mirror)
        loop = Loop(trainer, run, journal, reporter, stop, options.checkpoint_seconds, options.on_evaluation)
        if not loop.run_steps():
            raise interruption(trainer, run)


@contextlib.contextmanager
def _failures_noted(run: RunDirectory, plan: Plan, trainer: Trainer) -> Iterator[None]:
    """Record in the run's status how training ended when it did not end well."""
    try:
        yield
    except Interrupted:
        run.write_status("interrupted", trainer.state.step, plan.total_steps, "stopped on request")
        raise
    except TrainingError as error:
        run.write_status("failed", trainer.state.step, plan.total_steps, str(error))
        raise


def load_run_data(run: RunDirectory, data: Path | None) -> PackedDataset:
    """Return the packed data of a run: at `data` where given, else where `find_data` finds it.

    Raises:
        DataError: it is not there, damaged, or of other classes than the run's.
        StorageError: its place may not be entered.
    """
    classes = run.class_ids()
    dataset = find_data(run) if data is None else packed.load(data)
    if tuple(info.id for info in dataset.classes) != classes:
        raise DataError(
            f"{dataset.path}: its {len(dataset.classes)} classes are not the run's {len(classes)}; "
            "give data of the same classes with --data"
        )
    return dataset


def load_own_data(run: RunDirectory, data: Path | None) -> PackedDataset:
    """Return the packed data that a run was made from: at `data` where given, else where `find_data` finds it.

    Raises:
        DataError: it is not there, damaged, or other data than the run's.
        StorageError: its place may not be entered.
    """
    dataset = load_run_data(run, data)
    _require_own(run, dataset)
    return dataset


def _require_own(run: RunDirectory, dataset: PackedDataset) -> None:
    if dataset.fingerprint != run.data()["fingerprint"]:
        raise DataError(
            f"{dataset.path}: other data than the run's (its fingerprint differs); give the run's data with --data"
        )
