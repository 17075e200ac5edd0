"""Every row that is one run, and every recipe of our own, from end to end: a step of each phase on a few images.

The recipe stays as it is, with its network, image size, policies and batches; the data is small and the length short.
A recipe that trains on 100 images trains on `FEW` here.
No checkpoints are written: `tests/train` resumes runs, and of all these networks they would be gigabytes.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers import NO_CHECKPOINTS, evaluations_of, iterations_of
from tests.shapes import class_ids, make_tiny_imagenet
from tests.stopping import interrupt_after
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipe import Recipe, from_json, to_json
from thumbnet.recipes import OWN, ROWS, quick_look
from thumbnet.run import RunDirectory
from thumbnet.sources import pack
from thumbnet.studies import STUDIES
from thumbnet.train import Interrupted, start
from thumbnet.workflows.estimate import shape_of
from thumbnet.workflows.reproduction.runs import Look, Outcome, run_rows

CLASSES = 2
FRACTION = 0.000001
LOOK = Look(fraction=FRACTION, random_weights=True)
RUNS = {name: row.recipe for name, row in ROWS.items() if row.recipe is not None}

OF_THE_REPORTS = {
    "hansen-alexnet",
    "hansen-alexnet-3x3",
    "hansen-ensemble",
    "hansen-prelu",
    "ma-elu",
    "ma-finetune",
    "ma-init-default",
    "ma-init-xavier",
    "ma-leaky-relu",
    "ma-overfit-pretrained",
    "ma-overfit-scratch",
    "ma-relu",
    "ma-scratch",
    "ma-scratch-64",
    "milani-inception",
    "milani-inception-regularized",
    "milani-snapshots",
    "milani-snapshots-regularized",
    "milani-transfer-v1",
    "milani-transfer-v2",
    "milani-transfer-v3",
    "mkrtchyan-alexnet",
    "mkrtchyan-densenet161",
    "mkrtchyan-m1",
    "mkrtchyan-m1-lr1e-4",
    "mkrtchyan-m1-set1",
    "mkrtchyan-m4",
    "mkrtchyan-m4-lr1e-4",
    "mkrtchyan-resnet18",
    "mkrtchyan-resnet18-lr1e-4",
    "mkrtchyan-resnet34",
    "mkrtchyan-resnet34-preact",
    "yu-alexnet",
    "yu-baseline",
    "yu-inception",
    "yu-resnet20",
    "yu-squeezenet",
    "yu-transfer",
    "yu-vgg",
}
"""What the five reports trained and gave a figure or a claim for; twins and stand-ins of ours come on top."""


FEW = 3
"""How many images a recipe trains on that trains on a part of them."""


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Four train images (two of them the holdout), two val and two test, of Tiny ImageNet's size."""
    folder = tmp_path_factory.mktemp("few")
    source = make_tiny_imagenet(folder / "shapes", classes=CLASSES, train=2, val=1, test=1)
    return pack(source, folder / "packed", threads=1)


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """A place for runs, which goes after the test: the weights of all networks are gigabytes."""
    yield tmp_path / "runs"
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("name", RUNS)
def test_a_row_runs_from_end_to_end(name: str, few: PackedDataset, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = RUNS[name]()
    if row.train_count is not None:
        row = replace(row, train_count=FEW)
        monkeypatch.setitem(ROWS, name, replace(ROWS[name], recipe=lambda: row))
    records = out.parent / "records"
    (outcome,) = run_rows([name], LOOK, few, out, records, options=NO_CHECKPOINTS, command="a test")
    assert not outcome.failed, outcome.text
    assert not records.exists()
    _check_outcome(outcome, row)
    assert outcome.task is not None
    _check_run(RunDirectory.open(outcome.task.folder), row, few)


def test_rows_that_are_interrupted_in_the_last_step_of_one_begin_no_other(
    few: PackedDataset, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["mkrtchyan-m1", "mkrtchyan-m1+"]
    interrupt_after(1, monkeypatch)
    rows = run_rows(names, LOOK, few, out, out.parent / "records", options=NO_CHECKPOINTS, command="a test")
    assert not next(rows).failed
    with pytest.raises(Interrupted, match=r"^stopped after row mkrtchyan-m1; go on with the same command$"):
        next(rows)
    assert [path.name for path in out.iterdir()] == ["mkrtchyan-m1@1e-06"]
    again = run_rows(names, LOOK, few, out, out.parent / "records", options=NO_CHECKPOINTS, command="a test")
    assert [outcome.failed for outcome in again] == [False, False]


@pytest.mark.parametrize("name", OWN)
def test_a_recipe_of_ours_runs_from_end_to_end(name: str, few: PackedDataset, out: Path) -> None:
    recipe = OWN[name]()
    run = start(quick_look(recipe, FRACTION, random_weights=True), few, out / name, NO_CHECKPOINTS)
    _check_run(run, recipe, few)


def test_every_row_of_the_reports_is_there() -> None:
    assert set(ROWS) >= OF_THE_REPORTS
    assert {row.study for name, row in ROWS.items() if name not in RUNS} <= set(STUDIES)
    assert "hansen-solvers" in STUDIES  # has no figure in its report, and so no row


def _check_outcome(outcome: Outcome, row: Recipe) -> None:
    """Check that the outcome is told from a row's own: shortened, on other data, without pretrained weights."""
    assert outcome.task is not None
    assert outcome.line is not None
    assert outcome.line.measured is not None
    assert outcome.record is None
    assert outcome.line.measured.record == ""
    assert outcome.line.measured.verdict is None
    assert not outcome.line.pretrained
    random = row.model.weights is not None
    assert outcome.task.folder.name == f"{row.name}@1e-06" + ("-random-weights" if random else "")
    notes = ["a quick look, 1e-06 of the full length", "on shapes, not Tiny ImageNet"]
    notes[1:1] = ["random weights in place of pretrained ones"] * random
    assert outcome.text.startswith(f"{row.name} ({'; '.join(notes)}): ")


def _check_run(run: RunDirectory, row: Recipe, dataset: PackedDataset) -> None:
    """Check that a step of each phase of `row` was trained and judged, and all of it stored."""
    assert run.is_complete
    model = replace(row.model, weights=None, head=replace(row.model.head, start="fresh"))
    expected = replace(row, name=run.recipe().name, fraction=FRACTION, model=model)
    assert run.recipe() == from_json(to_json(expected))
    steps = iterations_of(run)
    assert [step["step"] for step in steps] == [*range(1, len(row.phases) + 1)]
    assert all(np.isfinite(step["loss"]) and step["loss"] > 0 for step in steps)
    assert [one["step"] for one in evaluations_of(run)] == [step["step"] for step in steps]
    assert run.result()["images_seen"] == _images_of_first_batches(row, dataset)
    _check_predictions(run, dataset)
    _check_weights(run, row)


def _images_of_first_batches(row: Recipe, dataset: PackedDataset) -> int:
    """Return how many images the first batch of each phase holds; each image comes once under each policy."""
    shape = shape_of(dataset)
    images = row.train_count or shape.train - (shape.holdout if row.train_on == "fit" else 0)
    return sum(min(row.batch_size, images * len(phase.policies)) for phase in row.phases)


def _check_predictions(run: RunDirectory, dataset: PackedDataset) -> None:
    val, split = Predictions.load(run.predictions_path("val")), dataset.split("val")
    assert val.image_ids == tuple(split.image_ids)
    assert val.classes == tuple(class_ids(CLASSES))
    assert val.logits.shape == (len(split), CLASSES)
    assert np.isfinite(val.logits).all()
    np.testing.assert_array_equal(val.labels, split.labels)
    assert run.result()["scores"]["val"]["images"] == len(split)


def _check_weights(run: RunDirectory, row: Recipe) -> None:
    """Check that training changed the network, and of a network whose head alone trains, the head alone."""
    first, last = (torch.load(run.weights_path(tag), weights_only=True, mmap=True) for tag in ("first", "last"))
    changed = {name.rpartition(".")[0] for name in first if not torch.equal(first[name], last[name])}
    assert changed
    if all(phase.trainable == "head" for phase in row.phases):
        assert len(changed) == 1, "more than the last layer changed"
