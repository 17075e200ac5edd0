"""Soups: the average of weights, statistics of batch norm, greedy choice, and what has no average."""

import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers import QUIET, copy_of
from tests.shapes import make_tiny_imagenet
from tests.stopping import in_a_process, send_at
from tests.workflows.runs import shapes_recipe
from thumbnet.data import judged_subset
from thumbnet.errors import DataError, RunError, StorageError
from thumbnet.evaluate import Preprocessing
from thumbnet.files import read_json, write_json
from thumbnet.models import head_of
from thumbnet.packed import PackedDataset, subset_indices
from thumbnet.run import RunDirectory
from thumbnet.sources import pack
from thumbnet.train import start
from thumbnet.workflows.ensembling.averaged import average_tensors, norm_batches
from thumbnet.workflows.ensembling.souping import Ingredient, find_ingredients, make_soup
from thumbnet.workflows.judging import judge, load_network
from thumbnet.workflows.recording import make_record
from thumbnet.workflows.stored import How, Source, evaluation

CPU = torch.device("cpu")


def weights_of(run: RunDirectory, tag: str = "last") -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(run.weights_path(tag), weights_only=True)
    return found


def norms_of(run: RunDirectory) -> dict[str, torch.nn.BatchNorm2d]:
    modules = load_network(run, "last", CPU).named_modules()
    return {name: module for name, module in modules if isinstance(module, torch.nn.BatchNorm2d)}


