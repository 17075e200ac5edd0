"""Ensembles of real runs: members, order, selection, what is written, and every refusal."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers import QUIET, copy_of
from tests.workflows.runs import CLASSES, VAL, shapes_recipe
from thumbnet.comparison import compare
from thumbnet.ensemble import EnsembleFolder, average, greedy
from thumbnet.errors import PredictionError, RunError, ThumbnetError
from thumbnet.files import read_json, write_json
from thumbnet.packed import PackedDataset
from thumbnet.predictions import SPLITS, Predictions
from thumbnet.run import RunDirectory
from thumbnet.train import start
from thumbnet.workflows.ensembling.ensemble import Ensemble, Wish, make_ensemble, to_json, write_ensemble
from thumbnet.workflows.ensembling.figure import draw_curve
from thumbnet.workflows.ensembling.members import Member, load_members
from thumbnet.workflows.stored import How, Source, evaluation, saw_in_training


@pytest.fixture(scope="module")
def members(runs: list[RunDirectory]) -> list[Member]:
    return load_members([run.path for run in runs], SPLITS)


@pytest.fixture(scope="module")
def files(runs: list[RunDirectory], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The runs' val predictions as files of their own."""
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / f"{run.path.name}.npz" for run in runs]
    for run, path in zip(runs, paths, strict=True):
        shutil.copy(run.predictions_path("val"), path)
    return paths


def named(one: Ensemble) -> list[str]:
    return [member.name for member in one.members]


def test_an_ensemble_of_runs_is_the_average_of_what_they_stored(
    runs: list[RunDirectory], members: list[Member]
) -> None:
    made = make_ensemble(members, Wish())
    holdout = {run.path.name: run.predictions("holdout").scores().top1 for run in runs}
    assert named(made) == sorted(holdout, key=lambda name: -holdout[name])
    assert (made.ordered_by, list(made.counts), list(made.notes)) == ("holdout", [1, 1, 1], [])
    by_name = {run.path.name: run.predictions("val") for run in runs}
    expected = average([by_name[name] for name in named(made)])
    np.testing.assert_array_equal(made.predictions.logits, expected.logits)
    found = to_json(made)
    assert found["ensemble"] == expected.scores().to_json()
    assert [one["top1"] for one in found["members"]] == [by_name[name].scores().top1 for name in named(made)]
    assert found["curve"][-1]["top1"] == expected.scores().top1
    assert found["curve"][0]["top1"] == found["members"][0]["top1"]
    best = max(by_name.values(), key=lambda one: one.scores().top1)
    assert by_name[found["best_member"]].scores().top1 == best.scores().top1
    assert found["comparison"] == compare(by_name[found["best_member"]], expected).to_json()


def test_what_is_averaged_states_how_it_was_trained(runs: list[RunDirectory], tmp_path: Path) -> None:
    pretrained = copy_of(runs[0], tmp_path / "pretrained")
    recipe = read_json(pretrained.recipe_path)
    init = {"path": "weights.pt"}
    write_json(pretrained.recipe_path, {**recipe, "seed": 5, "model": {**recipe["model"], "init": init}})
    stored = runs[1].predictions("val")
    stored.save(tmp_path / "own.npz")
    replace(stored, provenance={"data": stored.provenance["data"]}).save(tmp_path / "silent.npz")
    mean, data = tmp_path / "mean", stored.provenance["data"]
    write_ensemble(make_ensemble(load_members([pretrained.path, runs[1].path], ["val"]), Wish()), mean, "x")

    of_run = {"recipe": "shapes", "seed": 5, "pretrained": True, "command": "thumbnet train shapes"}
    said = {"recipe": "shapes", "seed": 0, "pretrained": False, "command": None}
    of_file = {"path": str(tmp_path / "own.npz"), **said}
    silent = {"path": str(tmp_path / "silent.npz"), **dict.fromkeys(said)}
    found = to_json(make_ensemble(load_members([pretrained.path, tmp_path / "own.npz"], ["val"]), Wish()))
    assert found["networks"] == [{"path": str(pretrained.path), **of_run}, of_file]
    assert (found["pretrained"], found["data"]) == (True, {"name": runs[0].data()["name"], "fingerprint": data})
    found = to_json(make_ensemble(load_members([tmp_path / "own.npz", tmp_path / "silent.npz"], ["val"]), Wish()))
    assert found["networks"] == [of_file, silent]
    assert (found["pretrained"], found["data"]) == (None, {"name": None, "fingerprint": data})
    # What a run stored, its ensembles state; a member that is left out makes nothing pretrained.
    wish = Wish(size=1)
    (of_mean, _) = to_json(make_ensemble(load_members([mean, tmp_path / "own.npz"], ["val"]), wish))["networks"]
    assert of_mean == {"path": str(mean), "pretrained": False, "members": [said]}
    assert to_json(make_ensemble(load_members([runs[2].path, pretrained.path], ["val"]), wish))["pretrained"] is False
    kept = to_json(make_ensemble(load_members([pretrained.path], ["val"], of="snapshots"), Wish()))
    assert kept["networks"] == [{"path": str(pretrained.path), **of_run}]


