"""Runs that start from stored weights, with preprocessing and rates of their own: what they state, and resuming."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.helpers import QUIET, assert_same_results, short_recipe, varied_recipe
from tests.shapes import make_tiny_imagenet
from tests.stopping import NO_TIME_CHECKPOINTS, interrupt_after
from tests.train.helpers import trainer_of
from thumbnet import train
from thumbnet.errors import RecipeError, RunError
from thumbnet.files import sha256
from thumbnet.models import build_model
from thumbnet.packed import PackedDataset
from thumbnet.predictions import chosen_on
from thumbnet.recipe import (
    Evaluation,
    Head,
    InitialWeights,
    Model,
    Normalization,
    Optimizer,
    Phase,
    Recipe,
    epochs,
    iterations,
    same_recipe,
    start_from,
    to_json,
)
from thumbnet.run import RunDirectory, choosing_splits
from thumbnet.sources import pack
from thumbnet.studies import PlannedRun
from thumbnet.train.begin import begun
from thumbnet.workflows.study.running import state_of


def draw_weights(file: Path) -> Path:
    """Write the weights of the network of `short_recipe`, as they are drawn from seed 11, and return their file."""
    torch.manual_seed(11)
    torch.save(build_model(short_recipe().model, 4, 32).state_dict(), file)
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Those weights, for one test."""
    return draw_weights(tmp_path / "weights.pt")


