"""`analyze` as a whole: every part stored once, kept, refused where it must be, and going on after a kill."""

import shutil
import signal
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers import QUIET, copy_of, short_recipe
from tests.packing import write_packed
from tests.shapes import make_tiny_imagenet
from tests.stopping import in_a_process, send_at
from thumbnet import analyses, train
from thumbnet.analyses import PARTS, Part
from thumbnet.errors import DataError, RecipeError, RunError, TrainingError
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Evaluation, Model
from thumbnet.report import make_report
from thumbnet.run import RunDirectory
from thumbnet.sources.pack import pack
from thumbnet.train.state import save_weights
from thumbnet.watch import silent
from thumbnet.workflows.analyzing import AnalysisWish, Done, analyze, summary
from thumbnet.workflows.judging import load_network

CPU = torch.device("cpu")


def go(
    run: RunDirectory,
    wish: AnalysisWish | None = None,
    *,
    cache: Path | None = None,
    data: Path | None = None,
    tell: Callable[[Done], None] = lambda _done: None,
) -> list[Done]:
    return analyze(run, wish or AnalysisWish(), device=CPU, watch=silent, tell=tell, data=data, cache=cache)


@pytest.fixture(scope="module")
def analyzed(run: RunDirectory, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run with all of its analysis; shared, so it must not be changed."""
    found = copy_of(run, tmp_path_factory.mktemp("analyzed") / "run")
    assert [done.state for done in go(found)] == ["computed"] * len(PARTS)
    return found


def stored(run: RunDirectory, parts: Iterable[Part] = tuple(PARTS)) -> dict[str, dict[str, object]]:
    """Return the content of the files of an analysis, of all of them where no parts are given."""
    found: dict[str, dict[str, object]] = {}
    for part in parts:
        with np.load(run.analysis_path(part)) as archive:
            found[part] = {name: archive[name].tolist() for name in archive.files}
    return found


def test_all_parts_are_stored(analyzed: RunDirectory) -> None:
    cross_fitted = analyses.read_cross_fitted(analyzed)
    assert cross_fitted is not None
    assert cross_fitted.split == "train"
    robustness = analyses.read(analyzed, analyses.Robustness)
    assert robustness is not None
    assert robustness.is_complete
    for found in (
        analyses.read(analyzed, analyses.Embedding),
        analyses.read(analyzed, analyses.Maps),
        analyses.read(analyzed, analyses.Layers),
    ):
        assert found is not None
        assert found.subset == "val"


def test_what_is_stored_is_kept(analyzed: RunDirectory) -> None:
    before = {part: analyzed.analysis_path(part).stat().st_mtime_ns for part in PARTS}
    assert [done.state for done in go(analyzed)] == ["kept"] * len(PARTS)
    assert {part: analyzed.analysis_path(part).stat().st_mtime_ns for part in PARTS} == before


def test_clean_accuracy_is_that_of_the_run(analyzed: RunDirectory) -> None:
    found = analyses.read(analyzed, analyses.Robustness)
    assert found is not None
    assert found.clean_accuracy().top1 == pytest.approx(analyzed.result()["scores"]["val"]["top1"])


def test_anew_gives_the_same(analyzed: RunDirectory, tmp_path: Path) -> None:
    again = copy_of(analyzed, tmp_path / "run")
    done = go(again, AnalysisWish(again=True), cache=tmp_path / "cache")
    assert [one.state for one in done] == ["computed"] * len(PARTS)
    assert stored(again) == stored(analyzed)


def test_some_parts_alone(run: RunDirectory, tmp_path: Path) -> None:
    found = copy_of(run, tmp_path / "run")
    told: list[Done] = []
    go(found, AnalysisWish.of(["maps", "layers"]), tell=told.append)
    assert [done.part for done in told] == ["layers", "maps"]
    assert sorted(file.name for file in (found.path / "analysis").iterdir()) == ["layers.npz", "maps.npz"]
    with pytest.raises(RunError, match="part 'map' of an analysis is unknown; did you mean maps"):
        AnalysisWish.of(["map"])
    with pytest.raises(RunError, match="classes of an analysis are those of its embedding; add --only embedding"):
        AnalysisWish.of(["maps"], classes=["cat"])


def test_chosen_classes_replace_others(analyzed: RunDirectory, tmp_path: Path) -> None:
    found = copy_of(analyzed, tmp_path / "run")
    name = found.data()["classes"][2]["name"]
    assert [done.state for done in go(found, AnalysisWish.of(["embedding"], classes=[name]))] == ["computed"]
    embedding = analyses.read(found, analyses.Embedding)
    assert embedding is not None
    assert embedding.classes == (2,)


def test_analyses_of_other_weights_are_refused(analyzed: RunDirectory, tmp_path: Path) -> None:
    found = copy_of(analyzed, tmp_path / "run")
    shutil.copy(found.weights_path("first"), found.weights_path("last"))
    with pytest.raises(RunError, match=r"was made from other weights; make it again with: .*--again"):
        go(found)
    go(found, AnalysisWish(("maps",), again=True))
    assert analyses.read(found, analyses.Maps) is not None


def test_damaged_analyses_are_refused(analyzed: RunDirectory, tmp_path: Path) -> None:
    found = copy_of(analyzed, tmp_path / "run")
    found.analysis_path("robustness").write_bytes(b"PK")
    with pytest.raises(RunError, match=r"robustness\.npz: this analysis is damaged"):
        go(found)


def test_other_data_is_refused(run: RunDirectory, tmp_path: Path) -> None:
    source = make_tiny_imagenet(tmp_path / "source", classes=6, train=16, val=4, test=3, size=32, seed=8)
    other = pack(source, tmp_path / "other", size=32, threads=1)
    with pytest.raises(DataError, match=r"other: other data than the run's \(its fingerprint differs\)"):
        go(run, data=other.path)


def test_a_run_in_use_is_left_alone(run: RunDirectory, tmp_path: Path) -> None:
    found = copy_of(run, tmp_path / "run")
    with found.lock(), pytest.raises(RunError, match="in use by another process"):
        go(found)


def test_an_unfinished_run_is_refused(run: RunDirectory, tmp_path: Path) -> None:
    found = copy_of(run, tmp_path / "run")
    found.write_status("interrupted", 3, 9)
    with pytest.raises(RunError, match="unfinished"):
        go(found)


@pytest.fixture(scope="module")
def without_val(dataset: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Data with a training split alone."""
    found = dataset.split("train")
    splits = {"train": (found.images, found.labels, None)}
    return write_packed(tmp_path_factory.mktemp("without") / "packed", dataset.classes, splits)


def test_without_val_the_holdout_is_judged(without_val: PackedDataset, tmp_path: Path) -> None:
    recipe = short_recipe(evaluation=Evaluation(splits=("holdout",), train_images=6), train_on="fit")
    run = train.start(recipe, without_val, tmp_path / "run", QUIET, "a test")
    go(run)
    robustness = analyses.read(run, analyses.Robustness)
    assert robustness is not None
    assert (robustness.split, robustness.subset, len(robustness.labels)) == ("train", "holdout", 12)


def test_without_val_after_training_on_all(without_val: PackedDataset, tmp_path: Path) -> None:
    recipe = short_recipe(evaluation=Evaluation(splits=(), train_images=6), train_on="all")
    run = train.start(recipe, without_val, tmp_path / "run", QUIET, "a test")
    with pytest.raises(DataError, match="no image is left that the network did not train on"):
        go(run, AnalysisWish.of(["maps"]))
    # What needs no image to judge is computed all the same.
    states = {done.part: done.state for done in go(run)}
    assert states == {part: "computed" if part == "crossfit" else "impossible" for part in PARTS}
    assert analyses.read_impossible(run).keys() == PARTS.keys() - {"crossfit"}


def test_what_a_network_cannot_give_is_said(dataset: PackedDataset, tmp_path: Path) -> None:
    recipe = short_recipe(model=Model("timm/test_vit", {"img_size": 32}))
    run = train.start(recipe, dataset, tmp_path / "run", QUIET, "a test")
    done = {one.part: one for one in go(run, AnalysisWish.of(["layers", "crossfit"]))}
    assert done["crossfit"].state == "computed"
    with pytest.raises(RecipeError, match="Grad-CAM") as refused:
        go(run, AnalysisWish.of(["maps"]))
    assert analyses.read_impossible(run) == {"maps": str(refused.value)}
    maps = make_report([run]).figures["sections"]["maps"]["run"]
    assert str(refused.value) in maps["missing"]
    assert maps["remedy"] == ""
    found = {one.part: one for one in go(run)}
    assert analyses.read_impossible(run) == {"maps": found["maps"].reason}
    assert found["maps"].state == "impossible"
    assert "Grad-CAM" in str(found["maps"].reason)
    parts = summary(run, list(found.values()))["parts"]
    assert isinstance(parts, dict)
    assert parts["maps"]["file"] is None
    assert parts["layers"]["file"] == str(run.analysis_path("layers"))


def test_features_that_cannot_be_kept_are_no_reason_to_stop(run: RunDirectory, tmp_path: Path) -> None:
    found = copy_of(run, tmp_path / "run")
    model = load_network(found, "last", CPU)
    *_, norm = (module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d))
    norm.weight.data.mul_(1e9)
    save_weights(model, found.weights_path("last"))
    states = {done.part: done.state for done in go(found)}
    assert [part for part, state in states.items() if state == "impossible"] == ["neighbours", "embedding", "crossfit"]
    reason = "which float16 numbers do not hold to a thousandth; train other weights"
    with pytest.raises(TrainingError, match=f"^features of train: they reach .*{reason}") as refused:
        go(found, AnalysisWish.of(["crossfit"]))
    assert "cached_features" not in str(refused.value)
    assert analyses.read_impossible(found)["crossfit"] == str(refused.value)
    alike = make_report([found]).figures["sections"]["features"]["run"]["neighbours"]
    assert reason in alike["missing"]
    assert alike["remedy"] == ""


