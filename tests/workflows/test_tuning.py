"""Searches from end to end on small runs: what a trial sees, what is chosen, and how a search goes on."""

import contextlib
import json
import multiprocessing
import queue
import shutil
import statistics
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from PIL import Image

from tests.helpers import QUIET, short_recipe
from thumbnet import comparison, packed, records, train
from thumbnet.errors import RecipeError, RunError, StorageError, TrainingError
from thumbnet.files import sha256
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipe import Checkpointing, Evaluation, Optimizer, Phase, Recipe, iterations, start_from, to_json
from thumbnet.run import RunDirectory
from thumbnet.studies import Search, make_search
from thumbnet.train import Interrupted
from thumbnet.workflows import tuning_study
from thumbnet.workflows.tuning import record_search, run_search
from thumbnet.workflows.tuning_figure import best_so_far
from thumbnet.workflows.tuning_result import SearchResult, Trial

RATES = ["optimizer.lr=1e-5..1:log"]


def tiny(**changes: Any) -> Recipe:
    """A run of a few steps, judged after each four."""
    recipe = short_recipe(
        name="tiny",
        optimizer=Optimizer("adamw", lr=0.01),
        phases=(Phase(iterations(12)),),
        evaluation=Evaluation(every=iterations(4), splits=("holdout", "val"), train_images=16),
        checkpointing=Checkpointing(filters=()),
    )
    return replace(recipe, **changes)


def rates(trials: int, **choices: Any) -> Search:
    return make_search(tiny(), RATES, trials, **choices)


def search(chosen: Search, dataset: PackedDataset, out: Path, **more: Any) -> SearchResult:
    return run_search(chosen, dataset, out, QUIET, **more)


def stored_study(out: Path, name: str = "tiny-tune") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{out / name / 'study.db'}")


