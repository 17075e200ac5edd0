"""The parts of a training step: what trains, the loss, clipping, averages, precision and memory format."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.helpers import short_recipe
from tests.train.helpers import trainer_of
from thumbnet.evaluate import predict_logits
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Ema, Loss, Model, Normalization, Optimizer, Phase, epochs, iterations
from thumbnet.train.phases import set_trainable
from thumbnet.train.state import make_average, update_average
from thumbnet.train.trainer import Trainer

CPU = torch.device("cpu")


def take_steps(trainer: Trainer, count: int) -> list[Tensor]:
    """Take `count` steps and return their losses."""
    losses = []
    for step in range(trainer.state.step, trainer.state.step + count):
        trainer.enter(step)
        images, targets = trainer.batch(step)
        loss = trainer.loss(trainer.logits(images, step), targets)
        trainer.update(loss)
        losses.append(loss.detach())
    return losses


def tensors(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_a_batch_is_normalised_as_the_recipe_says(shapes: PackedDataset) -> None:
    scale = Normalization(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    plain = trainer_of(short_recipe(normalization=Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))), shapes)
    scaled = trainer_of(short_recipe(normalization=scale), shapes)
    plain.enter(0)
    scaled.enter(0)
    images = plain.batch(0)[0]
    assert 0 <= float(images.min()) < float(images.max()) <= 1
    expected = (images - torch.tensor(scale.mean)[:, None, None]) / torch.tensor(scale.std)[:, None, None]
    torch.testing.assert_close(scaled.batch(0)[0], expected, rtol=1e-5, atol=1e-6)


def test_the_head_alone_trains_and_frozen_norms_stay(shapes: PackedDataset) -> None:
    recipe = short_recipe(phases=(Phase(epochs(1), trainable="head"),))
    trainer = trainer_of(recipe, shapes)
    before = tensors(trainer.state.model)
    take_steps(trainer, 2)
    val = trainer.subsets["val"]
    predict_logits(trainer.state.model, val.images, val.positions, trainer.preprocessing)
    take_steps(trainer, 1)
    assert changed(before, tensors(trainer.state.model)) == {"14.weight", "14.bias"}


def test_frozen_norms_follow_the_data_when_told(shapes: PackedDataset) -> None:
    recipe = short_recipe(phases=(Phase(epochs(1), trainable="head", frozen_norm_updates=True),))
    trainer = trainer_of(recipe, shapes)
    before = tensors(trainer.state.model)
    take_steps(trainer, 1)
    moved = changed(before, tensors(trainer.state.model))
    assert {name for name in moved if name.endswith(("weight", "bias"))} == {"14.weight", "14.bias"}
    assert {"1.running_mean", "5.running_var", "9.running_mean"} <= moved


def test_patterns_name_what_trains(shapes: PackedDataset) -> None:
    trainer = trainer_of(short_recipe(phases=(Phase(epochs(1), trainable=("0.*", "*.bias")),)), shapes)
    set_trainable(trainer.state.model, trainer.recipe.phases[0])
    trained = {name for name, parameter in trainer.state.model.named_parameters() if parameter.requires_grad}
    assert trained == {"0.weight", "1.bias", "5.bias", "9.bias", "14.bias"}


@pytest.mark.parametrize("carry", [True, False])
def test_momentum_comes_along_or_begins_anew(shapes: PackedDataset, carry: bool) -> None:
    phases = (Phase(iterations(3)), Phase(iterations(1), carry_optimizer=carry))
    trainer = trainer_of(
        short_recipe(optimizer=Optimizer("sgd", 0.01, options={"momentum": 0.9}), phases=phases), shapes
    )
    take_steps(trainer, 3)
    assert trainer.state.optimizer is not None
    weight = trainer.state.model.get_parameter("0.weight")
    momentum = trainer.state.optimizer.state[weight]["momentum_buffer"].clone()
    before = weight.detach().clone()
    trainer.enter(3)
    images, targets = trainer.batch(3)
    loss = trainer.loss(trainer.logits(images, 3), targets)
    (gradient,) = torch.autograd.grad(loss, weight, retain_graph=True)
    trainer.update(loss)
    expected = before - 0.01 * (gradient + (0.9 * momentum if carry else 0))
    torch.testing.assert_close(weight.detach(), expected, rtol=1e-4, atol=1e-7)


def test_an_optimizer_of_its_own_replaces_the_recipes(shapes: PackedDataset) -> None:
    phases = (Phase(iterations(1)), Phase(iterations(1), optimizer=Optimizer("adam", lr=0.7)), Phase(iterations(1)))
    trainer = trainer_of(short_recipe(phases=phases), shapes)
    assert [trainer.enter(step) for step in range(3)] == [0.05, 0.7, 0.7]
    assert isinstance(trainer.state.optimizer, torch.optim.Adam)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_formula(shapes: PackedDataset, smoothing: float) -> None:
    trainer = trainer_of(short_recipe(loss=Loss(label_smoothing=smoothing)), shapes)
    logits = torch.tensor([[2.0, 0.0, -1.0, 0.5], [0.1, 0.2, 0.3, 0.4]])
    labels = [0, 2]
    total = 0.0
    for row, label in zip(logits.tolist(), labels, strict=True):
        norm = math.log(sum(math.exp(value) for value in row))
        for k, value in enumerate(row):
            target = (1 - smoothing) * (k == label) + smoothing / 4
            total -= target * (value - norm)
    assert float(trainer.loss(logits, torch.tensor(labels))) == pytest.approx(total / 2, rel=1e-5)
    one_hot = torch.eye(4)[labels]
    assert float(trainer.loss(logits, one_hot)) == pytest.approx(total / 2, rel=1e-5)


def test_clipping_bounds_the_step(shapes: PackedDataset) -> None:
    moves = {}
    for clip in (None, 0.01):
        recipe = short_recipe(optimizer=Optimizer("sgd", lr=1.0), clip_norm=clip)
        trainer = trainer_of(recipe, shapes)
        before = [parameter.detach().clone() for parameter in trainer.state.model.parameters()]
        take_steps(trainer, 1)
        after = [parameter.detach() for parameter in trainer.state.model.parameters()]
        moves[clip] = math.sqrt(sum(float(((a - b) ** 2).sum()) for a, b in zip(after, before, strict=True)))
    assert moves[None] is not None
    assert moves[None] > 0.1
    assert moves[0.01] == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("every", [1, 3])
def test_the_average_is_the_one_computed_by_hand(shapes: PackedDataset, every: int) -> None:
    trainer = trainer_of(short_recipe(ema=Ema(decay=0.7, every=every)), shapes)
    expected: dict[str, Tensor] | None = None
    for step in range(1, 8):
        take_steps(trainer, 1)
        if step % every:
            continue
        now = tensors(trainer.state.model)
        if expected is None:
            expected = now
            continue
        expected = {
            name: old * 0.7 + now[name] * 0.3 if old.is_floating_point() else old for name, old in expected.items()
        }
    assert expected is not None
    for name, tensor in trainer.state.judged.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-6, msg=name)
    assert trainer.state.judged is not trainer.state.model


def test_the_average_is_torchs(shapes: PackedDataset) -> None:
    trainer = trainer_of(short_recipe(), shapes)
    ours, torchs = (make_average(trainer.state.model, Ema(decay=0.7)) for _ in range(2))
    assert ours is not None
    assert torchs is not None
    for _ in range(3):
        take_steps(trainer, 1)
        update_average(ours, trainer.state.model)
        torchs.update_parameters(trainer.state.model)
    expected = torchs.state_dict()
    assert {tensor.dtype for tensor in expected.values()} == {torch.float32, torch.int64}
    assert all(torch.equal(tensor, expected[name]) for name, tensor in ours.state_dict().items())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_is_near_to_full(shapes: PackedDataset, precision: str) -> None:
    full = torch.stack(take_steps(trainer_of(short_recipe(), shapes), 4))
    trainer = trainer_of(short_recipe(precision=precision), shapes)
    reduced = torch.stack(take_steps(trainer, 4))
    assert reduced.dtype == torch.float32
    assert not torch.equal(reduced, full)
    torch.testing.assert_close(reduced, full, rtol=0.05, atol=0.05)
    assert all(parameter.dtype == torch.float32 for parameter in trainer.state.model.parameters())


def test_fp16_scales_the_loss_and_steps_by_the_true_gradient(shapes: PackedDataset) -> None:
    trainer = trainer_of(short_recipe(precision="fp16", clip_norm=1000.0), shapes)
    assert trainer.state.scaler.is_enabled()
    assert trainer.state.scaler.get_scale() > 1
    full = trainer_of(short_recipe(), shapes)
    for one in (trainer, full):
        take_steps(one, 1)
    torch.testing.assert_close(
        tensors(trainer.state.model)["14.weight"], tensors(full.state.model)["14.weight"], rtol=0.02, atol=0.002
    )


def test_channels_last_changes_only_the_layout(shapes: PackedDataset) -> None:
    plain = trainer_of(short_recipe(), shapes)
    last = trainer_of(short_recipe(channels_last=True), shapes)
    last.enter(0)
    assert last.batch(0)[0].is_contiguous(memory_format=torch.channels_last)
    assert last.state.model.get_parameter("0.weight").is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(take_steps(last, 4), take_steps(plain, 4), rtol=1e-4, atol=1e-5)


def test_dropout_depends_on_the_step_alone(shapes: PackedDataset) -> None:
    recipe = short_recipe(model=Model("timm/test_resnet", {"drop_rate": 0.5}))
    trainer = trainer_of(recipe, shapes)
    trainer.enter(0)
    images, _ = trainer.batch(0)
    frozen = copy.deepcopy(trainer.state.model.state_dict())

    def logits(step: int, seed: int) -> Any:
        trainer.state.model.load_state_dict(frozen)
        torch.manual_seed(seed)
        return trainer.logits(images, step).detach()

    torch.testing.assert_close(logits(3, 1), logits(3, 2), rtol=0, atol=0)
    assert not torch.equal(logits(3, 1), logits(4, 1))


def test_the_network_begins_by_the_seed_and_leaves_torchs_generator_alone(shapes: PackedDataset) -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first = trainer_of(short_recipe(seed=1), shapes)
    torch.testing.assert_close(torch.rand(1), expected, rtol=0, atol=0)
    again, other = trainer_of(short_recipe(seed=1), shapes), trainer_of(short_recipe(seed=2), shapes)
    assert changed(tensors(first.state.model), tensors(again.state.model)) == set()
    assert "0.weight" in changed(tensors(first.state.model), tensors(other.state.model))
