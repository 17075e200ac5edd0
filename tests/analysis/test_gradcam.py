"""Grad-CAM against a computation by hand, and the choice of its layer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from thumbnet.analysis import Subject, find_maps
from thumbnet.analysis.gradcam import ERRORS, RIGHT, grad_cam, map_layer, seen_box, shown_images
from thumbnet.errors import RecipeError
from thumbnet.models import build_model
from thumbnet.recipe import Evaluation, Model, operation


def network(name: str, size: int, **options: object) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return build_model(Model(name, options), 5, size).eval()


def image(size: int, count: int = 1) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(
    ("name", "size", "layer", "channels", "side"),
    [
        ("small", 32, "11", 64, 4),
        ("m1", 64, "8", 32, 8),
        ("resnet18", 64, "layer4", 512, 2),
        ("hansen-alexnet", 60, "0.13", 256, 3),
        ("milani-inception", 64, "11", 768, 4),
        ("timm/test_resnet", 64, "layer4", 96, 2),
        ("timm/test_efficientnet", 64, "bn2", 256, 2),
    ],
)
def test_layer_of_each_architecture(name: str, size: int, layer: str, channels: int, side: int) -> None:
    found = map_layer(network(name, size), image(size))
    assert (found.name, found.channels, found.side) == (layer, channels, side)
    assert (found.note is not None) == (side <= 3)


def test_coarse_maps_are_said_to_be() -> None:
    note = map_layer(network("resnet18", 64), image(64)).note
    assert note is not None
    assert "2x2 places" in note


def test_networks_of_attention_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"Grad-CAM: \d+ layers with weights follow the last feature map"):
        map_layer(network("timm/test_vit", 160), image(160))


def test_a_network_without_feature_maps_is_refused() -> None:
    with pytest.raises(RecipeError, match="has no feature map of more than one pixel"):
        map_layer(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), image(2))


def by_hand(features: nn.Module, head: nn.Module, inputs: Tensor, classes: Tensor) -> Tensor:
    """Grad-CAM of a network that is cut in two, one image at a time."""
    maps = []
    for one, label in zip(inputs, classes, strict=True):
        activation = features(one[None]).detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(head(activation)[0, int(label)], activation)
        total = torch.zeros(activation.shape[2:])
        for channel in range(activation.shape[1]):
            total += gradient[0, channel].mean() * activation[0, channel].detach()
        maps.append(total.clamp(min=0))
    return torch.stack(maps)


def test_maps_are_those_by_hand() -> None:
    model = network("small", 32)
    assert isinstance(model, nn.Sequential)
    inputs, classes = image(32, 4), torch.tensor([0, 4, 2, 2])
    expected = by_hand(model[:12], model[12:], inputs, classes)
    found = grad_cam(model, "11", inputs, classes)
    assert float(expected.amax()) > 0
    torch.testing.assert_close(found, expected)


def test_work_in_place_behind_the_layer_counts() -> None:
    """The map is of the batch norm's output after the ReLU that changes it in place."""
    model = network("small", 32)
    assert isinstance(model, nn.Sequential)
    inputs, classes = image(32, 2), torch.tensor([1, 3])
    expected = by_hand(model[:11], model[11:], inputs, classes)
    torch.testing.assert_close(grad_cam(model, "9", inputs, classes), expected)


def test_frozen_layers_change_nothing() -> None:
    model = network("small", 32)
    inputs, classes = image(32, 2), torch.tensor([1, 3])
    expected = grad_cam(model, "11", inputs, classes)
    model.requires_grad_(False)
    with torch.no_grad():
        torch.testing.assert_close(grad_cam(model, "11", inputs, classes), expected)


def test_shown_are_the_worst_errors_and_some_right_ones() -> None:
    random = np.random.default_rng(0)
    logits, labels = torch.from_numpy(random.normal(size=(900, 3))), torch.from_numpy(random.integers(0, 3, 900))
    rows = shown_images(logits, labels)
    loss = (logits.logsumexp(1) - logits.gather(1, labels[:, None])[:, 0]).numpy()
    wrong = logits.argmax(1).ne(labels).numpy()
    expected = sorted(np.flatnonzero(wrong), key=lambda row: -loss[row])[:ERRORS]
    assert rows[:ERRORS].tolist() == expected
    right = rows[ERRORS:].numpy()
    assert len(set(right.tolist())) == RIGHT
    assert not wrong[right].any()
    assert (np.diff(loss[right]) > 0).all()
    assert loss[right[0]] == loss[~wrong].min()
    assert loss[right[-1]] == loss[~wrong].max()


def test_a_perfect_network_has_no_errors_to_show() -> None:
    assert sorted(shown_images(torch.eye(3), torch.arange(3)).tolist()) == [0, 1, 2]
    assert sorted(shown_images(torch.eye(3), torch.tensor([1, 2, 0])).tolist()) == [0, 1, 2]


def test_maps_of_a_run(subject: Subject) -> None:
    found = find_maps(subject)
    logits = subject.logits()
    assert found.layer == "11"
    assert found.for_label.shape == (20, 4, 4)
    assert found.positions.tolist() == shown_images(logits, subject.judged.labels).tolist()
    np.testing.assert_array_equal(found.predicted, logits.argmax(1)[found.positions])
    right = found.predicted == found.labels
    assert right.any()
    np.testing.assert_array_equal(found.for_label[right], found.for_predicted[right])
    assert found.box == (0, 0, 1, 1)


def test_the_seen_part_of_the_image(subject: Subject) -> None:
    policy = (operation("center_crop", crop=16, size=24),)
    recipe = replace(subject.recipe, evaluation=Evaluation(policy=policy), selected_on="none")
    cropped = replace(subject, recipe=recipe)
    assert seen_box(cropped.preprocessing, 32) == pytest.approx((0.25, 0.25, 0.5, 0.5))
