"""Batches: each image once under each policy, the same ones whenever they are asked for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers import short_recipe
from thumbnet.augment import Augmentation, build_policy
from thumbnet.data import Batches, ImageSet, balanced_selection, judged_subset, place, training_subsets
from thumbnet.errors import DataError, RecipeError
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Evaluation, operation

CPU = torch.device("cpu")


def numbered(count: int, side: int = 4) -> ImageSet:
    """Images whose every pixel is the image's number, and whose label is the number modulo 3."""
    images = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, side, side, 3).contiguous()
    return ImageSet(images, torch.arange(count) % 3, CPU)


def marking(policy: int) -> Augmentation:
    """A policy that adds its number to the pixels, in units that no image has."""
    return Augmentation((lambda images, targets, _: (images + policy, targets),))


def batches(positions: Sequence[int], policies: Sequence[Augmentation], size: int, **changes: int) -> Batches:
    settings: dict[str, Any] = {"image_size": 4, "seed": 5, "phase": 0} | changes
    return Batches(numbered(40), torch.tensor(positions), policies, size, **settings)


def pairs_of(images: Tensor) -> list[tuple[int, int]]:
    """Return the number and the policy of each image of `numbered` that `marking` marked."""
    values = images[:, 0, 0, 0]
    return [(round((value % 1) * 255), int(value)) for value in values.tolist()]


def epoch(source: Batches, number: int) -> list[tuple[int, int]]:
    count = -(-source.images_per_epoch // source.batch_size)
    return [pair for index in range(count) for pair in pairs_of(source.batch(number, index)[0])]


@pytest.mark.parametrize("policies", [1, 2, 3])
@pytest.mark.parametrize("size", [4, 7, 100])
def test_an_epoch_is_every_image_once_under_every_policy(policies: int, size: int) -> None:
    positions = [3, 5, 8, 13, 21, 34, 2]
    source = batches(positions, [marking(policy) for policy in range(policies)], size)
    seen = epoch(source, 0)
    assert source.images_per_epoch == len(seen) == len(positions) * policies
    assert sorted(seen) == sorted((position, policy) for position in positions for policy in range(policies))


def test_the_short_last_batch_is_kept() -> None:
    source = batches(range(10), [marking(0)], 4)
    assert [len(source.batch(0, index)[1]) for index in range(3)] == [4, 4, 2]


def test_labels_stay_with_their_images() -> None:
    source = batches(range(30), [marking(0), marking(1)], 8)
    images, labels = source.batch(2, 1)
    assert labels.tolist() == [number % 3 for number, _ in pairs_of(images)]


def test_epochs_phases_and_seeds_have_orders_of_their_own() -> None:
    positions = range(30)
    orders = [epoch(batches(positions, [marking(0)], 30), number) for number in (0, 1)]
    orders += [epoch(batches(positions, [marking(0)], 30, **change), 0) for change in ({"phase": 1}, {"seed": 6})]
    assert len({str(order) for order in orders}) == 4


def test_a_batch_depends_only_on_its_place() -> None:
    policy = build_policy((operation("translate_crop", padding=2), operation("brightness", amount=0.5)), 3)
    expected = [batches(range(30), [policy], 8).batch(e, i)[0] for e in (0, 1) for i in (0, 1, 2)]
    source = batches(range(30), [policy], 8)
    torch.manual_seed(99)
    found = {(e, i): source.batch(e, i)[0] for e, i in [(1, 2), (0, 1), (1, 0), (0, 2), (0, 0), (1, 1), (0, 1)]}
    for one, (place_, images) in zip(expected, sorted(found.items()), strict=True):
        torch.testing.assert_close(images, one, rtol=0, atol=0, msg=str(place_))
    assert not torch.equal(expected[0], expected[1])


def test_policies_mix_within_a_batch() -> None:
    source = batches(range(30), [marking(0), marking(1)], 20)
    assert all({policy for _, policy in pairs_of(source.batch(0, index)[0])} == {0, 1} for index in range(3))


def test_hard_and_soft_targets_mix() -> None:
    soft = build_policy((operation("mixup", alpha=1.0),), 3)
    source = batches(range(12), [marking(0), soft], 12)
    images, targets = source.batch(0, 0)
    assert targets.shape == (12, 3)
    assert targets.dtype == torch.float32
    torch.testing.assert_close(targets.sum(1), torch.ones(12))
    # The first part of the batch is the first policy's: plain labels, so one-hot.
    hard = int((targets.max(1).values == 1).cumprod(0).sum())
    assert hard >= 1
    assert targets[:hard].argmax(1).tolist() == [number % 3 for number, _ in pairs_of(images)[:hard]]
    assert (targets[hard:].max(1).values < 1).any()


def test_images_take_the_size_of_the_phase() -> None:
    images, _ = batches(range(10), [marking(0)], 5, image_size=9).batch(0, 0)
    assert images.shape == (5, 3, 9, 9)


def test_taken_images_are_the_packed_pixels(shapes: PackedDataset) -> None:
    split = shapes.split("train")
    images, labels = place(split, CPU).take(torch.tensor([5, 0, 63]))
    expected = split.images[[5, 0, 63]].transpose(0, 3, 1, 2).astype(np.float32) / 255
    np.testing.assert_allclose(images.numpy(), expected, rtol=1e-6)
    assert images.is_contiguous()
    assert labels.tolist() == split.labels[[5, 0, 63]].tolist()


def test_a_balanced_selection_takes_the_same_of_each_class() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2])
    candidates = np.array([1, 2, 3, 4, 5, 6, 7, 8, 11])
    assert balanced_selection(labels, candidates, 6).tolist() == [1, 2, 4, 5, 7, 8]
    assert balanced_selection(labels, candidates, 4).tolist() == [1, 2, 4, 5, 7, 8]
    assert balanced_selection(labels, candidates, 9).tolist() == candidates.tolist()
    assert balanced_selection(labels, candidates, 99).tolist() == candidates.tolist()


