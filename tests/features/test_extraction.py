"""Features of a frozen network: what they are, what decides them, and that a kill in between changes nothing."""

import signal
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

from tests.features.helpers import CPU, DATA, body, extract, extract_until, images, recipe
from tests.helpers import CROP, FLIP
from tests.stopping import in_a_process
from thumbnet.data import ImageSet
from thumbnet.errors import RecipeError, TrainingError
from thumbnet.features import extraction
from thumbnet.features.body import body_digest, body_of, check_body, feature_count
from thumbnet.features.description import describe_policy
from thumbnet.features.extraction import FrozenBody, Wanted
from thumbnet.models import build_model
from thumbnet.models.parts import last_layer
from thumbnet.recipe import Head, Model, Normalization, Recipe, operation
from thumbnet.watch import silent

RANDOM = (*FLIP, *CROP)


def captured(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """What goes into the last layer, seen by a hook."""
    seen: list[torch.Tensor] = []
    _, head = last_layer(model)
    hook = head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model.eval()
    with torch.no_grad():
        model(inputs)
    hook.remove()
    return seen[0]


@pytest.mark.usefixtures("small_chunks")
def test_features_are_what_goes_into_the_head(tmp_path: Path) -> None:
    found = extract(tmp_path, dtype="float32")
    pixels = images(20).images.permute(0, 3, 1, 2).float() / 255
    mean, std = (
        torch.tensor(values)[:, None, None] for values in (recipe().normalization.mean, recipe().normalization.std)
    )
    expected = captured(body().model, (pixels - mean) / std)
    assert found.shape == (20, 96)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-7), ("float16", 1e-3)])
def test_half_precision_halves_the_file_and_rounds(tmp_path: Path, dtype: Any, error: float) -> None:
    exact = extract(tmp_path, dtype="float32")
    found = extract(tmp_path, dtype=dtype)
    assert found.dtype == dtype
    assert np.abs(found.astype(np.float64) - exact).max() < error * np.abs(exact).max()


def test_an_evaluation_policy_and_a_size_are_applied(tmp_path: Path) -> None:
    policy = (operation("center_crop", crop=16),)
    wanted = Wanted("train", 24, policy)
    found = extraction.extract(body(), images(5), wanted, tmp_path, silent, dtype="float32")
    pixels = images(5).images.permute(0, 3, 1, 2).float()[:, :, 8:24, 8:24] / 255
    for side in (32, 24):
        pixels = nn.functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
    normalization = recipe().normalization
    mean, std = (torch.tensor(values)[:, None, None] for values in (normalization.mean, normalization.std))
    np.testing.assert_allclose(found, captured(body().model, (pixels - mean) / std), rtol=1e-3, atol=1e-5)


@pytest.mark.usefixtures("small_chunks")
def test_each_copy_and_each_image_is_drawn_for_itself(tmp_path: Path) -> None:
    same = images(1)
    alike = ImageSet(same.images.expand(12, -1, -1, -1).clone(), same.labels.expand(12).clone(), CPU)
    copies = [
        extraction.extract(body(), alike, Wanted("train", 32, RANDOM, copy), tmp_path, silent) for copy in range(3)
    ]
    rows = np.concatenate(copies)
    assert len(np.unique(rows, axis=0)) == len(rows)
    plain = extraction.extract(body(), alike, Wanted("train", 32), tmp_path, silent)
    assert np.ptp(plain, axis=0).max() < 1e-2


def test_copies_and_seeds_of_what_draws_nothing_are_one(tmp_path: Path) -> None:
    first = extraction.extract(body(), images(5), Wanted("train", 32), tmp_path, silent)
    other = replace(recipe(), seed=9)
    again = extraction.extract(
        FrozenBody.of(body().model, other, DATA), images(5), Wanted("train", 32, copy=1), tmp_path, silent
    )
    np.testing.assert_array_equal(again, first)
    assert len([place for place in tmp_path.iterdir() if place.is_dir()]) == 1


def _changed(**changes: Any) -> Recipe:
    return recipe(**changes)