def test_the_soup_of_equal_runs_is_the_run(run: RunDirectory, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    soup = make_soup(find_ingredients([run.path, copy.path]), tmp_path / "soup")
    expected, found = weights_of(run), weights_of(soup)
    assert expected.keys() == found.keys()
    for name, one in expected.items():
        assert torch.equal(found[name], one), name
    assert (soup.result()["soup"]["batch_norms"], soup.result()["soup"]["batch_norm_images"]) == (0, 0)
    for split in ("holdout", "val", "test"):
        np.testing.assert_allclose(soup.predictions(split).logits, run.predictions(split).logits, rtol=1e-4, atol=1e-5)
    assert soup.result()["scores"] == run.result()["scores"]


def test_weights_are_averaged_and_norms_follow_training_images(
    runs: list[RunDirectory], dataset: PackedDataset, tmp_path: Path
) -> None:
    soup = make_soup(find_ingredients([run.path for run in runs]), tmp_path / "soup", command="thumbnet soup x")
    found, parts = weights_of(soup), [weights_of(run) for run in runs]
    norms = norms_of(soup)
    assert norms
    statistics = {
        f"{name}.{kind}" for name in norms for kind in ("running_mean", "running_var", "num_batches_tracked")
    }
    for name in found.keys() - statistics:
        expected = torch.stack([part[name] for part in parts]).mean(0)
        torch.testing.assert_close(found[name], expected)
    about = soup.result()["soup"]
    images = dataset.split("train").images[subset_indices(dataset.split("train"), "fit")]
    assert (about["batch_norms"], about["batch_norm_images"]) == (len(norms), len(images))

    # The first norm sees the first convolution's outputs: all training images in one batch here.
    seen = Preprocessing.of(soup.recipe(), dataset.image_size).finish(
        torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    )
    model = load_network(soup, "last", CPU)
    inputs: list[torch.Tensor] = []
    first = next(module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d))
    first.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    with torch.no_grad():
        model(seen)
    assert first.running_mean is not None
    assert first.running_var is not None
    torch.testing.assert_close(first.running_mean, inputs[0].mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(first.running_var, inputs[0].var((0, 2, 3)), rtol=1e-3, atol=1e-4)


def test_batches_that_judge_do_not_change_a_soup(runs: list[RunDirectory], tmp_path: Path) -> None:
    soup = make_soup(find_ingredients([run.path for run in runs[:2]]), tmp_path / "soup")
    images = soup.result()["soup"]["batch_norm_images"]
    for size in (images - 1, images // 2 + 1):
        copies = [copy_of(run, tmp_path / f"{place}-{size}") for place, run in enumerate(runs[:2])]
        for copy in copies:
            recipe = read_json(copy.recipe_path)
            write_json(copy.recipe_path, {**recipe, "evaluation": {**recipe["evaluation"], "batch_size": size}})
        other = make_soup(find_ingredients([copy.path for copy in copies]), tmp_path / f"soup-{size}")
        assert other.recipe().evaluation.batch_size == size
        assert all(torch.equal(weights_of(other)[name], one) for name, one in weights_of(soup).items())


@pytest.mark.parametrize("images", [2, 127, 129, 255, 257, 4095, 4096, 4097])
def test_norms_see_batches_of_one_length(images: int) -> None:
    positions = torch.arange(images)
    batches = norm_batches(positions)
    assert torch.equal(torch.cat(list(batches)), positions)
    lengths = [len(batch) for batch in batches]
    assert max(lengths) - min(lengths) <= 1
    assert min(images, 128) <= min(lengths)
    assert max(lengths) < 256


def test_a_soup_is_a_run_that_can_be_judged(runs: list[RunDirectory], dataset: PackedDataset, tmp_path: Path) -> None:
    soup = make_soup(find_ingredients([run.path for run in runs[:2]]), tmp_path / "soup")
    again = RunDirectory.open(tmp_path / "soup")
    assert again.is_complete
    assert again.recipe().name == "shapes-soup"
    computed = judge(again, "val", data=dataset.path)
    stored = soup.predictions("val")
    np.testing.assert_allclose(computed.logits, stored.logits, rtol=1e-4, atol=1e-5)
    assert stored.provenance["soup"] == [str(run.path) for run in runs[:2]]
    assert judge(again, "val", How(views="flip")).scores().images == stored.scores().images
    with pytest.raises(RunError, match="a soup, which no recipe trains, so it has no record"):
        make_record(again)


def test_snapshots_are_ingredients(runs: list[RunDirectory], tmp_path: Path) -> None:
    found = find_ingredients([runs[0].path], of="snapshots")
    assert [one.tag for one in found] == [one.tag for one in runs[0].snapshots()]
    soup = make_soup(found, tmp_path / "soup")
    name = next(name for name in weights_of(soup) if name.endswith("weight"))
    expected = torch.stack([weights_of(runs[0], one.tag)[name] for one in found]).mean(0)
    torch.testing.assert_close(weights_of(soup)[name], expected)
    assert soup.result()["soup"]["members"] == [f"{runs[0].path}:{one.tag}" for one in found]


def test_kept_epochs_are_ingredients(runs: list[RunDirectory], tmp_path: Path) -> None:
    found = find_ingredients([run.path for run in runs[:2]], of="kept")
    assert [(one.run, one.tag) for one in found] == [
        (run, tag) for run in runs[:2] for tag in ("epoch-0002", "epoch-0003")
    ]
    soup = make_soup(found, tmp_path / "soup")
    assert soup.result()["soup"]["members"] == [one.name for one in found]
    assert soup.result()["soup"]["ingredients_selected_on"] == []
    with pytest.raises(RunError, match="weights 'best' of runs of which all kept are asked for"):
        find_ingredients([runs[0].path], weights="best", of="kept")


def test_a_soup_states_what_chose_its_ingredients(runs: list[RunDirectory], tmp_path: Path) -> None:
    soup = make_soup(find_ingredients([runs[0].path], of="snapshots"), tmp_path / "soup")
    assert (soup.result()["soup"]["selected_on"], soup.result()["soup"]["ingredients_selected_on"]) == (
        "none",
        ["holdout"],
    )
    source = Source.open(soup.path)
    for found in (soup.predictions("val"), judge(soup, "val"), judge(soup, "holdout", How(views="flip"))):
        assert evaluation(source, found)["selected_on"] == ["holdout"]
    again = make_soup(find_ingredients([soup.path, runs[1].path]), tmp_path / "again")
    assert again.result()["soup"]["ingredients_selected_on"] == ["holdout"]
    greedy = make_soup(find_ingredients([run.path for run in runs]), tmp_path / "greedy", select=True)
    assert greedy.result()["soup"]["ingredients_selected_on"] == []
    assert evaluation(Source.open(greedy.path), judge(greedy, "val"))["selected_on"] == ["holdout"]


def test_the_greedy_soup_is_no_worse_than_its_best_on_the_holdout(runs: list[RunDirectory], tmp_path: Path) -> None:
    # Weights that turn every average with them around, so that they must be left out.
    spoiled = copy_of(runs[0], tmp_path / "spoiled")
    tensors = {name: -10 * one if one.ndim > 1 else one for name, one in weights_of(runs[0]).items()}
    torch.save(tensors, spoiled.weights_path("last"))
    paths = [run.path for run in [*runs, spoiled]]
    soup = make_soup(find_ingredients(paths), tmp_path / "uniform")
    chosen = make_soup(find_ingredients(paths), tmp_path / "greedy", select=True)
    best = max(run.predictions("holdout").scores().top1 for run in runs)
    assert chosen.predictions("holdout").scores().top1 >= best
    assert str(spoiled.path) in chosen.result()["soup"]["left_out"]
    assert chosen.result()["soup"]["selected_on"] == "holdout"
    assert soup.result()["soup"]["left_out"] == []


def test_a_soup_has_seen_what_its_chosen_ingredients_have(runs: list[RunDirectory], tmp_path: Path) -> None:
    scratch, pretrained, final = (copy_of(run, tmp_path / name) for run, name in zip(runs, "spf", strict=True))
    recipe = read_json(pretrained.recipe_path)
    write_json(pretrained.recipe_path, {**recipe, "model": {**recipe["model"], "init": {"path": "weights.pt"}}})
    evaluated = {**recipe["evaluation"], "splits": ["val"]}
    checkpoints = {**recipe["checkpointing"], "snapshots": 0}
    seen = {"train_on": "all", "selected_on": "none", "evaluation": evaluated, "checkpointing": checkpoints}
    write_json(final.recipe_path, {**read_json(final.recipe_path), **seen})
    uniform = make_soup(find_ingredients([scratch.path, pretrained.path, final.path]), tmp_path / "uniform").recipe()
    assert (uniform.model.pretrained, uniform.train_on) == (True, "all")
    # The one or the other is spoiled, so that it is left out.
    for spoiled, other in ((scratch, pretrained), (pretrained, scratch)):
        weights = weights_of(spoiled)
        turned = {name: -10 * one if one.ndim > 1 else one for name, one in weights.items()}
        torch.save(turned, spoiled.weights_path("last"))
        soup = make_soup(find_ingredients([spoiled.path, other.path]), other.path / "greedy", select=True)
        torch.save(weights, spoiled.weights_path("last"))
        assert soup.result()["soup"]["members"] == [str(other.path)]
        assert soup.recipe().model == other.recipe().model
        assert soup.recipe().optimizer == other.recipe().optimizer


@pytest.mark.parametrize("dropped_first", [False, True])
def test_heads_with_and_without_dropout_are_averaged(
    runs: list[RunDirectory], tmp_path: Path, *, dropped_first: bool
) -> None:
    dropped, weights = copy_of(runs[1], tmp_path / "dropped"), weights_of(runs[1])
    recipe = read_json(dropped.recipe_path)
    model = {**recipe["model"], "head": {**recipe["model"]["head"], "dropout": 0.2}}
    write_json(dropped.recipe_path, {**recipe, "model": model})
    head, _ = head_of(load_network(runs[1], "last", CPU))
    renamed = {name.replace(f"{head}.", f"{head}.1."): one for name, one in weights.items()}
    assert renamed.keys() != weights.keys()
    torch.save(renamed, dropped.weights_path("last"))
    pair = [dropped, runs[0]] if dropped_first else [runs[0], dropped]
    soup = make_soup(find_ingredients([run.path for run in pair]), tmp_path / "soup")
    expected = make_soup(find_ingredients([run.path for run in runs[:2]]), tmp_path / "expected")
    assert soup.recipe().model.head.dropout == (0.2 if dropped_first else 0.0)
    for split in ("holdout", "val"):
        np.testing.assert_allclose(
            soup.predictions(split).logits, expected.predictions(split).logits, rtol=1e-4, atol=1e-5
        )
    found, wanted = (load_network(one, "last", CPU).state_dict().values() for one in (soup, expected))
    assert all(torch.allclose(one, other) for one, other in zip(found, wanted, strict=True))


def test_other_data_of_the_same_classes_is_refused(
    runs: list[RunDirectory], dataset: PackedDataset, tmp_path: Path
) -> None:
    source = make_tiny_imagenet(tmp_path / "source", classes=6, train=16, val=4, test=3, size=32, seed=8)
    other = pack(source, tmp_path / "other", size=32, threads=1)
    ingredients = find_ingredients([run.path for run in runs[:2]])
    with pytest.raises(DataError, match=r"other: other data than the run's \(its fingerprint differs\)"):
        make_soup(ingredients, tmp_path / "soup", data=other.path)
    assert not (tmp_path / "soup").exists()
    moved = shutil.copytree(dataset.path, tmp_path / "moved")
    assert make_soup(ingredients, tmp_path / "soup", data=moved).data() == runs[0].data()


def test_means_are_computed_in_double_and_counters_stay() -> None:
    one = {"w": torch.tensor([1.0, 1e8]), "n": torch.tensor(3)}
    two = {"w": torch.tensor([2.0, 1.0]), "n": torch.tensor(5)}
    found = average_tensors([one, two, two])
    expected = torch.tensor([5 / 3, (1e8 + 2) / 3], dtype=torch.float64).float()
    assert torch.equal(found["w"], expected)
    assert (found["n"].item(), found["w"].dtype) == (3, torch.float32)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": '{"name": "m1"}'}, "a different network"),
        ({"normalization.mean": "[0.1, 0.1, 0.1]"}, "a different preprocessing"),
        ({"evaluation.image_size": "24"}, "a different preprocessing"),
    ],
)
def test_networks_that_differ_have_no_average(
    settings: dict[str, str], message: str, runs: list[RunDirectory], dataset: PackedDataset, tmp_path: Path
) -> None:
    other = start(shapes_recipe(**{"phases.0.length": "1 iterations"}, **settings), dataset, tmp_path / "other", QUIET)
    with pytest.raises(RunError, match=f"{message}, so their weights have no average"):
        make_soup(find_ingredients([runs[0].path, other.path]), tmp_path / "soup")
    assert not (tmp_path / "soup").exists()


