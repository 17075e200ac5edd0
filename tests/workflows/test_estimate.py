"""Expected times: what a recipe comes to in steps and judged images, and how a few timed batches are extrapolated."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers import QUIET, short_recipe, varied_recipe
from tests.shapes import make_tiny_imagenet
from tests.workflows.runs import CLASSES, TEST, VAL
from thumbnet.errors import DataError, RecipeError, StorageError
from thumbnet.features.cache import stored_features
from thumbnet.packed import PackedDataset, subset_indices
from thumbnet.recipe import Ema, Evaluation, Model, Phase, Policy, Recipe, epochs, iterations, operation
from thumbnet.recipes import RECIPES
from thumbnet.sources import pack
from thumbnet.train import start
from thumbnet.workflows.estimate import (
    TINY_IMAGENET,
    DataShape,
    batch_cost,
    estimate,
    extracted_images,
    full_epochs,
    judged_images,
    plan_for,
    shape_of,
)

SMALL = DataShape(train=64, holdout=8, val=20, test=8, image_size=32, classes=4)
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "steps", "epochs"),
    [
        ("mkrtchyan-m1", 20 * 782, 20),  # 100,000 images under each of two sets, batches of 256
        ("mkrtchyan-m1-set1", 20 * 391, 20),
        ("ma-finetune", 7 * 391, 7),
        ("ma-overfit-scratch", 100, 100),  # 100 images are one batch
        ("hansen-prelu", 60_000, 60_000 / 391),
        ("demo", 12 * 1407, 12),  # the holdout's 10,000 images are not trained on; batches of 64
    ],
)
def test_a_plan_counts_the_images_that_are_trained_on(name: str, steps: int, epochs: float) -> None:
    recipe = RECIPES[name]()
    assert plan_for(recipe, TINY_IMAGENET).total_steps == steps
    assert full_epochs(recipe, TINY_IMAGENET) == pytest.approx(epochs)
    tenth = replace(recipe, fraction=0.1)
    assert full_epochs(tenth, TINY_IMAGENET) == pytest.approx(epochs)
    assert plan_for(tenth, TINY_IMAGENET).total_steps == pytest.approx(steps / 10, abs=4)


def test_more_images_than_there_are_is_refused() -> None:
    recipe = replace(RECIPES["ma-overfit-scratch"](), train_count=65)
    with pytest.raises(RecipeError, match="train_count: 65 images where there are 64 to train on; lower it"):
        plan_for(recipe, SMALL)
    with pytest.raises(RecipeError, match="where there are 56 to train on"):
        plan_for(replace(recipe, train_on="fit"), SMALL)
    assert plan_for(replace(recipe, train_count=64), SMALL).total_steps == 100


@pytest.mark.parametrize(
    ("recipe", "shape", "expected"),
    [
        # Each of 20 evaluations judges val and 5,000 training images; holdout, val and test are judged at the end.
        (RECIPES["mkrtchyan-m1"](), TINY_IMAGENET, 20 * (10_000 + 5000) + 30_000),
        # Every two epochs and at the end of each of three phases: 2, 4, 6, 8; 10, 12, 13; 15, 17.
        (RECIPES["resnet18-64"](), TINY_IMAGENET, 9 * (10_000 + 2000) + 30_000),
        (RECIPES["ma-overfit-scratch"](), TINY_IMAGENET, 100 * 100 + 30_000),
        (short_recipe(), SMALL, 2 * (8 + 20 + 16) + 36),
        (short_recipe(evaluation=Evaluation(every=iterations(2), train_images=500)), SMALL, 4 * (20 + 56) + 36),
    ],
)
def test_judged_images_are_those_of_every_evaluation_and_of_the_end(
    recipe: Recipe, shape: DataShape, expected: int
) -> None:
    assert judged_images(recipe, plan_for(recipe, shape), shape) == expected


PLAIN, FLIP = ((),), ((operation("horizontal_flip"),),)


def _head(copies: int, policies: tuple[Policy, ...] = PLAIN, length: int = 5, **changes: Any) -> Phase:
    return Phase(epochs(length), policies=policies, trainable="head", cached_features=copies, **changes)


@pytest.mark.parametrize(
    ("phases", "extracted", "judged"),
    [
        # What is trained on unchanged judges train too; all splits are judged at the end of the last phase.
        ((_head(3),), [64 + 20 + 8], 0),
        ((_head(3, FLIP),), [3 * 64 + 64 + 20 + 8], 0),
        ((_head(3, FLIP, length=2),), [2 * 64 + 64 + 20 + 8], 0),
        ((_head(2, FLIP + PLAIN),), [2 * 64 + 64 + 20 + 8], 0),
        ((_head(1), _head(2, FLIP)), [64 + 20, 2 * 64 + 8], 0),
        ((_head(2), Phase(epochs(2))), [64 + 20, 0], 2 * (8 + 20 + 16) + 36),
        ((Phase(epochs(2)), _head(2)), [0, 64 + 20 + 8], 2 * (8 + 20 + 16)),
        ((_head(1, image_size=24), Phase(epochs(1), image_size=32)), [64 + 64 + 20, 0], 8 + 20 + 16 + 36),
    ],
)
def test_features_are_counted_once_and_judge_without_their_images(
    phases: tuple[Phase, ...], extracted: list[int], judged: int
) -> None:
    recipe = short_recipe(phases=phases)
    plan = plan_for(recipe, SMALL)
    assert extracted_images(recipe, plan, SMALL) == extracted
    assert judged_images(recipe, plan, SMALL) == judged


VAL_ALONE = Evaluation(splits=("val",), train_images=0)


@pytest.mark.parametrize(
    ("evaluation", "phases", "extracted"),
    [
        (VAL_ALONE, (_head(1, image_size=24), Phase(epochs(1), image_size=32)), [64 + 20, 0]),
        (VAL_ALONE, (_head(2, FLIP + PLAIN, 1), _head(3, FLIP)), [2 * 64 + 20, 2 * 64 + 8]),
        (Evaluation(splits=(), train_images=0), (_head(1, FLIP),), [64 + 64 + 20 + 8]),
    ],
)
def test_the_features_that_are_counted_are_those_that_training_computes(
    evaluation: Evaluation,
    phases: tuple[Phase, ...],
    extracted: list[int],
    shapes: PackedDataset,
    tmp_path: Path,
) -> None:
    recipe = short_recipe(model=Model("timm/test_resnet"), phases=phases, evaluation=evaluation)
    assert extracted_images(recipe, plan_for(recipe, SMALL), SMALL) == extracted
    start(recipe, shapes, tmp_path / "run", replace(QUIET, cache=tmp_path))
    stored = [one.description for one in stored_features(tmp_path / "features")]
    assert sum(one["shape"][0] for one in stored if one is not None) == sum(extracted)


def test_an_average_of_a_trained_body_is_judged_by_images() -> None:
    recipe = short_recipe(phases=(Phase(epochs(2)), _head(2)), ema=Ema(0.9))
    plan = plan_for(recipe, SMALL)
    assert extracted_images(recipe, plan, SMALL) == [0, 64]
    assert judged_images(recipe, plan, SMALL) == 7 * (8 + 20 + 16) + 36


def test_a_phase_on_features_is_expected_to_take_their_extraction_and_steps_of_the_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head = short_recipe(model=Model("timm/test_resnet"), phases=(_head(1, length=500),))
    plain = replace(head, phases=(replace(head.phases[0], cached_features=0),))
    real = estimate(head, CPU, SMALL, seconds=0.05)
    assert 0 < real.train_seconds < math.inf
    assert 0 < real.extraction_seconds < math.inf
    assert real.evaluation_seconds == 0
    assert real.seconds == real.train_seconds + real.extraction_seconds
    # On a made-up machine, where an image takes 1 ms in a step of the head and 20 ms in one of the network.
    module = "thumbnet.workflows.estimate"
    each = {0: 0.02, 1: 0.001}
    monkeypatch.setattr(f"{module}._step_seconds", lambda _, phase, size: each[phase.phase.cached_features] * size)
    monkeypatch.setattr(f"{module}._judge_seconds", lambda _, size: 0.005 * size)
    monkeypatch.setattr(f"{module}._extraction_seconds", lambda *_: 0.003)
    cached, uncached = estimate(head, CPU, SMALL), estimate(plain, CPU, SMALL)
    steps = 500 * 56
    assert (cached.extraction_seconds, uncached.extraction_seconds) == pytest.approx((0.003 * (64 + 20 + 8), 0))
    assert (cached.train_seconds, uncached.train_seconds) == pytest.approx((0.001 * steps, 0.02 * steps))
    judged = judged_images(plain, plan_for(plain, SMALL), SMALL)
    assert (cached.evaluation_seconds, uncached.evaluation_seconds) == pytest.approx((0, 0.005 * judged))


def test_the_shape_of_packed_data(dataset: PackedDataset, tmp_path: Path) -> None:
    shape = shape_of(dataset)
    assert shape.holdout == len(subset_indices(dataset.split("train"), "holdout")) > 0
    assert shape == DataShape(16 * CLASSES, shape.holdout, VAL * CLASSES, TEST * CLASSES, 32, CLASSES)
    bare = pack(make_tiny_imagenet(tmp_path / "bare", classes=2, train=3, val=1, test=1, size=16), tmp_path / "packed")
    without = replace(bare, counts={"train": 6})
    assert (shape_of(without).val, shape_of(without).test) == (0, 0)
    (tmp_path / "packed" / "train.images.npy").unlink()
    with pytest.raises(StorageError, match=r"train\.images\.npy: no such file"):
        shape_of(bare)
    with pytest.raises(DataError, match="train"):
        shape_of(replace(bare, counts={"val": 2}))


class Stopwatch:
    """Gives the seconds that a made-up machine takes for a batch, and notes what it was asked."""

    def __init__(self, fixed: float, each: float, first_is_slower: float = 1.0) -> None:
        self.fixed, self.each, self.slower = fixed, each, first_is_slower
        self.asked: list[int] = []

    def __call__(self, size: int) -> float:
        seconds = (self.fixed + self.each * size) * (self.slower if size not in self.asked[1:] else 1.0)
        self.asked.append(size)
        return seconds


@pytest.mark.parametrize("fixed", [0.0, 0.01, 5.0])
@pytest.mark.parametrize("budget", [0.0, 1.0, 1e9])
@pytest.mark.parametrize("largest", [5, 64, 100, 256, 4096])
def test_what_a_step_costs_at_any_size_is_not_multiplied_with_the_images(
    fixed: float, budget: float, largest: int
) -> None:
    cost = batch_cost(Stopwatch(fixed, 0.02), largest, budget)
    for size in (4, 4.5, 17, largest / 2, largest):
        expected = fixed + 0.02 * max(size, 4)
        assert cost(size) == pytest.approx(expected)


def test_sizes_are_measured_as_far_as_the_time_allows() -> None:
    patient, hurried = Stopwatch(0, 1e-9), Stopwatch(0, 100.0)
    batch_cost(patient, 256, 1e6)
    assert patient.asked == [4, *(size for size in (4, 16, 64, 256) for _ in range(2))]
    batch_cost(hurried, 256, 3.0)
    assert hurried.asked == [4, 4, 4, 16, 16]


def test_of_two_measurements_the_faster_counts() -> None:
    cost = batch_cost(Stopwatch(0.1, 0.02, first_is_slower=50), 64, 1e9)
    assert cost(64) == pytest.approx(0.1 + 0.02 * 64)
    assert cost(4) == pytest.approx(0.1 + 0.02 * 4)


@pytest.mark.parametrize("largest", [1, 2, 4])
def test_batches_of_few_images_have_one_size(largest: int) -> None:
    cost = batch_cost(Stopwatch(1.0, 0.5), largest, 1e9)
    assert cost(largest) == 1.0 + 0.5 * largest
    assert cost(4 * largest) >= cost(largest)


def test_noise_that_makes_larger_batches_faster_still_costs_more_for_more_images() -> None:
    cost = batch_cost(lambda size: 2.0 if size <= 16 else 1.0, 64, 1e9)
    assert cost(64) == 1.0
    assert cost(640) == pytest.approx(10.0)
    assert cost(16) > 0


@pytest.mark.parametrize(
    "recipe",
    [short_recipe(), varied_recipe(), short_recipe(model=Model("timm/test_resnet", weights="imagenet"), compile=True)],
    ids=["short", "two phases, three policies, dropout", "pretrained, compiled"],
)
def test_an_estimate_is_made_of_real_steps_and_leaves_no_trace(recipe: Recipe) -> None:
    before = torch.get_rng_state()
    found = estimate(recipe, CPU, SMALL, seconds=0.05)
    assert 0 < found.train_seconds < math.inf
    assert 0 < found.evaluation_seconds < math.inf
    assert found.seconds == found.train_seconds + found.evaluation_seconds
    np.testing.assert_array_equal(torch.get_rng_state(), before)


def test_a_recipe_that_does_not_fit_the_data_is_refused_before_any_step() -> None:
    cropped = RECIPES["mkrtchyan-m1"]()
    with pytest.raises(RecipeError, match="center_crop"):
        estimate(cropped, CPU, SMALL)
