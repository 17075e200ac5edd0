"""`thumbnet ensemble`, `thumbnet soup` and `thumbnet compare`, and ensembles where a run may stand."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.cli.calling import Shell, modules_after, status
from tests.helpers import copy_of
from tests.shapes import class_ids, class_name
from tests.workflows.runs import CLASSES, TEST, VAL
from thumbnet import records, submission
from thumbnet.comparison import compare
from thumbnet.ensemble import average
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.run import RunDirectory
from thumbnet.workflows.judging import judge
from thumbnet.workflows.stored import How


@pytest.fixture
def paths(runs: list[RunDirectory]) -> list[Path]:
    return [run.path for run in runs]


def test_an_ensemble_stands_where_a_run_may(
    runs: list[RunDirectory], paths: list[Path], dataset: PackedDataset, tmp_path: Path, shell: Shell
) -> None:
    out = tmp_path / "e"
    found = shell.json("ensemble", *paths, "--out", out, "--curve", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 1000
    assert (found["out"], found["splits"], found["size"]) == (str(out), ["val", "holdout", "test"], 3)

    judged = shell.json("evaluate", out)
    assert {key: judged[key] for key in found["ensemble"]} == found["ensemble"]
    assert (judged["views"], judged["weights"], judged["trained_on"]) == ("none", "last", False)
    assert judged["classes"][0]["name"] == f"{class_name(0)}, drawn"
    assert "views: none" in shell.text("evaluate", out, "--split", "holdout")

    file = tmp_path / "submission.txt"
    assert f"{CLASSES * TEST} predictions of test" in shell.text("predict", out, "--out", file)
    ids = dataset.split("test").image_ids
    stated = submission.read_and_validate(file.read_bytes(), ids, class_ids(CLASSES))
    order = [member["name"] for member in found["members"]]
    by_name = {run.path.name: run.predictions("test") for run in runs}
    expected = average([by_name[name] for name in order])
    assert [stated[image] for image in ids] == [expected.classes[index] for index in expected.predicted()]
    assert file.read_text().splitlines()[0] == f"{ids[0]} {stated[ids[0]]}"

    compared = shell.json("compare", paths[0], out)
    assert compared["second_top1"] == found["ensemble"]["top1"]


@pytest.mark.parametrize("networks", ["--snapshots", "--kept"])
def test_networks_that_one_run_kept_make_a_submission(
    runs: list[RunDirectory], dataset: PackedDataset, networks: str, tmp_path: Path, shell: Shell
) -> None:
    run, out, file = copy_of(runs[0], tmp_path / "run"), tmp_path / "e", tmp_path / "submission.txt"
    moved = shutil.copytree(dataset.path, tmp_path / "data")
    where = ("--data", moved, "--device", "cpu", "--threads", 1)
    found = shell.json("ensemble", run.path, networks, "--out", out, *where)
    assert found["splits"] == ["val", "holdout", "test"]
    assert f"{CLASSES * TEST} predictions of test" in shell.text("predict", out, "--split", "test", "--out", file)
    ids = dataset.split("test").image_ids
    stated = submission.read_and_validate(file.read_bytes(), ids, class_ids(CLASSES))
    tags = [member["name"].partition(":")[2] for member in found["members"]]
    kept = run.snapshots() if networks == "--snapshots" else run.kept_epochs()
    assert sorted(tags) == [one.tag for one in kept]
    expected = average([judge(run, "test", How(weights=tag)) for tag in tags])
    assert [stated[image] for image in ids] == [expected.classes[index] for index in expected.predicted()]
    assert shell.json("ensemble", run.path, networks)["ensemble"] == found["ensemble"]
    soup = shell.json("soup", run.path, networks, "--out", tmp_path / "soup", *where)
    assert sorted(soup["soup"]["members"]) == sorted(f"{run.path}:{tag}" for tag in tags)


def test_figures_on_images_that_chose_are_said_to_be_so(
    run: RunDirectory, paths: list[Path], tmp_path: Path, shell: Shell
) -> None:
    here = ("--split", "holdout", "--device", "cpu", "--threads", 1)
    note = "chosen on holdout, which also judges: new images will be classified worse"
    assert note in shell.text("evaluate", run.path, "--weights", "best", *here)
    assert note not in shell.text("evaluate", run.path, *here)
    assert "also judges" not in shell.text("evaluate", run.path, "--weights", "best", "--threads", 1)
    both = ("compare", run.path, "--weights", "last", "--weights", "best")
    said = f"{run.path} [best] was {note}, and the p-value does not hold."
    assert shell.json(*both, *here)["notes"] == [said]
    assert said in shell.text(*both, *here)
    assert all(f"top-1 of {run.path} [{weights}]" in shell.text(*both, *here) for weights in ("last", "best"))
    assert shell.json(*both, "--threads", 1)["notes"] == []
    soup = tmp_path / "soup"
    printed = shell.text("soup", paths[0], "--snapshots", "--out", soup, "--threads", 1)
    assert f"note: what is averaged was {note}." in printed
    assert note in shell.text("evaluate", soup, "--split", "holdout")
    assert "chosen on" not in shell.text("soup", *paths, "--out", tmp_path / "plain", "--threads", 1)
    kept = tmp_path / "best.npz"
    shell.text("predict", run.path, *here, "--weights", "best", "--out", kept)
    assert f"best.npz was {note}" in shell.text("ensemble", kept, run.path, "--split", "holdout")


def test_the_tables_say_what_the_json_says(paths: list[Path], tmp_path: Path, shell: Shell) -> None:
    found = shell.json("ensemble", *paths, "--select", "val", "--over", "logits")
    printed = shell.text("ensemble", *paths, "--select", "val", "--over", "logits")
    assert "ensemble over logits" in printed
    for member in found["members"]:
        assert member["name"] in printed
    assert f"{found['ensemble']['top1']:.2%}" in printed
    assert found["notes"][0] in printed
    assert f"its best member ({found['best_member']})" in printed
    whole = shell.text("ensemble", *paths, "--out", tmp_path / "e")
    assert "accuracy against size (members, the best on holdout first)" in " ".join(whole.split())
    assert f"{tmp_path / 'e'}: predictions for val, holdout, test" in whole
    snapshots = shell.json("ensemble", paths[0], "--snapshots", "--size", 1)
    assert snapshots["members"][0]["count"] == 1
    assert all("snapshot-" in member["name"] for member in snapshots["members"])
    without_labels = shell.text("ensemble", *paths, "--split", "test")
    assert paths[0].name in without_labels


def test_a_record_of_an_ensemble_and_of_a_comparison(paths: list[Path], tmp_path: Path, shell: Shell) -> None:
    found = shell.json("ensemble", *paths, "--record", tmp_path / "three.json")
    made = records.load(tmp_path / "three.json")
    assert isinstance(made, records.Measurement)
    assert made.figures["ensemble"]["top1"] == pytest.approx(found["ensemble"]["top1"], rel=1e-5)
    data = {key: RunDirectory.open(paths[0]).data()[key] for key in ("name", "fingerprint")}
    trained = {"recipe": "shapes", "seed": 0, "pretrained": False, "command": "thumbnet train shapes"}
    assert (made.figures["data"], made.figures["pretrained"]) == (data, False)
    listed = sorted(made.figures["networks"], key=lambda one: one["path"])
    assert listed == [{"path": str(path), **trained} for path in sorted(paths)]
    compared = shell.json("compare", *paths[:2], "--record", tmp_path / "two.json")
    again = records.load(tmp_path / "two.json")
    assert isinstance(again, records.Measurement)
    assert again.figures["sentence"] == compared["sentence"]
    assert again.figures["data"] == data
    assert again.figures["first"].items() >= trained.items()


def test_compare_judges_both_on_the_same_images(run: RunDirectory, paths: list[Path], shell: Shell) -> None:
    first, second = (RunDirectory.open(path).predictions("val") for path in paths[:2])
    found = shell.json("compare", *paths[:2])
    expected = compare(first, second)
    assert {key: found[key] for key in expected.to_json()} == expected.to_json()
    assert found["sentence"] == expected.sentence(str(paths[0]), str(paths[1]))
    assert found["sentence"] in shell.text("compare", *paths[:2])

    views = shell.json("compare", run.path, "--views", "none", "--views", "ten-crop", "--threads", 1)
    plain = run.predictions("val")
    by_hand = compare(plain, judge(run, "val", How(views="ten-crop")))
    assert (views["fixed"], views["broken"]) == (by_hand.fixed, by_hand.broken)
    assert (views["first"]["views"], views["second"]["views"]) == ("none", "ten-crop")
    assert f"{run.path} (ten-crop)" in views["sentence"]

    weights = shell.json("compare", run.path, "--weights", "first", "--weights", "last", "--threads", 1)
    assert weights["first_top1"] == judge(run, "val", How(weights="first")).scores().top1
    assert weights["second_top1"] == plain.scores().top1
    assert "[first]" in shell.text("compare", run.path, "--weights", "first", "--weights", "last", "--threads", 1)


def test_predictions_can_be_kept_with_their_views(run: RunDirectory, tmp_path: Path, shell: Shell) -> None:
    file = tmp_path / "flipped.npz"
    shell.json("predict", run.path, "--split", "val", "--views", "flip", "--over", "logits", "--out", file)
    kept = Predictions.load(file)
    assert (kept.provenance["views"], kept.provenance["over"]) == ("flip", "logits")
    expected = judge(run, "val", How(views="flip", over="logits"))
    np.testing.assert_allclose(kept.logits, expected.logits, atol=1e-5)
    assert shell.json("evaluate", file)["top1"] == kept.scores().top1
    assert shell.json("evaluate", file)["views"] == "flip"
    member = shell.json("ensemble", file, run.path)
    assert [one["name"] for one in member["members"]] == ["flipped.npz", run.path.name]


def test_a_soup_is_a_run(paths: list[Path], tmp_path: Path, shell: Shell) -> None:
    out = tmp_path / "soup"
    made = shell.json("soup", *paths, "--out", out, "--threads", 1)
    assert made["soup"]["members"] == [str(path) for path in paths]
    assert shell.json("evaluate", out)["top1"] == made["scores"]["val"]["top1"]
    assert shell.json("resume", out)["soup"] == made["soup"]
    printed = shell.text("soup", *paths[:2], "--select", "holdout", "--out", tmp_path / "greedy", "--threads", 1)
    assert "the average of" in printed
    assert f"next: thumbnet compare {paths[0]} {tmp_path / 'greedy'}" in printed
    assert "exists already" in shell.error("soup", *paths, "--out", out)


def test_what_cannot_be_asked(run: RunDirectory, paths: list[Path], tmp_path: Path, shell: Shell) -> None:
    made = tmp_path / "e"
    shell.json("ensemble", *paths[:2], "--out", made)
    for arguments, expected in (
        (("compare", run.path), "one thing alone"),
        (("compare", run.path, "--views", "flip"), "one thing alone"),
        (("compare", run.path, *["--views", "none"] * 3), "given 3 times"),
        (("compare", run.path, paths[0], "--split", "test"), "no labels"),
        (("ensemble", *paths, "--replacement"), "add --select holdout"),
        (("ensemble", *paths, "--size", 0), "a size of 0"),
        (("ensemble", *paths, "--out", made), "never overwritten"),
        (("ensemble", paths[0], "--snapshots", "--out", made), "never overwritten"),
        (("ensemble", paths[0], "--snapshots", "--kept"), "leave one out"),
        (("ensemble", *paths, "--data", tmp_path), "saved predictions need no data"),
        (("soup", *paths, "--kept", "--weights", "best", "--out", tmp_path / "x"), "give the one or the other"),
        (("ensemble", *paths, "--curve", tmp_path / "curve.doc"), "one that ends in .png"),
        (("ensemble", paths[0], paths[0]), "given twice"),
        (("ensemble", *paths, "--split", "vall"), "no stored predictions for 'vall'"),
        (("evaluate", made, "--views", "flip"), "which have their views and weights already"),
        (("evaluate", made, "--data", tmp_path), "leave out --data"),
        (("evaluate", made, "--split", "test"), "no labels"),
        (("predict", made, tmp_path / "image.png"), "with no network for other images"),
        (("predict", made, "--split", "train", "--out", tmp_path / "x.txt"), "no predictions for 'train'"),
    ):
        assert expected in shell.error(*arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e"]
    assert status("ensemble", *paths, "--over", "logit") == 2


def test_other_data_is_no_member(run: RunDirectory, tmp_path: Path, shell: Shell) -> None:
    stored = run.predictions("val")
    provenance = dict(stored.provenance) | {"data": "f" * 64}
    Predictions("val", stored.image_ids, stored.logits, stored.labels, stored.classes, provenance).save(
        tmp_path / "other.npz"
    )
    assert "ensemble: its members judge different data" in shell.error("ensemble", run.path, tmp_path / "other.npz")
    assert "comparison: the two judge different data" in shell.error("compare", run.path, tmp_path / "other.npz")


def test_saved_predictions_need_no_torch(paths: list[Path], tmp_path: Path) -> None:
    copies = [shutil.copytree(path, tmp_path / path.name) for path in paths]
    commands = [
        ["ensemble", *copies, "--out", tmp_path / "e"],
        ["ensemble", *copies, "--select", "holdout"],
        ["ensemble", copies[0], "--snapshots", "--size", "2"],
        ["compare", copies[0], tmp_path / "e"],
        ["evaluate", tmp_path / "e"],
        ["predict", tmp_path / "e", "--out", tmp_path / "test.txt"],
    ]
    assert modules_after(commands).isdisjoint({"torch", "timm", "torchvision", "sklearn"})
    assert len((tmp_path / "test.txt").read_text().splitlines()) == CLASSES * TEST
    assert RunDirectory.open(paths[0]).predictions("val").scores().images == VAL * CLASSES