def test_a_size_takes_the_first_of_the_order(members: list[Member]) -> None:
    made = make_ensemble(members, Wish(size=2, over="logits"))
    assert list(made.counts) == [1, 1, 0]
    expected = average([member.on("val") for member in made.members[:2]], "logits")
    np.testing.assert_array_equal(made.predictions.logits, expected.logits)
    assert made.curve is not None
    assert len(made.curve) == 3
    with pytest.raises(PredictionError, match="a size of 0 has no members"):
        make_ensemble(members, Wish(size=0))


def test_greedy_selection_never_sees_the_split_that_judges(members: list[Member]) -> None:
    made = make_ensemble(members, Wish(select="holdout", replacement=True))
    expected = greedy([member.on("holdout") for member in made.members], replacement=True)
    assert list(made.counts) == [expected.count(place) for place in range(3)]
    assert made.curve is not None
    assert len(made.curve) == len(expected) == sum(made.counts)
    assert made.curve[-1].mean() == made.predictions.scores().top1
    assert list(made.notes) == []


def test_a_choice_on_the_judging_split_is_said(members: list[Member], runs: list[RunDirectory]) -> None:
    made = make_ensemble(members, Wish(select="val"))
    assert "chosen on val, which also judges" in made.notes[0]
    assert made.ordered_by == "val"
    held = make_ensemble(members, Wish(split="holdout"))
    assert "was chosen on holdout" in held.notes[0]
    kept = make_ensemble(load_members([runs[0].path], SPLITS, of="snapshots"), Wish(split="holdout"))
    count = len(runs[0].snapshots())
    assert f"{count} of the networks were chosen on holdout, which also judges" in " ".join(kept.notes)


def test_snapshots_of_runs_are_members(runs: list[RunDirectory]) -> None:
    found = load_members([run.path for run in runs[:2]], ["val"], of="snapshots")
    kept = [f"{run.path.name}:{one.tag}" for run in runs[:2] for one in run.snapshots()]
    assert [member.name for member in found] == kept
    assert len(kept) > 2
    made = make_ensemble(found, Wish())
    stored = [Predictions.load(run.predictions_path("val", one)) for run in runs[:2] for one in run.snapshots()]
    np.testing.assert_array_equal(made.predictions.logits, average(stored).logits)


def test_what_was_chosen_on_a_split_is_said_of_every_later_figure_there(
    members: list[Member], runs: list[RunDirectory], tmp_path: Path
) -> None:
    write_ensemble(make_ensemble(members, Wish(select="val")), tmp_path / "val", "x")
    write_ensemble(make_ensemble(members, Wish(size=2)), tmp_path / "two", "x")
    write_ensemble(make_ensemble(members, Wish()), tmp_path / "all", "x")
    kept = load_members([runs[0].path], SPLITS, of="snapshots")
    write_ensemble(make_ensemble(kept, Wish(select="val")), tmp_path / "snapshots", "x")
    for name, expected in (("val", ["val"]), ("two", ["holdout"]), ("all", []), ("snapshots", ["val", "holdout"])):
        source = Source.open(tmp_path / name)
        for split in ("val", "holdout"):
            assert evaluation(source, source.predictions(split))["selected_on"] == expected
    nested = make_ensemble(load_members([tmp_path / "val", runs[0].path], SPLITS), Wish(over="logits"))
    assert "val was chosen on val, which also judges" in " ".join(nested.notes)


