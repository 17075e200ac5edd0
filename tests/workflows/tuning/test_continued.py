"""Searches that are interrupted, killed or shared between processes, and how they go on."""

import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import optuna
import pytest
from benchmarks.challenge.postgres import Cluster
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from tests.stopping import in_a_process, interrupt_after, processes, send_at
from tests.workflows.tuning.searches import rates, search, stored_study, tiny
from thumbnet import packed, train
from thumbnet.errors import StorageError
from thumbnet.files import locked
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Optimizer
from thumbnet.run import RunDirectory
from thumbnet.studies import make_search
from thumbnet.train import Interrupted
from thumbnet.workflows.tuning import storage as tuning_storage

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(autouse=True)
def _quick_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process is missed after two seconds instead of twenty."""
    monkeypatch.setattr(tuning_storage, "_BEAT_SECONDS", 1)
    monkeypatch.setattr(tuning_storage, "_GRACE_SECONDS", 2)


def test_an_interrupted_search_goes_on_as_if_nothing_had_happened(
    dataset: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning_storage, "_FIRST_RANDOM", 2)  # so that the others are drawn by what was found before
    whole = search(rates(7), dataset, tmp_path / "whole", final=False)
    parted = tmp_path / "parted"
    search(rates(3), dataset, parted, final=False)

    def stop(line: str) -> None:
        if line.startswith("trial 5:"):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="search tiny-tune stopped; go on with the same command"):
        search(rates(7), dataset, parted, final=False, tell=stop)
    result = search(rates(7), dataset, parted, final=False)
    assert result.interrupted == 1
    assert [trial.number for trial in result.trials] == [0, 1, 2, 3, 4, 6, 7]
    assert [dict(trial.values) for trial in result.trials[:6]] == [dict(trial.values) for trial in whole.trials[:6]]
    assert [trial.history for trial in result.trials[:6]] == [trial.history for trial in whole.trials[:6]]


@pytest.mark.parametrize(("steps", "made"), [(12, []), (24, []), (36, ["start"])])
def test_a_search_that_is_interrupted_in_the_last_step_of_a_run_begins_no_other(
    steps: int, made: list[str], dataset: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny(optimizer=Optimizer("adamw", lr=1e-9))
    chosen = make_search(recipe, ["optimizer.lr=1e-9,0.01"], 2, sampler="grid")
    interrupt_after(steps, monkeypatch)
    with pytest.raises(Interrupted, match="search tiny-tune stopped; go on with the same command"):
        search(chosen, dataset, tmp_path)
    complete = [trial for trial in stored_study(tmp_path).trials if trial.state == TrialState.COMPLETE]
    assert len(complete) == min(steps // 12, 2)
    folder = tmp_path / "tiny-tune"
    assert [name for name in ("start", "best-0000", "best-0001") if (folder / name).exists()] == made
    result = search(chosen, dataset, tmp_path)
    assert result.interrupted == 0
    assert result.final is not None
    assert result.final.best.path.name == "best-0001"


def _search_beside_another(out: Path, data: Path, meeting: Any, lines: Any) -> None:
    """In a process of its own: meet the other one, search, and meet it again inside the first trial."""
    _meet_in_the_first_trial(meeting)
    meeting.wait(60)
    assert len(search(rates(7), packed.load(data), out, tell=lines.put).trials) == 7


def _search_on_a_server(out: Path, data: Path, meeting: Any, url: str) -> None:
    """In a process of its own: the same, with the study in a database."""
    _meet_in_the_first_trial(meeting)
    meeting.wait(60)
    assert len(search(rates(3), packed.load(data), out, storage=url, final=False).trials) == 3


def _meet_in_the_first_trial(meeting: Any) -> None:
    met = False

    def meet_then_start(*arguments: Any) -> RunDirectory:
        nonlocal met
        if not met:
            met = True
            meeting.wait(60)
        return train.start(*arguments)

    pytest.MonkeyPatch().setattr("thumbnet.workflows.tuning.trials.start", meet_then_start)


def test_two_processes_share_a_study(dataset: PackedDataset, tmp_path: Path) -> None:
    context = processes()
    meeting, lines = context.Barrier(2), context.Queue()
    arguments = (tmp_path, dataset.path, meeting, lines)
    both = [context.Process(target=_search_beside_another, args=arguments, daemon=True) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    told = []
    while not lines.empty():
        told.append(lines.get(timeout=10))
    study = stored_study(tmp_path)
    finished = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    assert len(finished) == 7
    assert len({trial.params["optimizer.lr"] for trial in finished}) == 7
    assert all(trial.state.is_finished() for trial in study.trials)
    # Both ran trials: two were under way at one time.
    spans = sorted(
        (trial.datetime_start, trial.datetime_complete)
        for trial in finished
        if trial.datetime_start is not None and trial.datetime_complete is not None
    )
    assert len(spans) == 7
    assert any(begin < end for (_, end), (begin, _) in pairwise(spans))
    assert sum(line.startswith("trial ") for line in told) == 7
    assert sum(line.endswith("start (to train)") for line in told) == 1


def test_two_machines_share_a_study_on_a_server(dataset: PackedDataset, tmp_path: Path, cluster: Cluster) -> None:
    url = cluster.new_database().replace("postgresql:", "postgresql+psycopg:", 1)
    context = processes()
    meeting = context.Barrier(2)
    both = [
        context.Process(target=_search_on_a_server, args=(tmp_path / name, dataset.path, meeting, url), daemon=True)
        for name in ("here", "there")
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    backend = RDBStorage(url)
    study = optuna.load_study(study_name="tiny-tune", storage=backend)
    finished, states = study.get_trials(states=tuning_storage.FINISHED), [trial.state for trial in study.trials]
    backend.engine.dispose()
    assert len({trial.params["optimizer.lr"] for trial in finished}) == len(finished) == 3
    # A process may begin one trial too many, which ends at once.
    assert set(states) <= {*tuning_storage.FINISHED, TrialState.FAIL}
    assert not list(tmp_path.rglob("study.db"))


@pytest.fixture
def summer_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[datetime]:
    """The moment, a second ago, at which this machine's clock was put forward by an hour."""
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
    day = moment.timetuple().tm_yday - 1
    monkeypatch.setenv("TZ", f"AAA0BBB,{day}/{moment:%H:%M:%S},{(day + 100) % 365}")
    time.tzset()
    yield moment
    monkeypatch.undo()
    time.tzset()


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_trial_just_begun_is_not_ended_by_a_change_of_local_time(
    summer_time: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning_storage, "_GRACE_SECONDS", 20)
    study = optuna.create_study(storage="sqlite://")
    for seconds in (1, 30):
        begun = (summer_time - timedelta(seconds=seconds)).astimezone().replace(tzinfo=None)
        trial = optuna.trial.create_trial(state=TrialState.RUNNING)
        trial.datetime_start = begun
        study.add_trial(trial)
    assert [trial.number for trial in tuning_storage.trials_in(study, TrialState.RUNNING)] == [0]


