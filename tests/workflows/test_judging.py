"""Judging: stored predictions, the network again, and test-time views computed by hand."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, log_loss, top_k_accuracy_score
from torch.nn import functional

from tests.helpers import copy_of
from tests.shapes import class_ids, make_tiny_imagenet
from tests.workflows.runs import CLASSES, TEST, VAL
from thumbnet import metrics
from thumbnet.data import judged_subset
from thumbnet.ensemble import Over
from thumbnet.errors import DataError, PredictionError, RecipeError, RunError
from thumbnet.evaluate import predict_subset
from thumbnet.files import write_json
from thumbnet.packed import PackedDataset
from thumbnet.run import RunDirectory
from thumbnet.sources import pack
from thumbnet.views import find_views
from thumbnet.workflows.comparing import compare_sources
from thumbnet.workflows.judging import judge, load_network
from thumbnet.workflows.stored import (
    How,
    Source,
    evaluation,
    find_stored,
    require_labels,
    saw_in_training,
)

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """Other images of the same classes."""
    folder = tmp_path_factory.mktemp("other")
    source = make_tiny_imagenet(folder / "source", classes=CLASSES, train=8, val=2, test=1, size=32, seed=8)
    return pack(source, folder / "packed", size=32, threads=1)


def by_hand(run: RunDirectory, dataset: PackedDataset, views: list[torch.Tensor]) -> NDArray[np.float64]:
    """Mean probabilities of the views f[N,3,H,W] in [0, 1], by nothing but torch."""
    model = load_network(run, "last", CPU)
    scale = run.recipe().normalization
    mean, std = torch.tensor(scale.mean).view(3, 1, 1), torch.tensor(scale.std).view(3, 1, 1)
    with torch.no_grad():
        parts = [model((view - mean) / std).double().softmax(1) for view in views]
    found: NDArray[np.float64] = torch.stack(parts).mean(0).numpy()
    assert found.shape == (dataset.counts["val"], CLASSES)
    return found


def val_images(dataset: PackedDataset) -> torch.Tensor:
    return torch.from_numpy(dataset.split("val").images).permute(0, 3, 1, 2).float() / 255


def test_stored_predictions_equal_a_new_computation(run: RunDirectory, dataset: PackedDataset) -> None:
    stored = run.predictions("val")
    computed = judge(run, "val", data=dataset.path)
    np.testing.assert_allclose(computed.logits, stored.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(computed.labels, stored.labels)
    assert computed.image_ids == stored.image_ids == dataset.split("val").image_ids
    assert computed.classes == stored.classes == tuple(class_ids(CLASSES))
    assert computed.provenance == stored.provenance
    np.testing.assert_allclose(stored.probabilities(), by_hand(run, dataset, [val_images(dataset)]), atol=1e-5)


def test_figures_equal_scikit_learns(run: RunDirectory) -> None:
    # The first weights make mistakes, so that the figures are not all 0 and 1.
    predictions = judge(run, "val", How(weights="first"))
    scores, labels = predictions.scores(), predictions.labels
    probabilities = predictions.probabilities()
    every = np.arange(CLASSES)
    assert 0 < scores.top1 < 1
    assert scores.top1 == pytest.approx(accuracy_score(labels, predictions.logits.argmax(1)))
    assert scores.top5 == pytest.approx(top_k_accuracy_score(labels, predictions.logits, k=5, labels=every))
    assert scores.nll == pytest.approx(log_loss(labels, probabilities, labels=every), rel=1e-6)
    accuracy, counts = metrics.per_class_accuracy(predictions.logits, labels)
    assert counts.tolist() == [VAL] * CLASSES
    assert accuracy.mean() == pytest.approx(scores.top1)


def test_flip_is_the_mean_of_image_and_mirror(run: RunDirectory, dataset: PackedDataset) -> None:
    images = val_images(dataset)
    found = judge(run, "val", How(views="flip")).probabilities()
    np.testing.assert_allclose(found, by_hand(run, dataset, [images, images.flip(-1)]), atol=1e-5)


def test_ten_crop_is_the_mean_of_its_ten_views(run: RunDirectory, dataset: PackedDataset) -> None:
    images = val_images(dataset)
    side = images.shape[-1]
    crop = side * 56 // 64
    rest = side - crop
    views = [images]
    for top, left in ((0, 0), (0, rest), (rest, 0), (rest, rest)):
        corner = images[:, :, top : top + crop, left : left + crop]
        views.append(functional.interpolate(corner, size=(side, side), mode="bilinear", align_corners=False))
    views += [view.flip(-1) for view in views]
    assert len(views) == find_views("ten-crop").count == 10
    found = judge(run, "val", How(views="ten-crop")).probabilities()
    np.testing.assert_allclose(found, by_hand(run, dataset, views), atol=1e-5)


def crops_of(images: torch.Tensor, boxes: list[tuple[int, int, int]], size: int) -> list[torch.Tensor]:
    """Squares (top, left, side), each brought to `size` pixels at once, by nothing but torch."""
    crops = [images[:, :, top : top + side, left : left + side] for top, left, side in boxes]
    return [functional.interpolate(crop, size=(size, size), mode="bilinear", align_corners=False) for crop in crops]


def test_a_list_of_views_over_probabilities_and_logits(run: RunDirectory, dataset: PackedDataset) -> None:
    images = val_images(dataset)
    (middle,) = crops_of(images, [(4, 4, 24)], 32)
    views = [images, middle, middle.flip(-1)]
    found = judge(run, "val", How(views="full,center-48+flip"))
    np.testing.assert_allclose(found.probabilities(), by_hand(run, dataset, views), atol=1e-5)
    assert (found.provenance["views"], found.provenance["over"]) == ("full,center-48+flip", "probabilities")
    model, scale = load_network(run, "last", CPU), run.recipe().normalization
    mean, std = torch.tensor(scale.mean).view(3, 1, 1), torch.tensor(scale.std).view(3, 1, 1)
    with torch.no_grad():
        expected = torch.stack([model((view - mean) / std) for view in views]).numpy().mean(axis=0)
    over_logits = judge(run, "val", How(views="full,center-48+flip", over="logits"))
    np.testing.assert_allclose(over_logits.logits, expected, atol=1e-4)
    assert over_logits.provenance["over"] == "logits"
    assert np.abs(over_logits.logits - found.logits).max() > 0.01


def test_a_crop_goes_to_the_networks_size_in_one_resize(run: RunDirectory, dataset: PackedDataset) -> None:
    recipe = run.recipe()
    larger = replace(recipe, evaluation=replace(recipe.evaluation, image_size=48))
    model = load_network(run, "last", CPU)
    subset = judged_subset(dataset, "val", CPU)
    found = predict_subset(model, subset, larger, dataset, weights="last", views="corners-56").probabilities()
    boxes = [(top, left, 28) for top in (0, 4) for left in (0, 4)]
    np.testing.assert_allclose(found, by_hand(run, dataset, crops_of(val_images(dataset), boxes, 48)), atol=1e-5)


def test_what_is_averaged_over_views_must_be_known(run: RunDirectory) -> None:
    with pytest.raises(PredictionError, match="over 'logit' is unknown; did you mean logits"):
        judge(run, "val", How(views="flip", over=cast(Over, "logit")))


def test_the_recipes_views_are_stored_and_used(runs: list[RunDirectory], dataset: PackedDataset) -> None:
    for run in runs:
        assert run.result()["views"]["name"] == "flip"
        for split in ("holdout", "val", "test"):
            stored = run.predictions(split, views=True)
            computed = judge(run, split, How(views="flip"), data=dataset.path)
            np.testing.assert_allclose(stored.logits, computed.logits, atol=1e-4)
            assert stored.provenance == computed.provenance
            if split != "test":
                assert run.result()["views"]["scores"][split] == stored.scores().to_json()
    how = How(views="full,flip")
    found = find_stored(runs[0], "val", how)
    assert found is not None
    np.testing.assert_array_equal(found.logits, runs[0].predictions("val", views=True).logits)
    for other in (How(views="ten-crop"), How(views="flip", over="logits"), How(views="flip", weights="best")):
        assert find_stored(runs[0], "val", other) is None


def test_best_weights_and_holdout(run: RunDirectory, dataset: PackedDataset) -> None:
    best = run.result()["best"]
    predictions = judge(run, "holdout", How(weights="best"))
    assert predictions.scores().top1 == pytest.approx(best["top1"])
    assert set(predictions.image_ids) < set(dataset.split("train").image_ids)
    assert not saw_in_training(Source.open(run.path), predictions)
    assert saw_in_training(Source.open(run.path), replace(predictions, split="train"))


@pytest.mark.parametrize(("weights", "expected"), [("best", ["holdout"]), ("last", []), ("first", [])])
def test_weights_that_a_split_chose_say_so_there(
    run: RunDirectory, other: PackedDataset, weights: str, expected: list[str]
) -> None:
    source = Source.open(run.path)
    assert evaluation(source, judge(run, "holdout", How(weights=weights)))["selected_on"] == expected
    assert evaluation(source, judge(run, "holdout", How(weights=weights), data=other.path))["selected_on"] == []


def test_other_data_is_judged_only_where_it_is_named(
    run: RunDirectory, dataset: PackedDataset, other: PackedDataset, tmp_path: Path
) -> None:
    replaced = copy_of(run, tmp_path / "run")
    write_json(replaced.path / "data.json", run.data() | {"path": str(other.path)})
    with pytest.raises(DataError, match=r"other data than the run's \(its fingerprint differs\).*--data"):
        judge(replaced, "val", How(views="flip"))
    source = Source.open(replaced.path)
    for data, is_other in ((other, True), (dataset, False)):
        found = judge(replaced, "val", How(views="flip"), data=data.path)
        assert evaluation(source, found)["other_data"] is is_other
        of_train = evaluation(source, judge(replaced, "train", How(views="flip"), data=data.path))
        assert of_train["trained_on"] is not is_other
        compared = compare_sources([source, source], [found, judge(replaced, "val", data=data.path)])
        notes = [f"{replaced.path}: this is val of other data than the run's: the network may have trained on some"]
        assert [note.partition(" of its images")[0] for note in compared.notes] == notes * is_other


def test_other_data_is_judged_at_the_size_of_the_runs_own(run: RunDirectory, unpacked: Path, tmp_path: Path) -> None:
    larger = pack(unpacked, tmp_path / "larger", size=48, threads=1)
    recipe = run.recipe()
    assert recipe.judged_size(larger.image_size) == 48
    stated = replace(recipe, evaluation=replace(recipe.evaluation, image_size=32))
    subset = judged_subset(larger, "val", CPU)
    expected = predict_subset(load_network(run, "last", CPU), subset, stated, larger, weights="last")
    np.testing.assert_allclose(judge(run, "val", data=larger.path).logits, expected.logits, atol=1e-5)


def test_the_mode_of_the_network_is_its_last(run: RunDirectory) -> None:
    model = load_network(run, "last", CPU)
    assert not any(module.training for module in model.modules())


def test_splits_without_labels_are_not_scored(run: RunDirectory) -> None:
    predictions = judge(run, "test")
    assert len(predictions.image_ids) == CLASSES * TEST
    with pytest.raises(DataError, match="no labels"):
        require_labels(predictions)


def test_unknown_names(run: RunDirectory) -> None:
    with pytest.raises(RecipeError, match="did you mean ten-crop"):
        find_views("tencrop")
    with pytest.raises(RunError, match="missing or damaged"):
        run.predictions("elsewhere")