def test_files_stand_in_the_order_given(files: list[Path]) -> None:
    made = make_ensemble(load_members(files[::-1], ["val"]), Wish())
    assert named(made) == [path.name for path in files[::-1]]
    assert (made.ordered_by, len(made.notes)) == (None, 1)
    assert "in the order given" in made.notes[0]


def test_splits_without_labels_have_predictions_only(members: list[Member], tmp_path: Path) -> None:
    made = make_ensemble(members, Wish(split="test"))
    found = to_json(made)
    assert [found[key] for key in ("ensemble", "curve", "best_member", "comparison")] == [None] * 4
    assert write_ensemble(made, tmp_path / "test.npz", "x") == ["test"]
    again = Predictions.load(tmp_path / "test.npz")
    np.testing.assert_array_equal(again.logits, average([one.on("test") for one in made.members]).logits)
    with pytest.raises(PredictionError, match="no labels, so there is no curve"):
        draw_curve(made, tmp_path / "curve.png")


def test_the_folder_has_every_split_and_is_a_member_itself(members: list[Member], tmp_path: Path) -> None:
    made = make_ensemble(members, Wish(select="holdout", size=2))
    assert write_ensemble(made, tmp_path / "e", "thumbnet ensemble a b") == ["val", "holdout", "test"]
    folder = EnsembleFolder.open(tmp_path / "e")
    chosen = [member for member, count in zip(made.members, made.counts, strict=True) if count]
    about = folder.about()
    assert [one["name"] for one in about["members"]] == [member.name for member in chosen]
    assert (about["select"], about["command"]) == ("holdout", "thumbnet ensemble a b")
    assert len(about["classes"]) == CLASSES
    for split in SPLITS:
        expected = average([member.on(split) for member in chosen])
        np.testing.assert_array_equal(folder.predictions(split).logits, expected.logits)
    source = Source.open(tmp_path / "e")
    found = source.predictions("val")
    assert found is not None
    assert not saw_in_training(source, found)
    assert source.class_names()[found.classes[0]].endswith("drawn")
    nested = make_ensemble([*load_members([tmp_path / "e"], SPLITS), members[0]], Wish())
    assert nested.ordered_by == "holdout"
    with pytest.raises(ThumbnetError, match="never overwritten"):
        write_ensemble(made, tmp_path / "e", "x")


def test_the_curve_is_drawn(members: list[Member], tmp_path: Path) -> None:
    for name, wish in (("all.png", Wish()), ("greedy.png", Wish(select="holdout"))):
        draw_curve(make_ensemble(members, wish), tmp_path / name)
        with Image.open(tmp_path / name) as image:
            assert image.size[0] > 500
            assert len(np.unique(np.asarray(image.convert("L")))) > 20
    with pytest.raises(PredictionError, match=r"one that ends in \.png"):
        draw_curve(make_ensemble(members, Wish()), tmp_path / "curve.txt")