CHANGES: dict[str, Any] = {
    "weights": lambda: body(seed=6),
    "data": lambda: body(data="e" * 64),
    "seed": lambda: body(_changed(seed=1)),
    "network": lambda: body(_changed(model=Model("timm/test_resnet", {"drop_rate": 0.2}))),
    "mean": lambda: body(_changed(normalization=Normalization((0.5, 0.4481, 0.3975)))),
    "std": lambda: body(_changed(normalization=Normalization(std=(0.5, 0.2691, 0.2821)))),
    "interpolation": lambda: body(_changed(interpolation="bicubic")),
    "precision": lambda: body(_changed(precision="bf16")),
    "channels_last": lambda: body(_changed(channels_last=True)),
    "split": Wanted("val", 32, RANDOM),
    "image_size": Wanted("train", 24, RANDOM),
    "policy": Wanted("train", 32, FLIP),
    "options of the policy": Wanted("train", 32, (*FLIP, operation("translate_crop", padding=2), CROP[1])),
    "copy": Wanted("train", 32, RANDOM, 1),
    "images": images(7),
    "dtype": "float16",
}


def test_everything_that_decides_features_decides_their_key() -> None:
    keys = {"": body().describe(Wanted("train", 32, RANDOM), images(8), "float32").key}
    for name, change in CHANGES.items():
        chosen = change() if callable(change) else body()
        wanted = change if isinstance(change, Wanted) else Wanted("train", 32, RANDOM)
        pictures = change if isinstance(change, ImageSet) else images(8)
        keys[name] = chosen.describe(wanted, pictures, "float16" if change == "float16" else "float32").key
    assert len(set(keys.values())) == len(keys), keys
    assert body().describe(Wanted("train", 32, RANDOM), images(8), "float32").key == keys[""]


@pytest.mark.parametrize(
    ("name", "libraries"),
    [
        ("timm/test_resnet", {"timm": timm.__version__}),
        ("torchvision/resnet18", {"torchvision": torchvision.__version__.partition("+")[0]}),
        ("resnet18", {}),
    ],
)
def test_the_library_that_defines_the_network_decides_the_key(name: str, libraries: dict[str, str]) -> None:
    described = body(_changed(model=Model(name))).describe(Wanted("train", 32), images(8)).to_json()
    found = {key: described[key].partition("+")[0] for key in ("timm", "torchvision") if key in described}
    assert found == libraries


def test_the_head_does_not_decide_the_key_and_every_other_tensor_does() -> None:
    chosen = body()
    model, digest = chosen.model, chosen.digest
    name, head = last_layer(model)
    with torch.no_grad():
        head.weight.add_(1)
    assert body_digest(model) == digest
    for key, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if key.startswith(f"{name}."):
            continue
        with torch.no_grad():
            tensor.add_(1)
            assert body_digest(model) != digest, key
            tensor.sub_(1)


@pytest.mark.parametrize(
    ("policy", "moments"),
    [((), (9, 20)), (RANDOM, (3,)), (RANDOM, (9, 20)), (RANDOM, (2, 12, 12, 18))],
    ids=["plain", "random, once", "random, twice", "random, again and again"],
)
@pytest.mark.usefixtures("small_chunks")
def test_a_killed_extraction_ends_with_the_same_bits(tmp_path: Path, policy: Any, moments: tuple[int, ...]) -> None:
    for moment in moments:
        assert in_a_process(extract_until, tmp_path / "killed", policy, moment, 3, 6) == -signal.SIGKILL
    undisturbed = extract(tmp_path / "undisturbed", policy=policy)
    np.testing.assert_array_equal(extract(tmp_path / "killed", policy=policy), undisturbed)
    files = [sorted(file.name for file in (tmp_path / name).rglob("*")) for name in ("killed", "undisturbed")]
    assert files[0] == files[1]