@pytest.fixture(scope="module")
def undisturbed(shapes: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run from a file that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    recipe = start_from(short_recipe(), str(draw_weights(folder / "weights.pt")))
    return train.start(recipe, shapes, folder / "run", QUIET)


@pytest.fixture(scope="module")
def repacked(shapes: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """The images of `shapes`, packed at another size."""
    folder = tmp_path_factory.mktemp("repacked")
    source = make_tiny_imagenet(folder / "source", classes=4, train=16, val=5, test=2, size=32)
    found = pack(source, folder / "packed", size=16)
    assert found.fingerprint != shapes.fingerprint
    return found


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """More images of the classes of `shapes`."""
    folder = tmp_path_factory.mktemp("others")
    return pack(make_tiny_imagenet(folder / "source", classes=4, train=20, val=5, test=2, size=32), folder / "packed")


@pytest.fixture(scope="module")
def chosen_run(shapes: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run whose best weights val chose."""
    folder = tmp_path_factory.mktemp("chosen")
    return train.start(short_recipe(selected_on="val"), shapes, folder / "run", QUIET)


def test_a_run_starts_from_a_file_and_states_its_digest(out: Path, file: Path, shapes: PackedDataset) -> None:
    asked = start_from(short_recipe(), str(file))
    run = train.start(asked, shapes, out, QUIET)
    assert run.recipe().model.init == InitialWeights(str(file), sha256(file), pretrained=True)
    assert run.recipe().model.pretrained
    assert same_recipe(run.recipe(), asked)
    first = torch.load(run.weights_path("first"), weights_only=True)
    assert all(torch.equal(first[name], tensor) for name, tensor in torch.load(file, weights_only=True).items())
    torch.save({}, file)
    with pytest.raises(RecipeError, match="another file than the recipe's"):
        train.start(run.recipe(), shapes, out.with_name("again"), QUIET)


def test_a_run_starts_from_a_run(out: Path, shapes: PackedDataset, short_run: RunDirectory) -> None:
    run = train.start(start_from(short_recipe(), str(short_run.path)), shapes, out, QUIET)
    assert run.recipe().model.init is not None
    assert not run.recipe().model.pretrained
    first = torch.load(run.weights_path("first"), weights_only=True)
    last = torch.load(short_run.weights_path("last"), weights_only=True)
    assert all(torch.equal(first[name], last[name]) for name in last)
    # What starts from a pretrained run is pretrained too.
    stated = replace(run.recipe(), model=replace(run.recipe().model, init=InitialWeights("x.pt")))
    (out / "recipe.json").write_text(json.dumps(to_json(stated)))
    again = train.check_recipe(start_from(short_recipe(), str(out)), shapes)
    assert again.model.pretrained


def test_a_holdout_that_was_trained_on_is_not_kept_apart_again(
    out: Path, shapes: PackedDataset, tmp_path: Path
) -> None:
    without = Evaluation(splits=("val",), train_images=16)
    seen = train.start(short_recipe(train_on="all", evaluation=without), shapes, tmp_path / "seen", QUIET)
    linked = tmp_path / "linked.pt"
    linked.symlink_to(seen.weights_path("last"))
    for path in (seen.path, seen.weights_path("last"), linked):
        with pytest.raises(RecipeError, match=r"(seen|last\.pt|linked\.pt) was trained on the .*; use train_on='all'"):
            train.start(start_from(short_recipe(evaluation=without), str(path)), shapes, out, QUIET)
        assert not out.exists()
    further = short_recipe(train_on="all", evaluation=without)
    for path in (seen.path, seen.weights_path("last")):
        run = train.start(start_from(further, str(path)), shapes, tmp_path / f"from-{path.name}", QUIET)
        assert run.recipe().train_on == "all"


@pytest.mark.parametrize("as_file", [False, True])
def test_whether_a_run_has_seen_other_images_is_stated(
    shapes: PackedDataset, repacked: PackedDataset, others: PackedDataset, short_run: RunDirectory, *, as_file: bool
) -> None:
    path = str(short_run.weights_path("last") if as_file else short_run.path)
    own = InitialWeights(path, sha256(short_run.weights_path("last")), pretrained=False)
    asked = start_from(short_recipe(), path)
    assert begun(asked, shapes).model.init == own
    assert [begun(asked, data).model.init for data in (repacked, others)] == 2 * [replace(own, pretrained=True)]


def test_the_same_images_at_another_size_are_not_kept_apart_either(
    shapes: PackedDataset, repacked: PackedDataset, others: PackedDataset, tmp_path: Path
) -> None:
    without = Evaluation(splits=("val",), train_images=0)
    seen = train.start(short_recipe(train_on="all", evaluation=without), shapes, tmp_path / "seen", QUIET)
    asked = start_from(short_recipe(evaluation=without), str(seen.path))
    for counts in (repacked.counts, {"train": repacked.counts["train"]}):  # the latter is what trials of a search have
        with pytest.raises(RecipeError, match="was trained on images that have the names of the holdout's, and most"):
            begun(asked, replace(repacked, counts=counts))
    assert begun(asked, others).model.pretrained
    for split in ("holdout", "val"):  # as of a run that was not judged yet
        seen.predictions_path(split).unlink()
    for data in (repacked, others):
        with pytest.raises(RecipeError, match="most likely are the same"):
            begun(asked, data)


def test_what_chose_the_weights_is_stated_of_what_starts_from_them(
    out: Path, shapes: PackedDataset, others: PackedDataset, *, chosen_run: RunDirectory
) -> None:
    best = str(chosen_run.weights_path("best"))
    run = train.start(start_from(short_recipe(), best), shapes, out, QUIET)
    assert run.recipe().model.selected_on == ("val",)
    assert chosen_on(run.predictions("val").provenance) == ["val"]
    assert choosing_splits(run, "last") == choosing_splits(run, "first") == ["val"]
    again = begun(start_from(short_recipe(), str(run.path)), shapes)
    assert again.model.selected_on == ("val",)
    assert begun(start_from(short_recipe(), best), others).model.selected_on == ()
    assert begun(start_from(short_recipe(), str(chosen_run.path)), shapes).model.selected_on == ()


def test_weights_that_do_not_fit_leave_nothing_written(out: Path, file: Path, shapes: PackedDataset) -> None:
    wider = start_from(short_recipe(model=Model("small", {"width": 5})), str(file))
    with pytest.raises(RecipeError, match=r"0 missing; 0 unexpected; 16 of other shape \(0.weight .*, \.\.\.\)$"):
        train.start(wider, shapes, out, QUIET)
    unfinished = train.start(short_recipe(), shapes, out, QUIET)
    unfinished.write_status("running", 1, 2)
    with pytest.raises(RunError, match="is unfinished"):
        train.start(start_from(short_recipe(), str(out)), shapes, out.with_name("other"), QUIET)
    assert not out.with_name("other").exists()


@pytest.mark.parametrize("steps", [1, 5])
def test_resuming_needs_no_file(
    out: Path,
    file: Path,
    shapes: PackedDataset,
    *,
    undisturbed: RunDirectory,
    steps: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = start_from(short_recipe(), str(file))
    interrupt_after(steps, monkeypatch)
    with pytest.raises(train.Interrupted):
        train.start(recipe, shapes, out, NO_TIME_CHECKPOINTS)
    file.unlink()
    run = RunDirectory.open(out)
    if steps == 1:  # killed before its first checkpoint
        run.state_path.unlink()
    assert_same_results(train.resume(run, shapes, QUIET), undisturbed)


def test_a_study_knows_its_run_again(out: Path, file: Path, shapes: PackedDataset) -> None:
    asked = start_from(short_recipe(), str(file))
    run = train.start(asked, shapes, out.parent / "short", QUIET)
    assert state_of(PlannedRun("short", 0, asked, "short"), run.path.parent) == "complete"


def test_the_networks_own_preprocessing_is_stated_when_the_run_begins(out: Path, shapes: PackedDataset) -> None:
    asked = short_recipe(
        model=Model("timm/tf_efficientnet_lite0", weights="package", head=Head(hidden=4)),
        phases=(Phase(iterations(1), image_size=32, trainable="head"),),
        preprocessing="network",
        evaluation=Evaluation(train_images=0),
        channels_last=True,
    )
    run = train.start(asked, shapes, out, QUIET)
    stated = run.recipe()
    assert stated.preprocessing == "recipe"
    assert stated.normalization == Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert stated.interpolation == "bicubic"
    assert (stated.phases[0].image_size, stated.evaluation.image_size) == (32, 224)
    assert same_recipe(stated, asked)
    free = replace(asked, phases=(Phase(epochs(1)),))
    assert begun(free, shapes).phases[0].image_size == 224
    with pytest.raises(RecipeError, match="small starts from none"):
        train.start(short_recipe(preprocessing="network"), shapes, out.with_name("other"), QUIET)


def layered() -> Recipe:
    """The varied recipe with rates that fall from layer to layer, in timm's groups."""
    return replace(varied_recipe(), optimizer=replace(varied_recipe().optimizer, layer_decay=0.6))


def test_rates_fall_from_layer_to_layer(shapes: PackedDataset) -> None:
    recipe = short_recipe(optimizer=Optimizer("sgd", lr=0.4, layer_decay=0.5))
    trainer = trainer_of(recipe, shapes)
    assert trainer.enter(0) == 0.4
    assert trainer.state.optimizer is not None
    assert [group["lr"] for group in trainer.state.optimizer.param_groups] == [0.05, 0.1, 0.2, 0.4]
    before = [parameter.detach().clone() for parameter in trainer.state.model.parameters()]
    images, targets = trainer.batch(0)
    loss = trainer.loss(trainer.logits(images, 0), targets)
    gradients = torch.autograd.grad(loss, list(trainer.state.model.parameters()), retain_graph=True)
    trainer.update(loss)
    rates = [0.05] * 3 + [0.1] * 3 + [0.2] * 3 + [0.4] * 2
    for parameter, old, gradient, rate in zip(trainer.state.model.parameters(), before, gradients, rates, strict=True):
        torch.testing.assert_close(parameter.detach(), old - rate * gradient)


def test_rates_by_layer_of_a_network_without_head_are_refused_before_anything_is_written(
    out: Path, shapes: PackedDataset
) -> None:
    falling = Optimizer("sgd", lr=0.4, layer_decay=0.5)
    phases = (Phase(epochs(1)), Phase(epochs(1), optimizer=falling))
    with pytest.raises(RecipeError, match="SqueezeNet: the network has no fully connected layer"):
        train.start(short_recipe(model=Model("torchvision/squeezenet1_1"), phases=phases), shapes, out, QUIET)
    assert not out.exists()


@pytest.fixture(scope="module")
def undisturbed_layered(shapes: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run of that recipe that nothing disturbed."""
    return train.start(layered(), shapes, tmp_path_factory.mktemp("layered") / "run", QUIET)


@pytest.mark.parametrize("steps", [3, 6, 9])
def test_rates_by_layer_resume_exactly(
    out: Path,
    shapes: PackedDataset,
    undisturbed_layered: RunDirectory,
    steps: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupt_after(steps, monkeypatch)
    with pytest.raises(train.Interrupted):
        train.start(layered(), shapes, out, NO_TIME_CHECKPOINTS)
    assert_same_results(train.resume(RunDirectory.open(out), shapes, QUIET), undisturbed_layered)


def test_rates_by_layer_train_otherwise(out: Path, shapes: PackedDataset, undisturbed_layered: RunDirectory) -> None:
    plain = train.start(varied_recipe(), shapes, out, QUIET)
    last = [torch.load(run.weights_path("last"), weights_only=True) for run in (plain, undisturbed_layered)]
    assert not torch.equal(last[0]["fc.weight"], last[1]["fc.weight"])