def _search_until_trial_2(out: Path, data: Path) -> None:
    """In a process of its own: search, and die in the middle of trial 2, when its run writes the first metrics."""
    tuning_storage._BEAT_SECONDS, tuning_storage._GRACE_SECONDS = 1, 2
    send_at(out, 1, mark="trials/0002/metrics")
    search(rates(200), packed.load(data), out)


def test_the_trial_of_a_killed_process_is_tried_again(dataset: PackedDataset, tmp_path: Path) -> None:
    assert in_a_process(_search_until_trial_2, tmp_path, dataset.path, kill_after=120) == -signal.SIGKILL
    (killed,) = stored_study(tmp_path).get_trials(states=(TrialState.RUNNING,))
    assert killed.number == 2
    assert (tmp_path / "tiny-tune" / "trials" / "0002").exists()
    result = search(rates(4), dataset, tmp_path, final=False)
    assert [trial.number for trial in result.trials] == [0, 1, 3, 4]
    again = [one for one in stored_study(tmp_path).trials if one.params == killed.params]
    assert [one.state.is_finished() for one in again] == [True, True]
    assert again[0].state == TrialState.FAIL
    assert not (tmp_path / "tiny-tune" / "trials" / "0002").exists()
    assert result.interrupted == 1


def test_a_trial_that_another_process_gave_up_is_left_to_it(dataset: PackedDataset, tmp_path: Path) -> None:
    told = []

    def give_up(line: str) -> None:
        told.append(line)
        if line.startswith("trial 1:") and len(told) == 2:
            tuning_storage.put_back(stored_study(tmp_path), 1)  # nothing happens: it has not failed
            study = stored_study(tmp_path)
            study.tell(1, state=TrialState.FAIL)
            tuning_storage.put_back(study, 1)

    result = search(rates(3), dataset, tmp_path, final=False, tell=give_up)
    assert "trial 1: gave no sign of life for too long, so that it is tried again" in told
    assert [trial.number for trial in result.trials] == [0, 2, 3]
    assert result.trials[1].values == {"optimizer.lr": str(stored_study(tmp_path).trials[1].params["optimizer.lr"])}


def test_a_shared_storage(dataset: PackedDataset, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    first = search(rates(2), dataset, tmp_path / "here", storage=url, final=False)
    second = search(rates(3), dataset, tmp_path / "there", storage=url, final=False)
    assert second.trials[:2] == first.trials
    assert len(second.trials) == 3
    assert not (tmp_path / "there" / "tiny-tune" / "study.db").exists()


def test_one_process_at_a_time_trains_the_final_runs(dataset: PackedDataset, tmp_path: Path) -> None:
    search(rates(1), dataset, tmp_path, final=False)
    told, found = [], []
    waiting = threading.Event()

    def tell(line: str) -> None:
        told.append(line)
        if line.startswith("waiting"):
            waiting.set()

    thread = threading.Thread(target=lambda: found.append(search(rates(1), dataset, tmp_path, tell=tell)))
    with locked(tmp_path / "tiny-tune" / ".final.lock", StorageError("in use")):
        thread.start()
        assert waiting.wait(60)
        thread.join(1.2)  # in which the lock is tried for twice
        assert not (tmp_path / "tiny-tune" / "start").exists()
    thread.join(60)
    assert told[:2] == [
        "waiting for another process, which trains the final runs",
        f"{tmp_path / 'tiny-tune' / 'start'} (to train)",
    ]
    assert found[0].final is not None
