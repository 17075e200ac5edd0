"""Searches from end to end on small runs: what a trial sees, what is chosen, and what is gained."""

import json
import shutil
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.helpers import QUIET, mtimes
from tests.workflows.tuning.searches import RATES, rates, search, tiny
from thumbnet import comparison, packed, records
from thumbnet.errors import RunError, StorageError, TrainingError
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipe import Model, Optimizer, Phase, iterations, to_json
from thumbnet.run import RunDirectory
from thumbnet.studies import make_search
from thumbnet.workflows.tuning.figure import best_so_far
from thumbnet.workflows.tuning.result import SearchResult, Trial
from thumbnet.workflows.tuning.searching import record_search, run_search


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
        assert [row["holdout_top1"] for row in run.metrics.read() if row["kind"] == "evaluation"] == list(
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
    before = mtimes(out / "tiny-tune" / "start")
    again = search(found.search, dataset, out)
    assert again.to_json() == found.to_json()
    assert mtimes(out / "tiny-tune" / "start") == before
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
    best = found.final.best
    assert made.figures["data"] == {key: best.data()[key] for key in ("name", "fingerprint")}
    assert made.figures["commands"]["best"] == best.sessions()[0]["command"]
    with pytest.raises(RunError, match="only final runs are recorded"):
        record_search(replace(found, final=None), tmp_path)


@pytest.mark.usefixtures("undrawn")
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
        assert not any("val" in key for row in run.metrics.read() for key in row)
        assert run.result()["scores"]["holdout"]["top1"] == result.trials[number].value
    with pytest.raises(StorageError, match=r"val\.images\.npy: no such file"):  # which the final runs do read
        search(chosen, opened, tmp_path)


@pytest.mark.usefixtures("undrawn")
def test_a_shortened_trial(dataset: PackedDataset, tmp_path: Path) -> None:
    result = search(rates(2, fraction=0.5), dataset, tmp_path)
    assert [len(trial.history) for trial in result.trials] == [2, 2]
    assert result.final is not None
    assert result.final.start.result()["steps"] == 12


@pytest.mark.usefixtures("undrawn")
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


@pytest.mark.usefixtures("undrawn")
def test_values_that_fit_alone_but_not_together_fail_as_a_trial(dataset: PackedDataset, tmp_path: Path) -> None:
    recipe = tiny(phases=(Phase(iterations(12), trainable="head"),))
    space = ["phases.0.trainable=head,all", "phases.0.cached_features=0,1"]
    chosen = make_search(recipe, space, 9, sampler="grid")
    options = replace(QUIET, cache=tmp_path / "cache")
    result = run_search(chosen, dataset, tmp_path, options, final=False)
    assert [trial.state for trial in result.trials] == ["complete", "complete", "complete", "failed"]
    assert "features stay the same only where all but the head is frozen" in result.trials[3].reason


@pytest.mark.usefixtures("undrawn")
def test_a_batch_of_one_image_fails_as_a_trial(dataset: PackedDataset, tmp_path: Path) -> None:
    images = len(packed.subset_indices(dataset.split("train"), "fit"))
    sizes = f"batch_size={images - 2}..{images}:int"
    chosen = make_search(tiny(model=Model("timm/test_resnet")), [sizes], 3, sampler="grid")
    result = search(chosen, dataset, tmp_path, final=False)
    states = {int(trial.values["batch_size"]): trial.state for trial in result.trials}
    assert states == {images - 2: "complete", images - 1: "failed", images: "complete"}


def test_a_search_without_a_complete_trial_is_an_error(dataset: PackedDataset, tmp_path: Path) -> None:
    recipe = tiny(optimizer=Optimizer("sgd", lr=0.01))
    chosen = make_search(recipe, ["optimizer.lr=1e29,1e30"], 2, sampler="grid")
    with pytest.raises(TrainingError, match="search tiny-tune: no trial reached its end"):
        search(chosen, dataset, tmp_path)


@pytest.mark.usefixtures("undrawn")
def test_where_nothing_beats_the_start_its_run_is_the_best(dataset: PackedDataset, tmp_path: Path) -> None:
    chosen = make_search(tiny(), ["optimizer.lr=0.01,1e-9"], 2, sampler="grid")
    result = search(chosen, dataset, tmp_path)
    assert result.final is not None
    assert result.best.number == 0
    assert result.final.best.path == result.final.start.path == tmp_path / "tiny-tune" / "start"
    assert [gain.comparison.difference for gain in result.final.gains] == [0, 0]


@pytest.mark.usefixtures("undrawn")
def test_random_search_draws_what_its_seed_says(dataset: PackedDataset, tmp_path: Path) -> None:
    def drawn(place: str, seed: int) -> list[Any]:
        chosen = rates(3, sampler="random", seed=seed, prune="none")
        return [trial.values for trial in search(chosen, dataset, tmp_path / place, final=False).trials]

    assert drawn("first", 0) == drawn("second", 0)
    assert drawn("third", 1) != drawn("first", 0)