def test_a_soup_that_is_killed_while_it_is_written_leaves_no_run(runs: list[RunDirectory], tmp_path: Path) -> None:
    folder = tmp_path / "soups"
    folder.mkdir()
    assert in_a_process(make_until_killed, [run.path for run in runs], folder / "soup") == -signal.SIGKILL
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == []
    assert make_soup(find_ingredients([run.path for run in runs]), folder / "soup").is_complete
    assert [path.name for path in folder.iterdir()] == ["soup"]


def make_until_killed(paths: list[Path], out: Path) -> None:
    """Make a soup, and kill this process where it begins to write the result."""
    send_at(out.parent, 1, mark="result.json")
    make_soup(find_ingredients(paths), out)


def test_what_cannot_be_averaged_is_refused(runs: list[RunDirectory], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="a run is given twice"):
        find_ingredients([runs[0].path, runs[0].path])
    with pytest.raises(RunError, match="one network alone has no average"):
        find_ingredients([runs[0].path])
    other = copy_of(runs[0], tmp_path / "copy")
    tensors = weights_of(other)
    tensors.pop(next(name for name in tensors if name.endswith("weight")))
    torch.save(tensors, other.weights_path("last"))
    pair = [Ingredient(runs[0], "last"), Ingredient(other, "last")]
    with pytest.raises(RunError, match=r"differ in 1 of their tensors, such as '.*weight'"):
        make_soup(pair, tmp_path / "soup")
    (tmp_path / "link").symlink_to(tmp_path / "none")
    for taken in (other.path, tmp_path / "link"):
        with pytest.raises(StorageError, match="exists already"):
            make_soup(pair, taken)
    other.keep_snapshots([])
    with pytest.raises(RunError, match="it kept no snapshots"):
        find_ingredients([other.path], of="snapshots")


