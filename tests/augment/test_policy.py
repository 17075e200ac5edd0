"""Policies: operations by name become one function, checked when it is made."""

import pytest
import torch
from torch import Tensor

from thumbnet.augment import build_evaluation_policy, build_policy
from thumbnet.errors import RecipeError
from thumbnet.recipe import Operation, Policy, operation


@pytest.fixture
def images() -> Tensor:
    return torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(2))


LABELS = torch.tensor([0, 1, 2, 3, 4, 0])


def run(policy: Policy, images: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    return build_policy(policy, 5)(images, LABELS, torch.Generator().manual_seed(seed))


def test_an_empty_policy_changes_nothing(images: Tensor) -> None:
    same, targets = run((), images)
    assert torch.equal(same, images)
    assert torch.equal(targets, LABELS)


def test_operations_happen_in_order(images: Tensor) -> None:
    policy = (operation("horizontal_flip", p=1.0), operation("vertical_flip", p=1), operation("center_crop", crop=16))
    result, targets = run(policy, images)
    assert torch.equal(result, images.flip(2, 3))
    assert torch.equal(targets, LABELS)


def test_targets_become_probabilities_at_the_first_mixture(images: Tensor) -> None:
    policy = (operation("mixup", alpha=1.0), operation("horizontal_flip"), operation("cutmix"))
    result, targets = run(policy, images)
    assert result.shape == images.shape
    assert targets.shape == (6, 5)
    assert targets.dtype == torch.float32
    torch.testing.assert_close(targets.sum(1), torch.ones(6))
    again = run(policy, images)
    assert torch.equal(result, again[0])
    assert torch.equal(targets, again[1])


def test_mixed_precision_does_not_reach_the_images(images: Tensor) -> None:
    policy = (operation("gaussian_blur"), operation("rotation", degrees=10, interpolation="bilinear"))
    plain, _ = run(policy, images)
    with torch.autocast("cpu", torch.bfloat16):
        mixed, _ = run(policy, images)
    assert torch.equal(mixed, plain)


def test_options_may_come_from_json(images: Tensor) -> None:
    policy = (Operation("random_resized_crop", {"scale": [0.5, 1], "size": None}), Operation("random_erasing", {}))
    assert run(policy, images)[0].shape == images.shape


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (operation("horizontal_flop"), "did you mean horizontal_flip"),
        (operation("mixupp"), "did you mean mixup"),
        (operation("rotation"), "'degrees' is missing"),
        (operation("rotation", degree=10), "did you mean degrees"),
        (operation("rotation", degrees="ten"), "rotation.degrees"),
        (operation("rotation", degrees=10, interpolation="cubic"), "'nearest', 'bilinear'"),
        (operation("rotation", degrees=1000), "operation rotation.degrees: 1000.0 is not an angle"),
        (operation("gaussian_blur", kernel_size=6), "gaussian_blur.kernel_size: 6 is not an odd number"),
        (operation("mixup", alpha=0), "operation mixup.alpha"),
        (operation("cutmix", p=2), "operation cutmix.p"),
        (operation("random_erasing", fill="pink"), "operation random_erasing.fill"),
    ],
)
def test_mistakes_are_found_when_the_policy_is_built(bad: Operation, words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        build_policy((operation("horizontal_flip"), bad), 5)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_evaluation_policy_is_a_function_of_images(images: Tensor) -> None:
    apply = build_evaluation_policy((operation("center_crop", crop=14, size=14), operation("resize", size=8)))
    assert apply(images).shape == (6, 3, 8, 8)
    assert torch.equal(apply(images), apply(images))
    assert torch.equal(build_evaluation_policy(())(images), images)


@pytest.mark.parametrize("name", ["horizontal_flip", "mixup"])
def test_an_evaluation_policy_may_not_draw(name: str) -> None:
    with pytest.raises(RecipeError, match=f"{name!r} is random.*use only center_crop and resize"):
        build_evaluation_policy((operation(name),))


def test_an_evaluation_policy_refuses_unknown_names() -> None:
    with pytest.raises(RecipeError, match="did you mean resize"):
        build_evaluation_policy((operation("resise", size=8),))
