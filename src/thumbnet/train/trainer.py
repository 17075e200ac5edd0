"""One run in memory: its network, data and optimiser, and the parts of a training step."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from thumbnet.augment import build_policy
from thumbnet.data import Batches, Subset
from thumbnet.evaluate import DTYPES, Preprocessing
from thumbnet.models import build_model
from thumbnet.packed import PackedDataset
from thumbnet.randomness import derive_seed
from thumbnet.recipe import Recipe
from thumbnet.train.phases import enter_optimizer, optimizer_of, set_modes, set_trainable
from thumbnet.train.plan import PhasePlan, Plan
from thumbnet.train.state import State, make_average


@dataclass
class Trainer:
    """Holds a run's objects; `enter` prepares a phase, and the other methods are the parts of one step."""

    recipe: Recipe
    plan: Plan
    subsets: Mapping[str, Subset]
    classes: int
    preprocessing: Preprocessing
    device: torch.device
    state: State
    batches: Batches | None = None
    phase: PhasePlan | None = None
    forward: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        self.forward = torch.compile(self.state.model) if self.recipe.compile else self.state.model  # type: ignore[assignment]  # torch.compile keeps the module's interface

    def enter(self, step: int) -> float:
        """Make the phase of `step` ready when it begins, set the learning rate of `step`, and return it."""
        phase = self.plan.phase_at(step)
        if self.phase is not phase:
            set_trainable(self.state.model, phase.phase)
            set_modes(self.state.model, phase.phase)
            self.state.optimizer = enter_optimizer(self.state.model, self.recipe, phase.index, self.state.optimizer)
            self.batches = self._make_batches(phase)
            self.phase = phase
        assert self.state.optimizer is not None
        learning_rate = optimizer_of(self.recipe, phase.index).lr * phase.factor(step)
        for group in self.state.optimizer.param_groups:
            group["lr"] = learning_rate
        return learning_rate

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the batch of `step`: images f[B,3,S,S], normalised, and targets i64[B] or f32[B,K]."""
        assert self.batches is not None
        assert self.phase is not None
        images, targets = self.batches.batch(*self.phase.locate(step))
        return self.preprocessing.lay_out(images), targets

    def logits(self, images: Tensor, step: int) -> Tensor:
        """Return the network's logits f32[B,K]; its own randomness (dropout) is seeded by the step."""
        torch.manual_seed(derive_seed(self.recipe.seed, "network", step))
        dtype = DTYPES[self.recipe.precision]
        with torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32):
            outputs: Tensor = self.forward(images)
        return outputs.float()

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of the batch, a tensor of one element."""
        return functional.cross_entropy(logits, targets, label_smoothing=self.recipe.loss.label_smoothing)

    def update(self, loss: Tensor) -> None:
        """Take one optimiser step down the gradient of `loss`: backward, clip, step, average."""
        state, optimizer = self.state, self.state.optimizer
        assert optimizer is not None
        torch.autograd.backward(state.scaler.scale(loss))
        if self.recipe.clip_norm is not None:
            state.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(state.model.parameters(), self.recipe.clip_norm)
        state.scaler.step(optimizer)
        state.scaler.update()
        optimizer.zero_grad(set_to_none=True)
        state.step += 1
        if state.average is not None and self.recipe.ema is not None and state.step % self.recipe.ema.every == 0:
            state.average.update_parameters(state.model)

    def _make_batches(self, phase: PhasePlan) -> Batches:
        train = self.subsets["train"]
        return Batches(
            images=train.images,
            positions=train.positions,
            augmentations=[build_policy(policy, self.classes) for policy in phase.phase.policies],
            batch_size=self.recipe.batch_size,
            image_size=phase.image_size,
            seed=self.recipe.seed,
            phase=phase.index,
        )


def make_trainer(
    recipe: Recipe, plan: Plan, dataset: PackedDataset, subsets: Mapping[str, Subset], device: torch.device
) -> Trainer:
    """Return a trainer of `recipe` before its first step: the network initialised from the seed, no optimiser yet."""
    model = initial_model(recipe, dataset).to(device)
    if recipe.channels_last:
        model = model.to(memory_format=torch.channels_last)
    state = State(
        model=model,
        scaler=torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16"),
        average=make_average(model, recipe.ema),
    )
    preprocessing = Preprocessing.of(recipe, dataset.image_size)
    return Trainer(recipe, plan, subsets, len(dataset.classes), preprocessing, device, state)


def initial_model(recipe: Recipe, dataset: PackedDataset) -> nn.Module:
    """Return the network of `recipe` for `dataset`, initialised from the recipe's seed; torch's state is restored."""
    size = recipe.phases[0].image_size or dataset.image_size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "init"))
        return build_model(recipe.model, len(dataset.classes), size)