def test_what_is_computed_is_no_longer_called_impossible(analyzed: RunDirectory, tmp_path: Path) -> None:
    found = copy_of(analyzed, tmp_path / "run")
    origin = analyses.current_origin(found)
    analyses.save_impossible(found, {"maps": "no map", "layers": "no layer"}, origin)
    go(found, AnalysisWish(("maps",), again=True))
    assert analyses.read_impossible(found) == {"layers": "no layer"}
    go(found, AnalysisWish(("layers",), again=True))
    assert analyses.read_impossible(found) == {}
    assert not found.impossible_path.exists()


def go_until(path: Path, cache: Path, wish: AnalysisWish, moment: int) -> None:
    """Analyse a run, and kill this process at the moment-th event of its analysis."""
    torch.set_num_threads(1)
    send_at(path / "analysis", moment)
    go(RunDirectory(path), wish, cache=cache)


@pytest.mark.parametrize(("moment", "last"), [(3, "layers"), (11, "maps"), (84, "robustness")])
def test_killed_and_gone_on(
    moment: int, last: Part, run: RunDirectory, analyzed: RunDirectory, tmp_path: Path
) -> None:
    # The parts after that in which the kill falls would be computed as ever.
    check_killed(moment, tuple(PARTS)[: tuple(PARTS).index(last) + 1], run, analyzed, tmp_path)


