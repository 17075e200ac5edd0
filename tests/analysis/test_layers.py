"""First layers: the right parts of each network, and what they give."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from thumbnet.analyses import Layers
from thumbnet.analysis import Subject, find_layers
from thumbnet.analysis.layers import first_stages, sure_images
from thumbnet.analysis.traced import run_parts
from thumbnet.errors import RecipeError
from thumbnet.models import build_model
from thumbnet.recipe import Model


@pytest.mark.parametrize(
    ("name", "size", "convolutions", "ends"),
    [
        ("small", 32, ["0", "4"], ["2", "6"]),
        ("m1", 64, ["0", "3"], ["1", "4"]),
        ("resnet18", 64, ["conv1", "layer1.0.conv1"], ["act", "layer1.0.act1"]),
        ("hansen-alexnet", 60, ["0.0", "0.4"], ["0.2", "0.6"]),
        ("milani-inception", 64, ["0.0", "1.0"], ["0.2", "1.2"]),
    ],
)
def test_stages_of_each_architecture(name: str, size: int, convolutions: list[str], ends: list[str]) -> None:
    parts = run_parts(build_model(Model(name), 5, size), torch.rand(1, 3, size, size), all_levels=False)
    stages = first_stages(parts)
    assert [stage.convolution.name for stage in stages] == convolutions
    assert [stage.end.name for stage in stages] == ends


def test_a_network_without_convolutions_is_refused() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(RecipeError, match="no convolution"):
        first_stages(run_parts(model, torch.rand(1, 3, 2, 2)))


def finished(subject: Subject, found: Layers) -> Tensor:
    """Return the images of `found` as the network takes them, f32[A,3,S,S]."""
    normalization = subject.recipe.normalization
    pixels = torch.from_numpy(found.inputs) / 255
    return ((pixels - torch.tensor(normalization.mean)) / torch.tensor(normalization.std)).permute(0, 3, 1, 2)


def test_layers_of_a_run(subject: Subject) -> None:
    found = find_layers(subject)
    model = subject.model
    assert isinstance(model, nn.Sequential)
    pixels = subject.judged.images.images[torch.from_numpy(found.positions)]
    np.testing.assert_array_equal(found.inputs, pixels)
    with torch.no_grad():
        first = model[:3](finished(subject, found))
        second = model[3:7](first.clone())
    np.testing.assert_allclose(found.first, first, atol=2e-3)
    np.testing.assert_allclose(found.second, second, atol=1e-2)
    convolution = model[4]
    assert isinstance(convolution, nn.Conv2d)
    np.testing.assert_array_equal(found.weights, convolution.weight.detach())
    assert found.names == ("2", "6")
    assert found.channels == (4, 8)


def test_one_convolution_is_enough(subject: Subject) -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 70, 3, padding=1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(70, 4)
    )
    found = find_layers(replace(subject, model=model.eval(), _known={}))
    assert found.first.shape[1:] == (64, 32, 32)
    assert found.channels == (70,)
    assert found.second.shape[1] == 0
    assert found.weights.size == 0
    assert found.convolution == ""


def test_a_block_that_shares_its_activation_has_one_output(subject: Subject) -> None:
    model = build_model(Model("yu-resnet20"), 4, 32).eval()
    assert isinstance(model, nn.Sequential)
    found = find_layers(replace(subject, model=model, _known={}))
    assert found.names == ("2", "4.0.relu")
    assert found.channels == (64, 64)
    block = [model.get_submodule(f"4.0.{name}") for name in ("conv1", "bn1", "relu")]
    with torch.no_grad():
        first = model[:3](finished(subject, found))
        second = nn.Sequential(model[3], *block)(first)
    np.testing.assert_allclose(found.first, first, atol=1e-2)
    np.testing.assert_allclose(found.second, second, atol=1e-2)


def test_stages_that_share_one_activation_have_each_their_own_output(subject: Subject) -> None:
    shared = nn.ReLU()
    one, other = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
    model = nn.Sequential(one, shared, other, shared, head).eval()
    found = find_layers(replace(subject, model=model, _known={}))
    assert found.channels == (4, 6)
    with torch.no_grad():
        first = one(finished(subject, found)).relu()
        second = other(first).relu()
    np.testing.assert_allclose(found.first, first, atol=2e-3)
    np.testing.assert_allclose(found.second, second, atol=2e-3)


def test_sure_images_are_of_different_classes() -> None:
    logits = torch.tensor([[9.0, 0, 0], [8, 0, 0], [0, 3, 0], [7, 0, 0], [0, 0, 1]])
    assert sure_images(logits, torch.tensor([0, 0, 1, 2, 2])).tolist() == [0, 2, 4]
    assert sure_images(logits, torch.tensor([1, 1, 2, 1, 1])).tolist() == [0, 1, 2, 3]