@pytest.fixture(autouse=True)
def _quick_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process is missed after two seconds instead of twenty."""
    monkeypatch.setattr(tuning_study, "_BEAT_SECONDS", 1)
    monkeypatch.setattr(tuning_study, "_GRACE_SECONDS", 2)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search") / "runs"


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return []


@pytest.fixture(scope="module")
def found(out: Path, dataset: PackedDataset, lines: list[str]) -> SearchResult:
    """A search of sixteen trials over a number, a whole number and a name."""
    space = [*RATES, "batch_size=8..32:int:log", "optimizer.name=adamw,sgd"]
    chosen = make_search(tiny(), space, 16)
    return search(chosen, dataset, out, command="a test", tell=lines.append)


def test_a_search_has_its_trials_and_leaves_little(found: SearchResult, out: Path, lines: list[str]) -> None:
    assert [trial.number for trial in found.trials] == list(range(16))
    folder = out / "tiny-tune"
    best = f"best-{found.best.number:04d}"
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == sorted(
        [best, "figure.png", "figure.svg", "start", "study.db", "trials", "tune.json"]
    )
    assert list((folder / "trials").iterdir()) == []
    assert json.loads((folder / "tune.json").read_text()) == json.loads(json.dumps(found.to_json()))
    assert [line.split(":")[0] for line in lines[:16]] == [f"trial {number}" for number in range(16)]
    assert lines[16:] == [f"{folder / 'start'} (to train)", f"{folder / best} (to train)"]


def test_values_lie_in_the_space(found: SearchResult) -> None:
    for trial in found.trials:
        assert 1e-5 <= float(trial.values["optimizer.lr"]) <= 1
        assert 8 <= int(trial.values["batch_size"]) <= 32
        assert trial.values["optimizer.name"] in ("adamw", "sgd")
    assert found.trials[0].values == {"optimizer.lr": "0.01", "batch_size": "16", "optimizer.name": "adamw"}
    assert found.started == found.trials[0]
    drawn = {trial.values["optimizer.lr"] for trial in found.trials}
    assert len(drawn) == 16


def test_the_best_is_chosen_on_the_holdout(found: SearchResult) -> None:
    complete = [trial for trial in found.trials if trial.state == "complete"]
    highest = max(trial.history[-1] for trial in complete)
    assert found.best == next(trial for trial in complete if trial.history[-1] == highest)
    assert found.final is not None
    recipe = found.final.best.recipe()
    assert recipe == replace(
        tiny(),
        name="tiny-tuned",
        optimizer=replace(
            tiny().optimizer,
            lr=float(found.best.values["optimizer.lr"]),
            name=found.best.values["optimizer.name"],
        ),
        batch_size=int(found.best.values["batch_size"]),
    )
    assert found.final.start.recipe() == tiny()
    # A trial is judged as any run of its recipe is: the final runs end where their trials ended.
    for trial, run in ((found.best, found.final.best), (found.trials[0], found.final.start)):
        assert run.result()["scores"]["holdout"]["top1"] == trial.value
        assert [row["holdout_top1"] for row in run.read_metrics() if row["kind"] == "evaluation"] == list(
            trial.history
        )


def test_the_gain_is_that_of_the_stored_predictions(found: SearchResult) -> None:
    assert found.final is not None
    assert [gain.split for gain in found.final.gains] == ["holdout", "val"]
    stored = found.to_json()
    for gain in found.final.gains:
        pair = [Predictions.load(run.predictions_path(gain.split)) for run in (found.final.start, found.final.best)]
        right = [one.predicted() == one.labels for one in pair]
        assert gain.before.top1 == right[0].mean()
        assert gain.after.top1 == right[1].mean()
        assert gain.comparison == comparison.compare_right(*right)
        assert stored[gain.split]["difference"] == pytest.approx(right[1].mean() - right[0].mean())
        assert stored[gain.split]["after"]["top1"] == right[1].mean()


def test_trials_below_the_median_are_ended_early(found: SearchResult) -> None:
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    for trial in pruned:
        length = len(trial.history)
        assert length < 3
        others = [
            max(one.history[:length]) for one in found.trials if one.state == "complete" and one.number < trial.number
        ]
        assert len(others) >= 10
        assert max(trial.history) < statistics.median(others)
    assert all(len(trial.history) == 3 for trial in found.trials if trial.state == "complete")


def test_importances_are_shares(found: SearchResult) -> None:
    assert set(found.importances) == {"optimizer.lr", "batch_size", "optimizer.name"}
    assert sum(found.importances.values()) == pytest.approx(1)


@pytest.mark.usefixtures("found")
def test_figures_are_images_of_sensible_size(out: Path) -> None:
    with Image.open(out / "tiny-tune" / "figure.png") as picture:
        assert picture.size[0] > 1000
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 50
    drawing = (out / "tiny-tune" / "figure.svg").read_text()
    assert drawing.startswith("<?xml")


def test_the_best_so_far() -> None:
    def trial(number: int, state: Any, *history: float) -> Trial:
        return Trial(number, {}, state, history, 1.0)

    trials = [
        trial(0, "failed"),
        trial(2, "complete", 0.1, 0.3),
        trial(1, "pruned", 0.9),
        trial(3, "complete", 0.2),
        trial(5, "complete", 0.5),
        trial(6, "pruned", 0.6),
    ]
    assert best_so_far(trials) == ([2, 3, 5, 6], [0.3, 0.3, 0.5, 0.5])


def test_a_finished_search_is_read_and_a_longer_one_goes_on(
    found: SearchResult, out: Path, dataset: PackedDataset
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (out / "tiny-tune" / "start").rglob("*")}
    again = search(found.search, dataset, out)
    assert again.to_json() == found.to_json()
    assert {path: path.stat().st_mtime_ns for path in (out / "tiny-tune" / "start").rglob("*")} == before
    longer = search(replace(found.search, trials=17), dataset, out, final=False)
    assert longer.trials[:16] == found.trials
    assert len(longer.trials) == 17
    assert longer.final is None


def test_a_record_is_made_of_whole_final_runs(found: SearchResult, tmp_path: Path) -> None:
    path = record_search(found, tmp_path / "here", "the command")
    assert path == tmp_path / "here" / "tiny-tune.json"
    named = record_search(found, tmp_path / "other" / "linear.json", "the command")
    assert named == tmp_path / "other" / "linear.json"
    made = records.load(path)
    assert isinstance(made, records.Measurement)
    assert made.command == "the command"
    assert made.figures["trials"] == 16
    assert made.figures["best"]["values"] == dict(found.best.values)
    assert made.figures["val"]["difference"] == pytest.approx(found.to_json()["val"]["difference"], abs=1e-6)
    assert found.final is not None
    assert made.figures["recipes"]["best"] == to_json(found.final.best.recipe())
    with pytest.raises(RunError, match="only whole final runs are recorded"):
        record_search(replace(found, final=None), tmp_path)


def test_no_trial_can_touch_val(dataset: PackedDataset, tmp_path: Path) -> None:
    copy = tmp_path / "packed"
    shutil.copytree(dataset.path, copy)
    opened = packed.load(copy)
    for file in [*copy.glob("val.*"), *copy.glob("test.*")]:
        file.unlink()
    chosen = replace(rates(2), recipe=tiny(selected_on="val"))
    result = search(chosen, opened, tmp_path, keep_runs=True, final=False)
    assert [trial.state for trial in result.trials] == ["complete", "complete"]
    for number in (0, 1):
        run = RunDirectory.open(tmp_path / "tiny-tune" / "trials" / f"000{number}")
        assert run.is_complete
        assert list(run.result()["scores"]) == ["holdout"]
        assert [path.name for path in (run.path / "predictions").iterdir()] == ["holdout.npz"]
        assert not any("val" in key for row in run.read_metrics() for key in row)
        assert run.result()["scores"]["holdout"]["top1"] == result.trials[number].value
    with pytest.raises(StorageError, match=r"val\.images\.npy: no such file"):  # which the final runs do read
        search(chosen, opened, tmp_path)


def test_a_shortened_trial(dataset: PackedDataset, tmp_path: Path) -> None:
    result = search(rates(2, fraction=0.5), dataset, tmp_path)
    assert [len(trial.history) for trial in result.trials] == [2, 2]
    assert result.final is not None
    assert result.final.start.result()["steps"] == 12


def test_what_diverges_and_what_does_not_fit_is_noted(dataset: PackedDataset, tmp_path: Path) -> None:
    recipe = tiny(optimizer=Optimizer("sgd", lr=0.01))
    chosen = make_search(recipe, ["optimizer.lr=0.01,1e30"], 9, sampler="grid")
    result = search(chosen, dataset, tmp_path, final=False)
    assert [trial.state for trial in result.trials] == ["complete", "failed"]
    failed = result.trials[1]
    assert failed.values == {"optimizer.lr": "1e30"}
    assert "not finite" in failed.reason or "the loss is" in failed.reason
    assert result.best.values == {"optimizer.lr": "0.01"}
    assert result.count("failed") == 1


def test_values_that_fit_alone_but_not_together_fail_as_a_trial(dataset: PackedDataset, tmp_path: Path) -> None:
    recipe = tiny(phases=(Phase(iterations(12), trainable="head"),))
    space = ["phases.0.trainable=head,all", "phases.0.cached_features=0,1"]
    chosen = make_search(recipe, space, 9, sampler="grid")
    options = replace(QUIET, cache=tmp_path / "cache")
    result = run_search(chosen, dataset, tmp_path, options, final=False)
    assert [trial.state for trial in result.trials] == ["complete", "complete", "complete", "failed"]
    assert "features stay the same only where all but the head is frozen" in result.trials[3].reason


def test_a_search_without_a_complete_trial_is_an_error(dataset: PackedDataset, tmp_path: Path) -> None:
    recipe = tiny(optimizer=Optimizer("sgd", lr=0.01))
    chosen = make_search(recipe, ["optimizer.lr=1e29,1e30"], 2, sampler="grid")
    with pytest.raises(TrainingError, match="search tiny-tune: no trial reached its end"):
        search(chosen, dataset, tmp_path)


def test_where_nothing_beats_the_start_its_run_is_the_best(dataset: PackedDataset, tmp_path: Path) -> None:
    chosen = make_search(tiny(), ["optimizer.lr=0.01,1e-9"], 2, sampler="grid")
    result = search(chosen, dataset, tmp_path)
    assert result.final is not None
    assert result.best.number == 0
    assert result.final.best.path == result.final.start.path == tmp_path / "tiny-tune" / "start"
    assert [gain.comparison.difference for gain in result.final.gains] == [0, 0]


def test_an_interrupted_search_goes_on_as_if_nothing_had_happened(
    dataset: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning_study, "_FIRST_RANDOM", 2)  # so that the others are drawn by what was found before
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


def _search_and_wait(out: Path, data: Path, trials: int, barrier: Any, lines: Any) -> None:
    """In a process of its own: meet the others, then search."""
    tuning_study._BEAT_SECONDS, tuning_study._GRACE_SECONDS = 1, 2
    if barrier is not None:
        barrier.wait()
    result = search(rates(trials), packed.load(data), out, tell=lines.put)
    assert len(result.trials) == trials


def _processes(count: int) -> tuple[Any, Any, Any]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["thumbnet.workflows.tuning", "thumbnet.workflows.tuning_trials", "timm"])
    return context, context.Barrier(count), context.Queue()


def test_two_processes_share_a_study(dataset: PackedDataset, tmp_path: Path) -> None:
    context, barrier, lines = _processes(2)
    arguments = (tmp_path, dataset.path, 7, barrier, lines)
    both = [context.Process(target=_search_and_wait, args=arguments) for _ in range(2)]
    for process in both:
        process.start()
    told = []
    while any(process.is_alive() for process in both) or not lines.empty():
        with contextlib.suppress(queue.Empty):
            told.append(lines.get(timeout=0.2))
    assert [process.exitcode for process in both] == [0, 0]
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


def test_the_trial_of_a_killed_process_is_tried_again(dataset: PackedDataset, tmp_path: Path) -> None:
    context, _, lines = _processes(1)
    process = context.Process(target=_search_and_wait, args=(tmp_path, dataset.path, 200, None, lines))
    process.start()
    while not str(lines.get()).startswith("trial 2:"):
        pass
    running: list[Any] = []
    while not running:  # kill it in the middle of a trial
        running = [trial for trial in stored_study(tmp_path).get_trials(states=(TrialState.RUNNING,)) if trial.params]
    process.kill()
    process.join()
    study = stored_study(tmp_path)
    states = study.get_trials(states=(TrialState.RUNNING,))
    wanted = len(study.trials) + 1
    result = search(rates(wanted), dataset, tmp_path, final=False)
    assert len(result.trials) == wanted
    for killed in states:
        again = [one for one in stored_study(tmp_path).trials if one.params == killed.params]
        assert [one.state.is_finished() for one in again] == [True, True]
        assert again[0].state == TrialState.FAIL
        assert not (tmp_path / "tiny-tune" / "trials" / f"{killed.number:04d}").exists()
    assert result.interrupted == len(states)


def test_a_trial_that_another_process_gave_up_is_left_to_it(dataset: PackedDataset, tmp_path: Path) -> None:
    told = []

    def give_up(line: str) -> None:
        told.append(line)
        if line.startswith("trial 1:") and len(told) == 2:
            tuning_study.put_back(stored_study(tmp_path), 1)  # nothing happens: it has not failed
            study = stored_study(tmp_path)
            study.tell(1, state=TrialState.FAIL)
            tuning_study.put_back(study, 1)

    result = search(rates(3), dataset, tmp_path, final=False, tell=give_up)
    assert "trial 1: gave no sign of life for too long, so that it is tried again" in told
    assert [trial.number for trial in result.trials] == [0, 2, 3]
    assert result.trials[1].values == {"optimizer.lr": str(stored_study(tmp_path).trials[1].params["optimizer.lr"])}


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (make_search(tiny(batch_size=8), RATES, 2), "recipe"),
        (make_search(tiny(), ["optimizer.lr=1e-4..1:log"], 2), "space"),
        (make_search(tiny(batch_size=8), RATES, 2, fraction=0.5), "recipe and fraction"),
    ],
)
def test_a_study_of_something_else_is_refused(
    other: Search, what: str, dataset: PackedDataset, tmp_path: Path
) -> None:
    search(rates(1), dataset, tmp_path, final=False)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RunError, match=f"holds a study called tiny-tune of another {what}; choose another name"):
        search(other, dataset, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_study_of_other_data_is_refused(dataset: PackedDataset, tmp_path: Path) -> None:
    search(rates(1), dataset, tmp_path, final=False)
    with pytest.raises(RunError, match="of another data; choose another name"):
        search(rates(1), replace(dataset, fingerprint="0" * 64), tmp_path)


def test_other_weights_under_the_same_name_are_refused(dataset: PackedDataset, tmp_path: Path) -> None:
    run = train.start(tiny(), dataset, tmp_path / "run", QUIET)
    weights = tmp_path / "weights.pt"
    shutil.copy(run.weights_path("first"), weights)
    recipe = start_from(tiny(), str(weights))
    chosen = make_search(recipe, RATES, 1)
    result = search(chosen, dataset, tmp_path, final=False)
    assert result.search.recipe.model.init is not None
    assert result.search.recipe.model.init.sha256 == sha256(weights)
    assert search(chosen, dataset, tmp_path).trials == result.trials
    shutil.copy(run.weights_path("last"), weights)
    with pytest.raises(RunError, match="of another recipe"):
        search(chosen, dataset, tmp_path)


def test_a_folder_of_something_else_is_refused(dataset: PackedDataset, tmp_path: Path) -> None:
    train.start(tiny(), dataset, tmp_path / "taken", QUIET)
    with pytest.raises(RunError, match="taken: holds a run or a study, not a search"):
        search(rates(1, name="taken"), dataset, tmp_path)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optimizer.name=adamw,adma", "search tiny-tune: optimizer 'adma' is unknown"),
        ("model.options.width=4,wide", "search tiny-tune: model small.width: 'wide'"),
        ("phases.0.image_size=8..2000:int", "image_size: 2000 is not in 8 to 1024"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    setting: str, message: str, dataset: PackedDataset, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError) as caught:
        search(make_search(tiny(), [setting], 3), dataset, tmp_path)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_device_that_is_not_there_is_refused_first(dataset: PackedDataset, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="device 'cuda:99' cannot be used here"):
        run_search(rates(1), dataset, tmp_path, train.Options(device="cuda:99"))
    assert list(tmp_path.iterdir()) == []


def test_a_shared_storage(dataset: PackedDataset, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    first = search(rates(2), dataset, tmp_path / "here", storage=url, final=False)
    second = search(rates(3), dataset, tmp_path / "there", storage=url, final=False)
    assert second.trials[:2] == first.trials
    assert len(second.trials) == 3
    assert not (tmp_path / "there" / "tiny-tune" / "study.db").exists()


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("shared.db", "--storage shared.db: not the URL of a database; write sqlite:///FILE"),
        ("nosuch://user:secret@host/name", "nosuch://user:***@host/name: the study cannot be read or written"),
        ("sqlite:////no/such/folder/x.db", "sqlite:////no/such/folder/x.db: the study cannot be read or written"),
        ("mysql+nosuch://user:secret@host/name", "mysql+nosuch://user:***@host/name: "),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_line(
    storage: str, message: str, dataset: PackedDataset, tmp_path: Path
) -> None:
    with pytest.raises(StorageError) as caught:
        search(rates(1), dataset, tmp_path, storage=storage)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_driver_that_is_missing_is_named(
    dataset: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(StorageError, match=r"the driver of this database is not installed"):
        search(rates(1), dataset, tmp_path, storage="postgresql+psycopg2://user:secret@localhost/name")


def test_a_damaged_study_is_one_line(dataset: PackedDataset, tmp_path: Path) -> None:
    (tmp_path / "tiny-tune").mkdir()
    (tmp_path / "tiny-tune" / "study.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StorageError, match=r"study\.db: the study cannot be read or written \(file is not a database"):
        search(rates(1), dataset, tmp_path)
    assert (tmp_path / "tiny-tune" / "study.db").exists()


def test_random_search_draws_what_its_seed_says(dataset: PackedDataset, tmp_path: Path) -> None:
    def drawn(place: str, seed: int) -> list[Any]:
        chosen = rates(3, sampler="random", seed=seed, prune="none")
        return [trial.values for trial in search(chosen, dataset, tmp_path / place, final=False).trials]

    assert drawn("first", 0) == drawn("second", 0)
    assert drawn("third", 1) != drawn("first", 0)