def test_killed_and_gone_on_to_the_end(run: RunDirectory, analyzed: RunDirectory, tmp_path: Path) -> None:
    check_killed(110, tuple(PARTS), run, analyzed, tmp_path)


def check_killed(
    moment: int, parts: tuple[Part, ...], run: RunDirectory, analyzed: RunDirectory, folder: Path
) -> None:
    """Check that an analysis of these parts goes on to what `analyzed` holds after a kill within the last of them."""
    found, wish = copy_of(run, folder / "run"), AnalysisWish(parts)
    assert in_a_process(go_until, found.path, folder / "cache", wish, moment) == -signal.SIGKILL
    for part in PARTS:
        if found.analysis_path(part).exists():
            with np.load(found.analysis_path(part)) as archive:
                assert archive.files
    done = go(found, wish, cache=folder / "cache")
    assert "computed" in [one.state for one in done]
    assert stored(found, parts) == stored(analyzed, parts)
    assert not list((found.path / "analysis").glob(".*"))


def test_corruptions_of_an_older_definition_are_computed_anew(analyzed: RunDirectory, tmp_path: Path) -> None:
    found = copy_of(analyzed, tmp_path / "run")
    stored_before = analyses.read(found, analyses.Robustness)
    assert stored_before is not None
    analyses.save_analysis(found, replace(stored_before, definition=stored_before.definition - 1))
    assert [done.state for done in go(found, AnalysisWish.of(["robustness"]))] == ["computed"]
    again = analyses.read(found, analyses.Robustness)
    assert again is not None
    assert again.definition == stored_before.definition


def test_an_unlabelled_val_and_an_empty_holdout_are_not_judged(dataset: PackedDataset, tmp_path: Path) -> None:
    found, val = dataset.split("train"), dataset.split("val")
    first = np.sort(np.unique(found.labels, return_index=True)[1])
    unlabelled = (val.images, np.full(len(val), -1), None)
    splits = {"train": (found.images[first], found.labels[first], None), "val": unlabelled}
    data = write_packed(tmp_path / "packed", dataset.classes, splits)
    recipe = short_recipe(evaluation=Evaluation(splits=(), train_images=0), train_on="all")
    run = train.start(recipe, data, tmp_path / "run", QUIET, "a test")
    with pytest.raises(DataError, match="no class has an image to hold out"):
        go(run, AnalysisWish.of(["neighbours"]))