@pytest.mark.usefixtures("small_chunks")
def test_an_extraction_goes_on_with_the_chunk_that_was_not_finished(tmp_path: Path) -> None:
    done: list[int] = []

    def stop_at_13(text: str, images_done: int, total: int) -> None:
        assert (text, total) == ("features of train", 20)
        done.append(images_done)
        if images_done > 12:
            raise KeyboardInterrupt

    chosen = body()
    model = chosen.model.train()
    with pytest.raises(KeyboardInterrupt):
        extraction.extract(chosen, images(20), Wanted("train", 32), tmp_path, stop_at_13)
    assert model.training
    assert isinstance(last_layer(model)[1], nn.Linear)
    seen: list[int] = []
    extraction.extract(chosen, images(20), Wanted("train", 32), tmp_path, lambda _, now, __: seen.append(now))
    assert done == [3, 6, 9, 12, 15]
    assert seen == [15, 18, 20]
    extraction.extract(chosen, images(20), Wanted("train", 32), tmp_path, lambda *_: pytest.fail("it is all there"))


@pytest.mark.parametrize(
    ("scale", "dtype", "expected"),
    [
        (float("nan"), "float32", "features of train: some are not finite; "),
        (1e9, "float16", "which float16 numbers do not hold to a thousandth"),
        (1e-9, "float16", "which float16 numbers do not hold to a thousandth"),
        (1e9, "float32", None),
        (1e-9, "float32", None),
    ],
)
def test_features_that_their_type_does_not_hold_are_refused(
    tmp_path: Path, scale: float, dtype: Any, expected: str | None
) -> None:
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
    with torch.no_grad():
        for parameter in model[0].parameters():
            parameter.mul_(scale)
    chosen = FrozenBody.of(model, recipe(), DATA)
    refused = pytest.raises(TrainingError, match=expected) if expected else nullcontext()
    with refused:
        extraction.extract(chosen, images(4), Wanted("train", 32), tmp_path, silent, dtype=dtype)


@pytest.mark.parametrize(
    "model",
    [
        Model("m1"),
        Model("small", {"width": 4}, head=Head(hidden=6, dropout=0.5)),
        Model("timm/test_vit", {"img_size": 32}),
        Model("timm/test_resnet", {"drop_rate": 0.5}),
    ],
    ids=lambda model: model.name,
)
def test_the_head_of_the_features_is_the_network(model: Model) -> None:
    network = build_model(model, 4, 64 if model.name == "m1" else 32)
    check_body(network, 64 if model.name == "m1" else 32)


@pytest.mark.parametrize(
    ("model", "size", "reason"),
    [
        (Model("torchvision/squeezenet1_0"), 64, "no fully connected layer"),
        (Model("timm/deit_tiny_distilled_patch16_224"), 224, r"2 classifiers \(head, head_dist\)"),
        (Model("timm/levit_128s"), 224, "2 classifiers"),
    ],
    ids=["squeezenet", "deit", "levit"],
)
def test_networks_without_one_head_are_refused(model: Model, size: int, reason: str) -> None:
    with pytest.raises(RecipeError, match=reason):
        check_body(build_model(model, 4, size), size)


class Scaled(nn.Module):
    """A network that does something to its logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.fc = nn.Linear(6, 4)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(self.conv(pixels).mean((2, 3))) * 2
        return logits


class Tokens(Scaled):
    """A network whose last layer sees a row for each place of the image."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(self.conv(pixels).flatten(2).transpose(1, 2)).flatten(1)[:, :4]
        return logits


@pytest.mark.parametrize(("kind", "reason"), [(Scaled, "after its head"), (Tokens, "not one row of features")])
def test_networks_that_are_more_than_head_after_body_are_refused(kind: type[nn.Module], reason: str) -> None:
    with pytest.raises(RecipeError, match=f"phase.cached_features: .*{reason}.*set cached_features=0"):
        check_body(kind(), 8)


def test_the_head_is_put_back_wherever_it_is() -> None:
    head = nn.Linear(5, 4)
    top = nn.Sequential(nn.Linear(12, 5), nn.ReLU(), head)
    model = nn.Sequential(nn.Flatten(), top)
    with body_of(model) as network:
        assert network(torch.ones(2, 3, 2, 2)).shape == (2, 5)
    assert top[2] is head
    assert feature_count(model) == 5
    assert describe_policy(FLIP) == ({"name": "horizontal_flip", "options": {}},)
