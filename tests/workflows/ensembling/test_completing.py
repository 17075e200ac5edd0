"""Kept networks predict splits that they were not judged on while their run trained, once they are asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import thumbnet
from tests.helpers import QUIET, copy_of, mtimes
from tests.shapes import make_tiny_imagenet
from tests.workflows.runs import CLASSES, shapes_recipe
from thumbnet.ensemble import average
from thumbnet.errors import DataError, PredictionError, RunError, StorageError
from thumbnet.packed import PackedDataset
from thumbnet.predictions import SPLITS
from thumbnet.run import RunDirectory
from thumbnet.sources import pack
from thumbnet.train import start
from thumbnet.workflows.ensembling.completing import complete_kept
from thumbnet.workflows.ensembling.ensemble import Wish, ask, make_ensemble, write_ensemble
from thumbnet.workflows.ensembling.members import Of, find_lacking, kept_networks, load_members
from thumbnet.workflows.judging import judge
from thumbnet.workflows.stored import How, Source


@pytest.fixture
def kept(runs: list[RunDirectory], tmp_path: Path) -> RunDirectory:
    """A copy of a run that kept snapshots and epochs; as older code's, its snapshots do not say what chose them."""
    run = copy_of(runs[0], tmp_path / "kept")
    for one in run.snapshots():
        for split in ("holdout", "val"):
            found = run.predictions(split, one)
            silent = {key: value for key, value in found.provenance.items() if key != "selected_on"}
            replace(found, provenance=silent).save(run.predictions_path(split, one))
    return run


@pytest.mark.parametrize(("of", "lacks"), [("snapshots", ["test"]), ("kept", ["val", "holdout", "test"])])
def test_what_is_lacking_is_computed_once_and_stored(
    kept: RunDirectory, tmp_path: Path, of: Of, lacks: list[str]
) -> None:
    networks = kept_networks(kept, of)
    asked = ask([kept.path], Wish(), of=of, out=tmp_path / "e").splits
    assert asked == ["val", "holdout", "test"]
    lacking = find_lacking([kept.path], asked, of=of, judged="val")
    assert [(one.split, one.kept) for one in lacking] == [(split, one) for split in lacks for one in networks]
    complete_kept(lacking)
    assert find_lacking([kept.path], asked, of=of, judged="val") == []
    for split in SPLITS:
        for one in networks:
            stored, judged = kept.predictions(split, one), judge(kept, split, How(weights=one.tag))
            np.testing.assert_allclose(stored.logits, judged.logits, rtol=1e-4, atol=1e-5)
            assert (stored.image_ids, stored.classes) == (judged.image_ids, judged.classes)
            if split in lacks:
                assert stored.provenance == {**judged.provenance, **vars(one)}
    made = make_ensemble(load_members([kept.path], asked, of=of), Wish())
    assert sorted(one.name for one in made.members) == [f"kept:{one.tag}" for one in networks]
    assert write_ensemble(made, tmp_path / "e", "x") == ["val", "holdout", "test"]
    order = [next(one for one in networks if member.name.endswith(one.tag)) for member in made.members]
    expected = average([kept.predictions("test", one) for one in order])
    np.testing.assert_array_equal(Source.open(tmp_path / "e").predictions("test").logits, expected.logits)


def test_older_snapshots_are_known_as_chosen_and_kept_epochs_are_not(kept: RunDirectory) -> None:
    made = make_ensemble(load_members([kept.path], SPLITS, of="snapshots"), Wish(split="holdout"))
    assert any("of the networks were chosen on holdout, which also judges" in note for note in made.notes)
    complete_kept(find_lacking([kept.path], ["holdout"], of="kept", judged="holdout"))
    plain = make_ensemble(load_members([kept.path], SPLITS, of="kept"), Wish(split="holdout"))
    assert not any("networks were chosen" in note for note in plain.notes)


def test_only_what_is_asked_for_is_computed(kept: RunDirectory, tmp_path: Path) -> None:
    paths = [kept.path]
    assert ask(paths, Wish(), of="snapshots").splits == ["val", "holdout"]  # the latter gives the members' order
    assert ask(paths, Wish(select="holdout"), of="kept").splits == ["val", "holdout"]
    assert ask(paths, Wish(split="test"), of="kept", out=tmp_path / "test.npz").splits == ["test", "holdout"]
    assert ask(paths, Wish(), of="kept", out=tmp_path / "e").splits == ["val", "holdout", "test"]
    assert ask(paths, Wish(), out=tmp_path / "e").lacking == []