@pytest.fixture(scope="module")
def on_all(dataset: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run that trained on the holdout too."""
    more = {"train_on": "all", "selected_on": "none", "evaluation.splits": '["val"]', "phases.0.length": "1 epochs"}
    return start(shapes_recipe(**more), dataset, tmp_path_factory.mktemp("all") / "on-all", QUIET)


def test_a_member_that_trained_on_the_holdout_chooses_nothing(
    on_all: RunDirectory, runs: list[RunDirectory], tmp_path: Path
) -> None:
    both = load_members([runs[0].path, on_all.path], SPLITS)
    with pytest.raises(PredictionError, match=r"on-all: nothing can be chosen on the holdout, for .* trained on the"):
        make_ensemble(both, Wish(select="holdout"))
    made = make_ensemble(both, Wish())
    assert (made.ordered_by, len(made.notes)) == (None, 1)
    judged = make_ensemble(both, Wish(split="holdout"))
    assert "trained on images of the holdout" in judged.notes[0]
    write_ensemble(made, tmp_path / "e", "x")
    with pytest.raises(PredictionError, match="trained on the holdout"):
        make_ensemble(load_members([tmp_path / "e"], SPLITS), Wish(select="holdout"))


def test_a_member_that_does_not_say_chooses_nothing(members: list[Member]) -> None:
    silent = {split: replace(one, provenance={}) for split, one in members[0].predictions.items()}
    with pytest.raises(PredictionError, match="does not say that it did not train on it"):
        make_ensemble([members[1], replace(members[0], predictions=silent)], Wish(select="holdout"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"classes": tuple(f"n{number}" for number in range(CLASSES))},
            r"different classes: class 1 is '.*' in .*\.npz, 'n0' in other\.npz;",
        ),
        (
            {"image_ids": tuple(f"x{number}" for number in range(CLASSES * VAL))},
            r"images: .* has '.*', other\.npz has not;",
        ),
        ({"provenance": {"data": "0" * 64}}, r"judge different data: .*\.npz has the .*, other\.npz 00000000;"),
        ({"split": "test"}, "no stored predictions for 'val' .it has test."),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str, files: list[Path], tmp_path: Path) -> None:
    replace(Predictions.load(files[0]), **change).save(tmp_path / "other.npz")
    with pytest.raises(PredictionError, match=message):
        make_ensemble(load_members([*files, tmp_path / "other.npz"], SPLITS), Wish())


def test_members_of_one_name_are_told_apart_by_their_folders(files: list[Path], tmp_path: Path) -> None:
    paths = [tmp_path / folder / "val.npz" for folder in ("one", "two")]
    for source, path in zip(files, paths, strict=False):
        path.parent.mkdir()
        shutil.copy(source, path)
    assert [member.name for member in load_members(paths, SPLITS)] == ["one/val.npz", "two/val.npz"]


def test_what_is_no_member_is_refused(run: RunDirectory, files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(PredictionError, match="a member is given twice"):
        load_members([files[0], files[0]], SPLITS)
    with pytest.raises(RunError, match="no such run directory"):
        load_members([tmp_path / "absent"], SPLITS)
    with pytest.raises(PredictionError, match="no such file"):
        load_members([tmp_path / "absent.npz"], SPLITS)
    with pytest.raises(RunError, match="it kept no snapshots"):
        load_members([run.path], SPLITS, of="snapshots")
    with pytest.raises(PredictionError, match="which have no snapshots"):
        load_members([files[0]], SPLITS, of="snapshots")
    with pytest.raises(RunError, match=r"it kept no epochs; train it with --set checkpointing.keep="):
        load_members([run.path], SPLITS, of="kept")
    with pytest.raises(PredictionError, match="which have no kept epochs"):
        load_members([files[0]], SPLITS, of="kept")
    with pytest.raises(PredictionError, match="no stored predictions for 'holdout'"):
        make_ensemble(load_members(files, SPLITS), Wish(select="holdout"))
    copy = copy_of(run, tmp_path / "unfinished")
    copy.write_status("interrupted", 3, 70)
    with pytest.raises(RunError, match="unfinished"):
        load_members([copy.path], SPLITS)


def test_saved_predictions_have_their_views_already(files: list[Path]) -> None:
    source = Source.open(files[0])
    with pytest.raises(PredictionError, match="which have their views and weights already"):
        source.predictions("val", How(views="flip"))
    with pytest.raises(PredictionError, match=r"predictions for 'val', not 'test'; add --split val"):
        source.predictions("test")
    assert source.class_names() == {}
