"""Studies from end to end on small runs: what is trained, what is said, and what is drawn."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from scipy.stats import ttest_rel

from tests.helpers import QUIET, copy_of, evaluations_of, iterations_of, mtimes
from tests.shapes import make_tiny_imagenet
from tests.stopping import interrupt_after
from tests.workflows.study.made import tiny
from thumbnet import metrics, train
from thumbnet.errors import RecipeError, RunError, StorageError, TrainingError
from thumbnet.files import write_json
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipe import Checkpointing, Model, Optimizer, Phase, Recipe, iterations
from thumbnet.run import RunDirectory
from thumbnet.sources import pack
from thumbnet.studies import STUDIES, look_at, vary
from thumbnet.workflows.study import panels
from thumbnet.workflows.study.result import FIGURES, StudyResult, read_run, spread
from thumbnet.workflows.study.running import check_folder, check_recordable, record_study, run_study, state_of

RATES = ["optimizer.lr=0.02,0.002"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study") / "runs"


@pytest.fixture(scope="module")
def found(out: Path, dataset: PackedDataset) -> StudyResult:
    """A study of two learning rates with three seeds each."""
    return run_study(vary(tiny(), RATES, seeds=3), dataset, out, QUIET, command="a test")


def test_runs_lie_side_by_side_and_the_study_beside_them(found: StudyResult, out: Path) -> None:
    names = [f"tiny,optimizer.lr={rate}{seed}" for rate in (0.02, 0.002) for seed in ("", "-seed1", "-seed2")]
    study = "tiny-by-optimizer.lr"
    assert sorted(path.name for path in out.iterdir()) == sorted([*names, study])
    assert sorted(path.name for path in (out / study).iterdir()) == ["figure.png", "figure.svg", "study.json"]
    for name in names:
        run = RunDirectory.open(out / name)
        assert run.is_complete
        assert run.sessions()[0]["command"] == "a test"
        assert run.recipe().seed == int(name[-1]) * ("seed" in name)
    assert json.loads((out / study / "study.json").read_text()) == json.loads(json.dumps(found.to_json()))


def test_each_figure_is_the_runs_own(found: StudyResult, out: Path) -> None:
    for result in found.runs:
        run = RunDirectory.open(out / result.planned.folder)
        stored, last = run.result(), evaluations_of(run)[-1]
        full = [row["step"] for row in evaluations_of(run) if row["running_train_top1"] == 1]
        assert result.figures == {
            "val_top1": stored["scores"]["val"]["top1"],
            "holdout_top1": stored["scores"]["holdout"]["top1"],
            "best_top1": stored["best"]["top1"],
            "eval_train_top1": last["eval_train_top1"],
            "running_train_top1": last["running_train_top1"],
            "final_loss": pytest.approx(np.mean([row["loss"] for row in iterations_of(run)[-20:]])),
            "iterations_to_eval_train_100": None,
            "iterations_to_running_train_100": full[0] if full else None,
            "train_seconds": stored["train_seconds"],
        }
        assert tuple(result.figures) == FIGURES


def test_the_spread_over_seeds_is_numpys(found: StudyResult) -> None:
    for variant in found.variants:
        assert len(variant.runs) == 3
        for name, one in variant.spreads.items():
            values = [run.figures[name] for run in variant.runs]
            assert one.n == 3
            assert one.mean == pytest.approx(np.mean(np.array(values, float)))
            assert one.std == pytest.approx(np.std(np.array(values, float), ddof=1))
    assert spread([None, 2, None]) == spread([2.0])
    assert spread([None]) is None


def test_the_difference_has_students_interval_of_pairs_of_a_seed(found: StudyResult) -> None:
    first, second = ([run.figures["val_top1"] for run in variant.runs] for variant in found.variants)
    expected = ttest_rel(second, first).confidence_interval()
    assert found.variants[0].difference is None
    difference = found.variants[1].difference
    assert difference is not None
    assert difference.over == "seeds"
    assert difference.interval == pytest.approx((expected.low, expected.high))
    assert difference.value == pytest.approx(np.mean(np.array(second, float)) - np.mean(np.array(first, float)))


def test_figures_are_images_of_sensible_size(found: StudyResult, out: Path) -> None:
    folder = out / found.study.name
    with Image.open(folder / "figure.png") as picture:
        assert picture.format == "PNG"
        width, height = picture.size
        assert 1000 <= width <= 2400
        assert 400 <= height <= 1000
        assert len(set(picture.convert("L").resize((96, 32)).tobytes())) > 20
    drawn = (folder / "figure.svg").read_text()
    assert drawn.startswith("<?xml")
    assert "<dc:date>" not in drawn


def test_what_is_complete_is_not_trained_again(found: StudyResult, out: Path, dataset: PackedDataset) -> None:
    before = {path: time for path, time in mtimes(out).items() if path.is_file() and path.name != ".lock"}
    lines: list[str] = []
    again = run_study(found.study, dataset, out, QUIET, tell=lines.append)
    after = mtimes(out)
    changed = {path.parent.name for path, time in before.items() if after[path] != time}
    assert changed == {found.study.name}
    assert again.to_json() == found.to_json()
    assert len(lines) == 6
    assert lines[0] == f"tiny-by-optimizer.lr, run 1 of 6: {out / 'tiny,optimizer.lr=0.02'} (complete)"


def test_one_seed_compares_the_answers_for_each_image(out: Path, dataset: PackedDataset) -> None:
    one = run_study(vary(tiny(), RATES, name="one"), dataset, out, QUIET)
    first, second = (
        Predictions.load(RunDirectory.open(out / f"tiny,optimizer.lr={rate}").predictions_path("val"))
        for rate in (0.02, 0.002)
    )
    right = [np.argmax(each.logits, 1) == each.labels for each in (first, second)]
    difference = one.variants[1].difference
    assert difference is not None
    assert difference.over == "images"
    assert (difference.value, difference.interval) == metrics.paired_difference(right[0], right[1])
    assert one.variants[0].interval == pytest.approx(first.scores().top1_interval)
    assert one.variants[0].spreads["val_top1"].std is None


@pytest.mark.usefixtures("undrawn")
def test_an_interrupted_study_goes_on(
    tmp_path: Path, dataset: PackedDataset, found: StudyResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = vary(tiny(), RATES)
    interrupt_after(8, monkeypatch)
    with pytest.raises(train.Interrupted, match=r"lr=0.002: stopped after iteration 2 of 6; go on with the same"):
        run_study(study, dataset, tmp_path, QUIET)
    states = [state_of(one, tmp_path) for one in study.planned()]
    assert states == ["complete", "unfinished, step 2 of 6"]
    first = mtimes(tmp_path / "tiny,optimizer.lr=0.02")
    result = run_study(study, dataset, tmp_path, QUIET)
    assert mtimes(tmp_path / "tiny,optimizer.lr=0.02") == first
    assert len(result.variants[1].runs[0].run.sessions()) == 2
    for variant, reference in zip(result.variants, found.variants, strict=True):
        assert variant.runs[0].figures["val_top1"] == reference.runs[0].figures["val_top1"]


@pytest.mark.usefixtures("undrawn")
def test_a_study_that_is_interrupted_in_the_last_step_of_a_run_begins_no_other(
    tmp_path: Path, dataset: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = vary(tiny(), RATES)
    interrupt_after(6, monkeypatch)
    with pytest.raises(train.Interrupted, match=r"lr=0.002: stopped before this run; go on with the same command"):
        run_study(study, dataset, tmp_path, QUIET)
    assert [state_of(one, tmp_path) for one in study.planned()] == ["complete", "to train"]
    assert all(run.complete for run in run_study(study, dataset, tmp_path, QUIET).runs)


@pytest.mark.usefixtures("undrawn")
def test_a_run_that_fails_does_not_stop_the_others(tmp_path: Path, dataset: PackedDataset) -> None:
    study = vary(tiny(optimizer=Optimizer("sgd", lr=0.1)), ["optimizer.lr=1e30,0.1"])
    lines: list[str] = []
    result = run_study(study, dataset, tmp_path, QUIET, tell=lines.append)
    bad, good = result.runs
    assert not bad.complete
    assert "the loss is" in bad.failure
    assert any("the loss is" in line for line in lines)
    assert good.complete
    assert result.variants[0].spreads == {}
    assert result.variants[1].difference is None
    assert result.to_json()["variants"][0]["runs"][0]["state"] == "failed"
    assert state_of(study.planned()[0], tmp_path).startswith("failed")
    with pytest.raises(RunError, match="failed, so nothing is recorded"):
        record_study(result, tmp_path / "records")
    told = (tmp_path / study.name / "study.json").read_bytes()
    with pytest.raises(TrainingError, match="device 'nowhere' cannot be used"):
        run_study(study, dataset, tmp_path, replace(QUIET, device="nowhere"))
    assert (tmp_path / study.name / "study.json").read_bytes() == told
    again = run_study(study, dataset, tmp_path, QUIET)
    assert again.runs[0].failure == bad.failure
    worse = vary(tiny(optimizer=Optimizer("sgd", lr=0.1)), ["optimizer.lr=1e30,1e31"], name="worse")
    with pytest.raises(TrainingError, match="no run could be trained; the loss is"):
        run_study(worse, dataset, tmp_path, QUIET)


def test_nothing_is_trained_where_something_does_not_fit(tmp_path: Path, dataset: PackedDataset, out: Path) -> None:
    with pytest.raises(RecipeError, match=r"model .*nonsense"):
        run_study(vary(tiny(), ["model.name=small,nonsense"]), dataset, tmp_path, QUIET)
    assert list(tmp_path.iterdir()) == []
    run_study(vary(tiny(), RATES, seeds=3), dataset, out, QUIET)
    other = vary(replace(tiny(), batch_size=5), RATES, seeds=3, name="other")
    with pytest.raises(
        RunError, match=r"not of the recipe 'tiny,optimizer\.lr=0\.02' as it stands now; remove it, or choose"
    ):
        run_study(other, dataset, out, QUIET)
    with pytest.raises(TrainingError, match="device 'nowhere' cannot be used"):
        run_study(vary(tiny(), RATES), dataset, tmp_path, replace(QUIET, device="nowhere"))


def test_runs_on_other_data_are_refused(found: StudyResult, out: Path, tmp_path: Path) -> None:
    other = pack("digits", tmp_path / "digits")
    with pytest.raises(RunError, match="its data is not"):
        run_study(found.study, other, out, QUIET)


@pytest.mark.usefixtures("undrawn")
def test_shortened_runs_are_marked(tmp_path: Path, dataset: PackedDataset) -> None:
    result = run_study(look_at(vary(tiny(), RATES), 0.5), dataset, tmp_path, QUIET)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tiny,optimizer.lr=0.002@0.5",
        "tiny,optimizer.lr=0.02@0.5",
        "tiny-by-optimizer.lr@0.5",
    ]
    assert result.runs[0].run.result()["steps"] == 3
    with pytest.raises(RunError, match="shortened runs are not recorded"):
        check_recordable(result.study, dataset, tmp_path)


def test_what_another_study_found_is_kept(
    found: StudyResult, dataset: PackedDataset, out: Path, tmp_path: Path
) -> None:
    stored = (out / found.study.name / "study.json").read_bytes()
    path = record_study(found, tmp_path)
    recorded = path.read_bytes()
    more = vary(tiny(), ["optimizer.lr=0.02,0.002,0.2"], seeds=4)
    others = [
        vary(tiny(), ["optimizer.lr=0.02,0.2"], seeds=3),
        vary(tiny(), RATES, seeds=2),
        vary(replace(tiny(), batch_size=5), RATES, seeds=3),
    ]
    for other in others:
        with pytest.raises(
            RunError, match=r"another study of that name found \(.*=0\.02; .*=0\.002; seeds: 3\); move"
        ):
            run_study(other, dataset, out, QUIET)
        with pytest.raises(
            RunError, match=r"tiny-by-optimizer\.lr\.json: holds what another study of that name found"
        ):
            check_recordable(other, dataset, tmp_path)
        check_recordable(replace(other, name="other"), dataset, tmp_path)
    assert (out / found.study.name / "study.json").read_bytes() == stored
    assert path.read_bytes() == recorded
    check_recordable(more, dataset, tmp_path)
    elsewhere = replace(dataset, fingerprint="0" * 64)
    with pytest.raises(RunError, match="the study's record on other data; move or remove it"):
        check_recordable(found.study, elsewhere, tmp_path)
    with pytest.raises(StorageError, match="not the file of a record"):
        check_recordable(replace(found.study, name="my study"), dataset, tmp_path)
    write_json(tmp_path / "mine.json", json.loads(path.read_text()) | {"name": "mine", "figures": {"top1": 1}})
    with pytest.raises(RunError, match=r"mine\.json: holds something else than a study's figures; move it"):
        check_recordable(replace(found.study, name="mine"), dataset, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "[1]",
        "{}",
        '{"variants": [1], "seeds": 1}',
        '{"variants": [{"label": "x"}]}',
        '{"variants": [], "seeds": null}',
    ],
)
def test_a_studys_folder_that_is_no_study_is_left_alone(content: str, tmp_path: Path) -> None:
    study = vary(tiny(), RATES)
    folder = tmp_path / study.name
    check_folder(study, folder)
    folder.mkdir()
    for left in ("figure.png", "figure.svg", ".DS_Store"):  # as a kill leaves them, and a file manager
        (folder / left).touch()
    check_folder(study, folder)
    (folder / "study.json").write_text(content)
    with pytest.raises(RunError, match="holds something else than a study's figures; move it, or remove it"):
        check_folder(study, folder)
    (folder / "study.json").rename(folder / "recipe.json")
    with pytest.raises(RunError, match="holds something else than a study; move it, or give the study another name"):
        check_folder(study, folder)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file"):
        check_folder(study, tmp_path / "file")


@pytest.mark.parametrize("name", ["", "..", "a/b", "/a"])
def test_a_study_is_named_as_a_folder(name: str) -> None:
    with pytest.raises(RecipeError, match=r"study '.*': not a plain name of a folder"):
        replace(vary(tiny(), RATES), name=name)


@pytest.mark.parametrize("name", ["tiny,optimizer.lr=0.02", "tiny,optimizer.lr=0.002-seed1"])
def test_a_study_is_not_named_as_one_of_its_runs(name: str) -> None:
    with pytest.raises(RecipeError, match="one of its runs has that folder; give the study another name"):
        replace(vary(tiny(), RATES, seeds=2), name=name)


def test_records_under_our_names_are_of_our_studies(dataset: PackedDataset, tmp_path: Path) -> None:
    study = STUDIES["hansen-ensemble"]
    with pytest.raises(RunError, match="a study of Tiny ImageNet, and this data is not the whole of it"):
        check_recordable(study, dataset, tmp_path)
    with pytest.raises(RunError, match=r"not the study of that name as it stands \(4 seeds\)"):
        check_recordable(replace(study, seeds=2), dataset, tmp_path)
    check_recordable(vary(tiny(), RATES), dataset, tmp_path)


def test_the_recipes_that_are_no_rows_fit_their_images(tmp_path: Path) -> None:
    images = pack(make_tiny_imagenet(tmp_path / "source"), tmp_path / "packed", threads=1)
    for recipe in STUDIES["hansen-solvers"].runs.values():
        train.check_recipe(recipe, images)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_can_be_drawn(name: str, tmp_path: Path, dataset: PackedDataset) -> None:
    """Small runs take the place of each study's own; the figure is drawn from them."""
    study = STUDIES[name]
    snapshots = Checkpointing(filters=(), snapshots=4)
    runs = {
        label: tiny(recipe.name, model=_small(recipe), checkpointing=snapshots, phases=(Phase(iterations(2)),))
        for label, recipe in study.runs.items()
    }
    small = replace(study, runs=runs, varies=("model",), seeds=min(study.seeds, 2))
    run_study(small, dataset, tmp_path, QUIET)
    with Image.open(tmp_path / name / "figure.png") as picture:
        assert min(picture.size) >= 400
    drawn = (tmp_path / name / "figure.svg").read_text()
    for label in study.runs if not study.ensemble else ():
        assert f"<!-- {label}" in drawn