def test_fit_and_holdout_make_the_whole(shapes: PackedDataset) -> None:
    fit = training_subsets(shapes, CPU, short_recipe())
    train, holdout = set(fit["train"].positions.tolist()), set(fit["holdout"].positions.tolist())
    assert not train & holdout
    assert train | holdout == set(range(64))
    assert len(holdout) == 8
    assert set(fit["train_eval"].positions.tolist()) <= train
    assert torch.bincount(fit["train_eval"].labels).tolist() == [4, 4, 4, 4]
    whole = short_recipe(train_on="all", evaluation=Evaluation(train_images=0))
    every = training_subsets(shapes, CPU, whole)
    assert every["train"].positions.tolist() == list(range(64))
    assert "train_eval" not in every


def test_a_limited_recipe_trains_on_so_many_images_drawn_by_its_seed(shapes: PackedDataset) -> None:
    def drawn(seed: int) -> list[int]:
        subsets = training_subsets(shapes, CPU, short_recipe(train_count=10, seed=seed))
        assert set(subsets["train_eval"].positions.tolist()) <= set(subsets["train"].positions.tolist())
        return subsets["train"].positions.tolist()

    assert len(set(drawn(0))) == 10
    assert drawn(0) == drawn(0) == sorted(drawn(0))
    assert drawn(0) != drawn(1)
    with pytest.raises(RecipeError, match="57 images where there are 56"):
        training_subsets(shapes, CPU, short_recipe(train_count=57))


def test_a_judged_subset_names_its_images(shapes: PackedDataset) -> None:
    holdout = judged_subset(shapes, "holdout", CPU)
    split = shapes.split("train")
    assert holdout.image_ids == tuple(split.image_ids[i] for i in holdout.positions.tolist())
    assert holdout.labels.tolist() == split.labels[holdout.positions.numpy()].tolist()
    test = judged_subset(shapes, "test", CPU)
    assert len(test.image_ids) == len(test.positions) == 8
    with pytest.raises(DataError, match="no split named 'vall'; did you mean val"):
        judged_subset(shapes, "vall", CPU)