def test_who_trained_on_the_holdout_chooses_nothing_and_has_no_score_there(
    dataset: PackedDataset, tmp_path: Path
) -> None:
    more = {"selected_on": "none", "evaluation.splits": '["val"]', "phases.0.length": "1 epochs"}
    one = start(shapes_recipe(**more), dataset, tmp_path / "fit", QUIET)
    two = start(shapes_recipe(train_on="all", **more), dataset, tmp_path / "all", QUIET)
    pair = find_ingredients([one.path, two.path])
    with pytest.raises(RunError, match="all: trained on the holdout, so nothing can be chosen there"):
        make_soup(pair, tmp_path / "soup", select=True)
    soup = make_soup(pair, tmp_path / "soup")
    assert soup.result()["scores"].keys() == {"val"}
    assert soup.predictions("holdout").provenance["train_on"] == "all"
    assert len(judged_subset(dataset, "holdout", CPU).positions) == len(soup.predictions("holdout").labels)


def test_nothing_is_left_of_a_soup_that_cannot_be_written(
    runs: list[RunDirectory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(RunDirectory, "write_result", full)
    with pytest.raises(StorageError, match="full"):
        make_soup(find_ingredients([run.path for run in runs]), tmp_path / "soup")
    assert not (tmp_path / "soup").exists()
