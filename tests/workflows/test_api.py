"""The Python API, and the example that its page shows."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

import thumbnet
from tests.helpers import copy_of
from tests.shapes import class_name, draw
from tests.workflows.runs import CLASSES, VAL
from thumbnet.errors import DataError
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Schedule, epochs
from thumbnet.run import RunDirectory

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def test_every_name_is_there() -> None:
    for name in thumbnet.__all__:
        assert getattr(thumbnet, name) is not None
        assert name in dir(thumbnet)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = thumbnet.nonsense


def test_every_function_is_on_the_page() -> None:
    text = PAGE.read_text()
    for name in thumbnet.__all__:
        if not name.startswith("__"):
            assert f"`{name}" in text


def test_the_example_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert example is not None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "example.py").write_text(example[1])
    runpy.run_path("example.py")
    printed = capsys.readouterr().out
    assert re.search(r"val top-1 \d+\.\d%", printed)
    assert (tmp_path / "runs" / "first").is_dir()


def test_settings_replace_values_by_dotted_key() -> None:
    recipe = thumbnet.make_recipe(
        "demo", {"optimizer.lr": 0.5, "phases.0.length": epochs(3), "name": "7", "schedule": Schedule("cosine")}
    )
    assert recipe.optimizer.lr == 0.5
    assert recipe.phases[0].length == epochs(3)
    assert recipe.name == "7"
    assert recipe.schedule == Schedule("cosine")
    with pytest.raises(thumbnet.ThumbnetError, match="is no setting"):
        thumbnet.make_recipe("demo", {"name": object()})
    with pytest.raises(thumbnet.ThumbnetError, match="unknown key 'optimiser'"):
        thumbnet.make_recipe("demo", {"optimiser.lr": 1})


def test_the_steps_from_source_to_guess(unpacked: Path, tmp_path: Path) -> None:
    data = thumbnet.pack_data(unpacked, tmp_path / "data", size=32, threads=1)
    assert thumbnet.load_data(str(tmp_path / "data")).fingerprint == data.fingerprint
    settings = {"phases.0.length": "4 epochs", "phases.0.policies": [[]], "batch_size": 12}
    recipe = thumbnet.make_recipe("demo", settings)
    run = thumbnet.train_recipe(recipe, data, tmp_path / "run", device="cpu", threads=1, quiet=True)
    assert thumbnet.resume_run(run) == run
    assert thumbnet.open_run(tmp_path / "run") == run
    scores = thumbnet.evaluate_run(run, threads=1)
    assert scores == run.predictions("val").scores()
    assert scores.images == CLASSES * VAL
    flipped = thumbnet.evaluate_run(run, "val", "flip", data=data.path, threads=1)
    assert flipped.images == scores.images


def test_judging_leaves_the_process_as_it_is_but_for_its_threads(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_here() -> None:
        raise AssertionError("the allocator of the whole process was set")

    monkeypatch.setattr("thumbnet.train.hardware._keep_freed_memory", not_here)
    before = torch.get_num_threads()
    try:
        for threads in (before + 1, before):
            thumbnet.evaluate_run(run, views="flip", threads=threads)
            assert torch.get_num_threads() == threads
            thumbnet.evaluate_run(run, views="flip")
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    with pytest.raises(thumbnet.ThumbnetError, match="threads: 0 is not a positive number"):
        thumbnet.evaluate_run(run, threads=0)


def test_runs_are_compared_averaged_and_souped(runs: list[RunDirectory], tmp_path: Path) -> None:
    paths = [run.path for run in runs]
    made = thumbnet.make_ensemble(paths, tmp_path / "e", select="holdout", size=2)
    assert made.predictions.scores().images == CLASSES * VAL
    assert made.comparison().images == CLASSES * VAL
    again = thumbnet.make_ensemble([str(tmp_path / "e"), *paths[:1]], split="test")
    assert len(again.predictions.image_ids) == len(runs[0].predictions("test").image_ids)
    for judged in (again.comparison, lambda: again.best):
        with pytest.raises(DataError, match="split 'test' has no labels, so it cannot be scored"):
            judged()
    one = copy_of(RunDirectory.open(paths[0]), tmp_path / "one")
    kept = thumbnet.make_ensemble([one.path], tmp_path / "kept", kept=True, device="cpu", threads=1)
    assert [member.name for member in kept.members] == ["one:epoch-0002", "one:epoch-0003"]
    assert thumbnet.make_ensemble([tmp_path / "kept"], split="test").predictions.split == "test"
    soup = thumbnet.make_soup(paths, tmp_path / "soup", threads=1)
    compared = thumbnet.compare_runs(runs[0], soup, threads=1)
    assert compared.comparison.second_top1 == soup.result()["scores"]["val"]["top1"]
    looked = thumbnet.compare_runs(runs[0], runs[0], views=("none", "flip"), threads=1)
    assert looked.comparison.second_top1 == runs[0].result()["views"]["scores"]["val"]["top1"]
    assert f"{paths[0]} (flip)" in looked.sentence
    assert looked.notes == []
    seen = thumbnet.compare_runs(runs[0], soup, "train", threads=1)
    assert seen.notes == [f"{path} trained on images of train" for path in (paths[0], soup.path)]


def test_data_that_was_moved_is_given(run: RunDirectory, dataset: PackedDataset, tmp_path: Path) -> None:
    moved = copy_of(run, tmp_path / "moved")
    about = moved.data() | {"path": str(tmp_path / "gone")}
    (moved.path / "data.json").write_text(json.dumps(about))
    paths = [moved.path, copy_of(moved, tmp_path / "copy").path]
    calls = (
        lambda data: thumbnet.analyze_run(moved, ["layers"], data=data, threads=1),
        lambda data: thumbnet.compare_runs(moved, moved, weights=("first", "last"), data=data, threads=1).labels,
        lambda data: thumbnet.make_soup(paths, tmp_path / "soup", data=data, threads=1),
    )
    for call in calls:
        with pytest.raises(thumbnet.ThumbnetError, match="gone"):
            call(None)
        call(str(dataset.path))
    assert (tmp_path / "soup" / "result.json").exists()


def test_guesses_for_image_files(run: RunDirectory, tmp_path: Path) -> None:
    image, _ = draw(2, 32, np.random.default_rng(4))
    image.save(tmp_path / "image.png")
    (guesses,) = thumbnet.predict_images(run, [str(tmp_path / "image.png")], count=3, threads=1)
    assert len(guesses) == 3
    assert guesses[0].name == f"{class_name(2)}, drawn"
    assert len(thumbnet.predict_images(run, [tmp_path / "image.png"], count=99, threads=1)[0]) == CLASSES
    assert thumbnet.predict_images(run, [], threads=1) == []
    for count in (0, -1):
        with pytest.raises(DataError, match=f"count is {count}: it must be 1 or more"):
            thumbnet.predict_images(run, [tmp_path / "image.png"], count=count, threads=1)


def test_errors_are_the_packages_own(
    dataset: PackedDataset, run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(thumbnet.ThumbnetError, match="exists already"):
        thumbnet.pack_data("digits", dataset.path)
    with pytest.raises(thumbnet.ThumbnetError, match="has no labels"):
        thumbnet.evaluate_run(run, "test")
    with pytest.raises(thumbnet.ThumbnetError, match="no such run directory"):
        thumbnet.open_run(tmp_path / "absent")
    monkeypatch.setenv("THUMBNET_DATA", str(dataset.path))
    assert thumbnet.load_data().fingerprint == dataset.fingerprint


def test_a_run_is_analysed_and_reported(run: RunDirectory, tmp_path: Path) -> None:
    run = copy_of(run, tmp_path / "run")
    found = thumbnet.analyze_run(run, ["layers"], device="cpu", threads=1)
    assert [(done.part, done.state) for done in found] == [("layers", "computed")]
    assert [done.state for done in thumbnet.analyze_run(run, ["layers"], device="cpu", threads=1)] == ["kept"]
    with pytest.raises(thumbnet.ThumbnetError, match="part 'layer' of an analysis is unknown; did you mean layers"):
        thumbnet.analyze_run(run, ["layer"])
    page = thumbnet.report_runs([run], tmp_path / "page.html")
    assert f"{thumbnet.evaluate_run(run).top1:.1%}" in page.read_text()
    assert (tmp_path / "page.json").is_file()
    with pytest.raises(thumbnet.ThumbnetError, match="image 'x' cannot be looked up: the run has no nearest"):
        thumbnet.report_runs([run], tmp_path / "page.html", images=["x"])
    # A place that cannot be written is refused before anything is computed: here, before the run is missed.
    with pytest.raises(thumbnet.ThumbnetError, match=r"ends in \.html"):
        thumbnet.report_runs([RunDirectory(tmp_path / "absent")], tmp_path / "page.txt")
