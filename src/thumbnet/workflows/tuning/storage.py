"""The study of a search in Optuna: where it is stored, what it draws, and whose trials are alive.

Imports Optuna, which is an optional extra: it is imported when a search runs.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from thumbnet.errors import RunError, StorageError, reason_of
from thumbnet.files import locked
from thumbnet.randomness import derive_seed
from thumbnet.studies import Search
from thumbnet.studies.space import Choice, Parameter
from thumbnet.text import without_password

IDENTITY, REASON, SURPLUS = "search", "reason", "surplus"
"""Attributes: what the processes of a study agree on, why a trial failed, and that it was one too many."""

_BEAT_SECONDS, _GRACE_SECONDS = 5, 20
_FIRST_UNPRUNED = 10
_FIRST_RANDOM = 10
_LOCK_SECONDS = 60.0
_LOCK_KEY = 7_848_109
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
TAKEN = (*FINISHED, TrialState.RUNNING)


@contextlib.contextmanager
def open_study(
    search: Search, fingerprint: str, folder: Path, storage: str | None, wait: Callable[[], None]
) -> Iterator[optuna.Study]:
    """Yield the study of `search` on data of `fingerprint`, made when it is not there.

    Args:
        search: what is searched.
        fingerprint: of the data.
        folder: of the search; it is there.
        storage: URL of a database; `None` is the file `study.db` in `folder`.
        wait: called each half a second while another process makes it.

    Raises:
        RunError: the study is of another recipe, space or data.
        StorageError: the storage cannot be reached, read or written.
    """
    url = storage or URL.create("sqlite", database=str(folder.resolve() / "study.db")).render_as_string()
    where = str(folder / "study.db") if storage is None else shown_url(storage)
    with _silence(), _storage_errors(where):
        # Two processes that make the tables at once would stumble over each other.
        with locked(folder / ".study.lock", wait), _alone_on_server(url, where):
            backend = _connect(url, where)
            study = optuna.create_study(
                study_name=search.name,
                storage=backend,
                direction="maximize",
                sampler=PerTrialSampler(search),
                pruner=_pruner(search),
                load_if_exists=True,
            )
            _agree(study, {**search.identity(), "data": fingerprint}, search, where)
        try:
            yield study
        finally:
            backend.remove_session()
            backend.engine.dispose()


def shown_url(url: str) -> str:
    """Return a storage's URL without its password.

    Raises:
        StorageError: it is no URL of a database.
    """
    shown = without_password(url)
    try:
        make_url(url)
    except (SQLAlchemyError, ValueError) as error:  # the latter where the port is no number
        raise StorageError(
            f"--storage {shown}: not the URL of a database; write sqlite:///FILE or "
            "postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        ) from error
    return shown


def trials_in(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    """Return the trials in one of `states`, after those of processes that are gone were put back."""
    optuna.storages.fail_stale_trials(study)
    oldest = datetime.now(UTC) - timedelta(seconds=_GRACE_SECONDS)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # Killed between its first two writes, a trial has neither a sign of life to miss nor values to try again.
        begun = trial.datetime_start  # stored in UTC, given as this machine's local time without its zone
        if not trial.params and begun is not None and begun.astimezone(UTC) < oldest:
            with contextlib.suppress(ValueError):  # another process was faster
                study.tell(trial.number, state=TrialState.FAIL)
    return study.get_trials(deepcopy=False, states=states)


def put_back(study: optuna.Study, number: int) -> None:
    """Have the values of the trial `number` tried again where it failed, which was no fault of theirs."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.FAIL,)):
        if trial.number == number:
            RetryHeartbeatStaleTrialCallback()(study, trial)


def suggest(trial: optuna.Trial, parameter: Parameter) -> str:
    """Return the value, as a setting's text, that `parameter` has in `trial`."""
    domain = parameter.domain
    if isinstance(domain, Choice):
        return trial.suggest_categorical(parameter.name, domain.values)
    if domain.whole:
        return domain.text(trial.suggest_int(parameter.name, int(domain.low), int(domain.high), log=domain.log))
    return domain.text(trial.suggest_float(parameter.name, domain.low, domain.high, log=domain.log))


