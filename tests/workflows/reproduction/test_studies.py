"""Rows that a study measures: run and judged as the others, surveyed, never recorded when short."""

import shutil
from pathlib import Path

import pytest

from tests.helpers import NO_CHECKPOINTS, QUIET, short_recipe
from tests.shapes import make_tiny_imagenet
from thumbnet.ensemble import average
from thumbnet.metrics import top_k_correct
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipe import from_json, to_json
from thumbnet.recipes import ROWS
from thumbnet.run import RunDirectory
from thumbnet.sources import pack
from thumbnet.studies import STUDIES, look_at
from thumbnet.workflows.estimate import shape_of
from thumbnet.workflows.reproduction.runs import Look, make_task, run_rows
from thumbnet.workflows.reproduction.survey import survey

SHORT = Look(fraction=1e-6)
STUDY_ROWS = [name for name, row in ROWS.items() if row.study is not None]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Few images of the size that the rows are made for."""
    folder = tmp_path_factory.mktemp("rows")
    return pack(make_tiny_imagenet(folder / "shapes", classes=4, train=4, val=2, test=1), folder / "packed")


@pytest.mark.parametrize("name", STUDY_ROWS)
def test_each_runs_judges_and_is_done(name: str, dataset: PackedDataset, tmp_path: Path) -> None:
    out, records, lines = tmp_path / "runs", tmp_path / "records", list[str]()
    shape = shape_of(dataset)
    assert survey([name], SHORT, shape, out, lambda _: 60.0)[0].state == "new"
    (outcome,) = run_rows(
        [name], SHORT, dataset, out, records, options=NO_CHECKPOINTS, command="a test", tell=lines.append
    )
    assert not outcome.failed, outcome.text
    assert outcome.record is None
    assert not records.exists()
    assert outcome.line is not None
    assert outcome.line.measured is not None
    assert outcome.task is not None
    study, measured = STUDIES[name], outcome.line.measured
    assert outcome.text.startswith(f"{name} (a quick look, 1e-06 of the full length; on ")
    assert measured.record == ""
    accuracy = _averaged(out, name, dataset)
    if study.seeds > 1:  # nothing is chosen: all networks, and the first one alone
        assert (measured.figure, measured.single) == pytest.approx((accuracy[-1], accuracy[0]))
        assert f"by {study.seeds}, {100 * accuracy[0]:.1f}% by the first alone" in outcome.text
    else:
        assert (measured.figure, measured.single) == pytest.approx((max(accuracy), accuracy[0]))
        assert f"chosen on val, {100 * accuracy[0]:.1f}% by the best alone" in outcome.text
    assert measured.verdict is None
    assert len(lines) == 1 + study.seeds * len(study.runs)
    assert (out / f"{name}@1e-06" / "figure.png").is_file()
    (pending,) = survey([name], SHORT, shape, out, lambda _: 60.0)
    assert (pending.state, pending.step, pending.expected_seconds) == ("complete", pending.steps, None)
    if study.seeds > 1:
        _check_half_done(name, out, dataset)


def _check_half_done(name: str, out: Path, dataset: PackedDataset) -> None:
    """Check that a study of four steps with half of its runs gone is unfinished and costs what is left."""
    folders = list(make_task(name, SHORT, shape_of(dataset), out).recipes)
    assert folders[1].name == "hansen-prelu-development@1e-06-seed1"
    for folder in folders[1:3]:
        shutil.rmtree(folder)
    (pending,) = survey([name], SHORT, shape_of(dataset), out, lambda _: 60.0)
    assert (pending.state, pending.step, pending.steps, pending.expected_seconds) == ("unfinished", 2, 4, 120.0)


def _averaged(out: Path, name: str, dataset: PackedDataset) -> list[float]:
    """Return the accuracy of the first 1, 2, ... members, averaged here once more: seeds, or snapshots best first."""
    study = STUDIES[name]
    assert study.ensemble is not None
    task = make_task(name, SHORT, shape_of(dataset), out)
    runs = [RunDirectory.open(folder) for folder in task.recipes]
    if study.ensemble.of == "seeds":
        members = [Predictions.load(run.predictions_path("val")) for run in runs]
    else:
        members = [Predictions.load(runs[0].predictions_path("val", one)) for one in runs[0].snapshots()]
        members.sort(key=lambda one: -one.scores().top1)
    found = [average(members[:count], study.ensemble.over) for count in range(1, len(members) + 1)]
    return [float(top_k_correct(one.logits, one.labels, 1).mean()) for one in found]


def test_a_length_in_epochs_and_another_recipe_in_the_folder(dataset: PackedDataset, tmp_path: Path) -> None:
    shape = shape_of(dataset)
    task = make_task("milani-snapshots", Look(epochs=3), shape, tmp_path)
    assert task.fraction == pytest.approx(0.1)
    assert [recipe.fraction for recipe in task.recipes.values()] == [pytest.approx(0.1)]
    wrong = tmp_path / "milani-inception"
    RunDirectory.create(wrong, short_recipe(), {"fingerprint": dataset.fingerprint}, {}, "a test")
    (pending,) = survey(["milani-snapshots"], Look(), shape, tmp_path, lambda _: 60.0)
    assert "not of the recipe 'milani-inception'" in pending.problem
    (outcome,) = run_rows(["milani-snapshots"], Look(), dataset, tmp_path, tmp_path, options=QUIET, command="")
    assert outcome.failed
    assert "not of the recipe 'milani-inception'" in outcome.text


def test_random_weights_replace_a_studys_pretrained_ones_and_show_in_the_names() -> None:
    study = look_at(STUDIES["ma-overfitting-lite0"], random_weights=True)
    assert study.name == "ma-overfitting-lite0@random-weights"
    scratch, pretrained = study.runs.values()
    assert scratch == STUDIES["ma-overfitting-lite0"].runs["from scratch"]
    assert pretrained.name == "ma-overfit-pretrained-lite0@random-weights"
    assert pretrained.model.weights is None
    assert from_json(to_json(pretrained)) == pretrained
    assert look_at(STUDIES["milani-snapshots"], random_weights=True) == STUDIES["milani-snapshots"]