def _small(recipe: Recipe) -> Model:
    """A network of a moment that has the option that a study varies."""
    activation = recipe.model.options.get("activation")
    if activation is None:
        return Model("small", {"width": 4}, initialization=recipe.model.initialization)
    return Model("resnet18", {"width": 4, "activation": activation})


def test_initial_weights_are_the_last_layers(found: StudyResult) -> None:
    run = found.runs[0]
    stored = torch.load(run.run.weights_path("first"), weights_only=True)
    matrices = [value for value in stored.values() if value.ndim == 2]
    np.testing.assert_allclose(panels.last_layer_weights(run), matrices[-1].flatten().numpy())


def test_smoothing_is_a_moving_average() -> None:
    values = np.random.default_rng(0).normal(size=130)
    smoothed = panels.smooth(values)
    assert smoothed.shape == values.shape
    assert smoothed[60] == pytest.approx(values[59:62].mean())
    assert smoothed[0] == pytest.approx(values[:2].mean())
    np.testing.assert_array_equal(panels.smooth(values[:10]), values[:10])


def test_rows_of_no_kind_are_passed_over(found: StudyResult, tmp_path: Path) -> None:
    one = found.runs[0]
    run = copy_of(one.run, tmp_path / "run")
    run.metrics.append([{"step": 1, "loss": 1e9}])
    again = read_run(one.planned, run)
    assert again.figures == one.figures
    axes = Figure().subplots()
    panels.draw_panel("loss", axes, replace(found, variants=[replace(found.variants[0], runs=[again])]))
    assert max(np.asarray(line.get_ydata(), float).max() for line in axes.lines) < 1e9


def test_an_unknown_panel_gets_the_nearest(found: StudyResult) -> None:
    with pytest.raises(RecipeError, match="panel 'lost' is unknown; did you mean loss"):
        panels.draw_panel("lost", None, found)