def test_the_order_does_not_depend_on_what_was_computed_before(kept: RunDirectory, tmp_path: Path) -> None:
    first = thumbnet.make_ensemble([kept.path], kept=True)
    thumbnet.make_ensemble([kept.path], tmp_path / "e", kept=True)
    again = thumbnet.make_ensemble([kept.path], kept=True)
    assert first.ordered_by == again.ordered_by == "holdout"
    assert first.notes == again.notes
    assert first.curve is not None
    np.testing.assert_array_equal(first.curve, again.curve)


def test_what_cannot_be_is_refused_before_anything_is_computed(
    kept: RunDirectory, dataset: PackedDataset, tmp_path: Path
) -> None:
    before = mtimes(kept.path)
    (tmp_path / "there").mkdir()
    with pytest.raises(StorageError, match="exists already"):
        thumbnet.make_ensemble([kept.path], tmp_path / "there", kept=True)
    with pytest.raises(PredictionError, match="a size of 0 has no members"):
        thumbnet.make_ensemble([kept.path], size=0, kept=True)
    with pytest.raises(PredictionError, match="saved predictions need no data"):
        thumbnet.make_ensemble([kept.path], data=dataset.path)
    assert mtimes(kept.path) == before


def test_images_that_a_run_trained_on_are_left_out_unless_they_judge(dataset: PackedDataset, tmp_path: Path) -> None:
    more = {
        "train_on": "all",
        "selected_on": "val",
        "evaluation.splits": '["val"]',
        "evaluation.every": "1 epochs",
        "phases.0.length": "2 epochs",
        "checkpointing.snapshots": "2",
    }
    run = start(shapes_recipe(**more), dataset, tmp_path / "all", QUIET)
    found = find_lacking([run.path], SPLITS, of="snapshots", judged="val")
    assert {one.split for one in found} == {"test"}
    found = find_lacking([run.path], SPLITS, of="snapshots", judged="holdout")
    assert {one.split for one in found} == {"holdout", "test"}
    before = mtimes(run.path)
    with pytest.raises(PredictionError, match="nothing can be chosen on the holdout, for this member trained on the"):
        ask([run.path], Wish(select="holdout"), of="snapshots")
    assert mtimes(run.path) == before
    members = load_members([run.path], SPLITS, of="snapshots")
    with pytest.raises(PredictionError, match="nothing can be chosen on the holdout, for this member trained on the"):
        make_ensemble(members, Wish(select="holdout"))


def test_a_stopped_computation_goes_on_where_it_was(kept: RunDirectory) -> None:
    def stop(_: str, done: int, __: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    lacking = find_lacking([kept.path], ["test"], of="snapshots", judged="test")
    with pytest.raises(KeyboardInterrupt):
        complete_kept(lacking, watch=stop)
    assert find_lacking([kept.path], ["test"], of="snapshots", judged="test") == lacking[1:]
    before = mtimes(kept.path / "predictions")
    told: list[tuple[int, int]] = []
    complete_kept(lacking[1:], watch=lambda _, done, total: told.append((done, total)))
    assert told[-1] == (len(lacking) - 1, len(lacking) - 1)
    after = mtimes(kept.path / "predictions")
    assert {path: after[path] for path in before} == before


def test_a_run_in_use_is_left_alone(kept: RunDirectory) -> None:
    lacking = find_lacking([kept.path], ["test"], of="snapshots", judged="test")
    with kept.lock(), pytest.raises(RunError, match="in use by another process"):
        complete_kept(lacking)
    assert find_lacking([kept.path], ["test"], of="snapshots", judged="test") == lacking


def test_other_data_of_the_same_classes_predicts_nothing(kept: RunDirectory, tmp_path: Path) -> None:
    source = make_tiny_imagenet(tmp_path / "source", classes=CLASSES, train=8, val=2, test=1, size=32, seed=8)
    other = pack(source, tmp_path / "other", size=32, threads=1)
    lacking = find_lacking([kept.path], ["test"], of="snapshots", judged="test")
    with pytest.raises(DataError, match=r"other data than the run's"):
        complete_kept(lacking, data=other.path)
    assert find_lacking([kept.path], ["test"], of="snapshots", judged="test") == lacking
