"""The trials of a search, as one process runs them.

Imports Optuna, which is an optional extra: it is imported when a search runs.
"""

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from thumbnet.errors import RecipeError, TrainingError
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Recipe
from thumbnet.studies import Search
from thumbnet.studies.search import SPLIT
from thumbnet.train import Options, start, stop_on_signals
from thumbnet.train.interrupt import StopRequest
from thumbnet.workflows.estimate import DataShape, plan_for, shape_of
from thumbnet.workflows.running import Tell
from thumbnet.workflows.tuning.result import SearchResult, Trial, short
from thumbnet.workflows.tuning.storage import (
    FINISHED,
    REASON,
    SURPLUS,
    TAKEN,
    importances,
    put_back,
    suggest,
    texts_of,
    trials_in,
)

_POLL_SECONDS = 1.0


class _EndedError(Exception):
    """A trial has come to its end, and nothing more of it is wanted."""


class _SurplusError(Exception):
    """A trial is one too many."""


@dataclass
class Worker:
    """Runs trials of a study, one after the other, until there are as many as the search wants.

    The first one shows its progress, for it may have features to compute; the others say one line each.

    Args:
        search: what is searched.
        dataset: the data without val and test.
        folder: of the search.
        study: where trials are stored.
        options: what does not decide the results.
        command: goes into the runs' sessions.
        keep_runs: keep the runs of trials that reached their end.
        tell: takes a line of progress.
    """

    search: Search
    dataset: PackedDataset
    folder: Path
    study: optuna.Study
    options: Options
    command: str
    keep_runs: bool
    tell: Tell
    shape: DataShape = field(init=False)
    begun: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.shape = shape_of(self.dataset)

    def work(self) -> None:
        """Run trials; at the end wait for those of other processes.

        Raises:
            Interrupted: somebody asked to stop.
        """
        with stop_on_signals() as stop:
            self._run_wanted(stop)
        for killed in self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
            shutil.rmtree(self._path(killed.number), ignore_errors=True)

    def _run_wanted(self, stop: StopRequest) -> None:
        told = False
        while True:
            stop.heed("stopped between two trials")
            taken = trials_in(self.study, *TAKEN)
            running = sum(trial.state not in FINISHED for trial in taken)
            if len(taken) - running >= self.search.wanted:
                break
            if len(taken) < self.search.wanted:
                self._one()
                continue
            if not told:
                self.tell(f"waiting for {running} trials of other processes, or of one that was killed just now")
                told = True
            time.sleep(_POLL_SECONDS)

    def _one(self) -> None:
        """Run one trial; what interrupts it has its values tried again."""
        begun: list[int] = []
        ended_by: list[BaseException] = []

        def objective(trial: optuna.Trial) -> float:
            begun.append(trial.number)
            try:
                return self._run(trial)
            except (optuna.TrialPruned, UpdateFinishedTrialError):
                raise
            except (Exception, KeyboardInterrupt) as error:
                ended_by.append(error)
                raise

        try:
            self.study.optimize(objective, n_trials=1)
        except _SurplusError:
            pass
        except (Exception, KeyboardInterrupt) as error:
            lost = not ended_by and isinstance(error, Exception) and begun and self._has_failed(begun[0])
            if not lost:
                for number in begun:
                    put_back(self.study, number)
                raise
            self.tell(f"trial {begun[0]}: gave no sign of life for too long, so that it is tried again")

    def _has_failed(self, number: int) -> bool:
        failed = self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        return any(trial.number == number for trial in failed)

    def _surplus(self, trial: optuna.Trial) -> bool:
        """Return whether enough trials came before this one: processes that begin one at once may take too many."""
        before = [one for one in self.study.get_trials(deepcopy=False, states=TAKEN) if one.number < trial.number]
        return len(before) >= self.search.wanted

    def _run(self, trial: optuna.Trial) -> float:
        """Return the holdout's top-1 at the end of a trial.

        Raises:
            TrialPruned: it was ended early, its values do not fit together, or its training failed.
        """
        if self._surplus(trial):
            trial.set_user_attr(SURPLUS, True)
            raise _SurplusError
        values = {parameter.name: suggest(trial, parameter) for parameter in self.search.space}
        about = f"trial {trial.number}: " + ", ".join(f"{name}={short(text)}" for name, text in values.items())
        path = self._path(trial.number)
        try:
            recipe = self.search.trial(values)
            with _removed_after(path, keep=self.keep_runs):
                value = self._train(trial, recipe, path)
        except (RecipeError, TrainingError) as error:
            reason = str(error).partition(";")[0]
            trial.set_user_attr(REASON, reason)
            self.tell(f"{about}: {reason}")
            # Not Optuna's failed state: its samplers learn nothing from that, and would try the like again.
            raise optuna.TrialPruned(reason) from error
        except optuna.TrialPruned:
            self.tell(f"{about}: ended early")
            raise
        self.tell(f"{about}: {SPLIT} {value:.2%}")
        return value

    def _train(self, trial: optuna.Trial, recipe: Recipe, path: Path) -> float:
        """Train one trial in the run directory `path` and return the holdout's top-1 after the last step."""
        last = plan_for(recipe, self.shape).total_steps
        found: list[float] = []

        def watch(row: Mapping[str, Any]) -> None:
            found.append(row[f"{SPLIT}_top1"])
            trial.report(found[-1], len(found))
            if row["step"] < last:
                if trial.should_prune():
                    raise optuna.TrialPruned
            elif not self.keep_runs:
                raise _EndedError

        options = replace(
            self.options,
            checkpoint_seconds=self.options.checkpoint_seconds if self.keep_runs else None,
            tensorboard=False,
            quiet=self.options.quiet or self.begun,
            on_evaluation=watch,
        )
        self.begun = True
        with contextlib.suppress(_EndedError):
            start(recipe, self.dataset, path, options, self.command)
        return found[-1]

    def _path(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:04d}"


def collect_trials(search: Search, study: optuna.Study) -> SearchResult:
    """Return what the trials of `study` found.

    Raises:
        TrainingError: none reached its end.
    """
    trials = [_read(search, trial) for trial in study.get_trials(deepcopy=False, states=FINISHED)]
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    if not any(trial.state == "complete" for trial in trials):
        reason = next((trial.reason for trial in trials if trial.reason), "all were ended early")
        raise TrainingError(f"search {search.name}: no trial reached its end ({reason}); change what is searched")
    interrupted = sum(SURPLUS not in trial.user_attrs for trial in failed)
    return SearchResult(search, trials, importances(study), interrupted)


def _read(search: Search, trial: FrozenTrial) -> Trial:
    reason = trial.user_attrs.get(REASON, "")
    complete = trial.state == TrialState.COMPLETE
    return Trial(
        number=trial.number,
        values=texts_of(search, trial),
        state="complete" if complete else "failed" if reason else "pruned",
        history=tuple(trial.intermediate_values[step] for step in sorted(trial.intermediate_values)),
        seconds=trial.duration.total_seconds() if trial.duration is not None else 0.0,
        reason=reason,
    )


@contextlib.contextmanager
def _removed_after(path: Path, *, keep: bool) -> Iterator[None]:
    """Remove the run at `path` when the block ends, but for one that ended well where it is to be kept."""
    ended = False
    try:
        yield
        ended = True
    finally:
        if not (keep and ended):
            shutil.rmtree(path, ignore_errors=True)