def texts_of(search: Search, trial: FrozenTrial) -> dict[str, str]:
    """Return the values of a stored trial, as texts of settings, by the parameters' names."""
    return {
        one.name: one.domain.values[one.domain.values.index(trial.params[one.name])]
        if isinstance(one.domain, Choice)
        else one.domain.text(trial.params[one.name])
        for one in search.space
    }


def importances(study: optuna.Study) -> dict[str, float]:
    """Return how much of the best trials' difference from the others each parameter explains; the sum is 1.

    Empty where there are too few trials to tell. Source: Watanabe et al., 'PED-ANOVA', IJCAI 2023.
    """
    values = [trial.value for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))]
    if len(values) < _FIRST_RANDOM or len(set(values)) < 2:
        return {}
    return {name: float(share) for name, share in optuna.importance.get_param_importances(study).items()}


class PerTrialSampler(optuna.samplers.BaseSampler):
    """Gives each trial a sampler of its own seed, so that processes that share a study do not draw the same values.

    What a trial draws depends on the search's seed, its own number and the trials before, not on who runs it.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._inner: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed=0)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Make the sampler of `trial`."""
        seed = derive_seed(self._search.seed, "tune", trial.number) % 2**32
        if self._search.sampler == "tpe":
            self._inner = optuna.samplers.TPESampler(n_startup_trials=_FIRST_RANDOM, seed=seed)
        else:
            self._inner = optuna.samplers.RandomSampler(seed=seed)
        self._inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return what is drawn together."""
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw that."""
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one of the others."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)


@contextlib.contextmanager
def _alone_on_server(url: str, where: str) -> Iterator[None]:
    """Let one machine at a time make the study on a PostgreSQL server; for a file, the lock of its folder does."""
    if not url.startswith("postgresql"):
        yield
        return
    with _driver_errors(where):
        engine = create_engine(url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            yield
    finally:
        engine.dispose()


@contextlib.contextmanager
def _driver_errors(where: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise StorageError(
            f"{where}: the driver of this database is not installed; pip install {error.name}"
        ) from error


def _connect(url: str, where: str) -> RDBStorage:
    arguments = {"timeout": _LOCK_SECONDS} if url.startswith("sqlite") else {}
    with _driver_errors(where), _version_errors(where):
        return RDBStorage(
            url.replace("{", "{{").replace("}", "}}"),  # which Optuna would take for a place to fill in
            engine_kwargs={"connect_args": arguments},
            heartbeat_interval=_BEAT_SECONDS,
            grace_period=_GRACE_SECONDS,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(),
        )


@contextlib.contextmanager
def _version_errors(where: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise StorageError(f"{where}: {error}; use the version of Optuna that made it, or another --name") from error


def _pruner(search: Search) -> optuna.pruners.BasePruner:
    if search.prune == "none":
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(n_startup_trials=_FIRST_UNPRUNED)


def _agree(study: optuna.Study, identity: Mapping[str, Any], search: Search, where: str) -> None:
    """Note in a new study what it searches, and its first trials; compare an old one's."""
    stored = study.user_attrs.get(IDENTITY)
    if stored is None:
        for values in _first_values(search):
            study.enqueue_trial(values, skip_if_exists=True)
        study.set_user_attr(IDENTITY, identity)
        return
    differing = [key for key in identity if stored.get(key) != identity[key]]
    if differing:
        raise RunError(
            f"{where}: holds a study called {search.name} of another {' and '.join(differing)}; "
            "choose another name with --name, or give what it began with"
        )


def _first_values(search: Search) -> list[dict[str, Any]]:
    """Return what is tried before anything is drawn: the whole grid, else where the search starts."""
    start = search.start_values()
    texts = search.grid() if search.sampler == "grid" else [] if start is None else [start]
    return [{one.name: _stored(one, values[one.name]) for one in search.space} for values in texts]


def _stored(parameter: Parameter, text: str) -> str | int | float:
    if isinstance(parameter.domain, Choice):
        return text
    return int(text) if parameter.domain.whole else float(text)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep Optuna's log and its notes on what may change out of the output."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(level)


@contextlib.contextmanager
def _storage_errors(where: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        reason = reason_of(getattr(cause, "orig", None) or cause)
        raise StorageError(f"{where}: the study cannot be read or written ({reason}); check --storage") from error
