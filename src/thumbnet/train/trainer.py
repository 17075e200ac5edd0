"""One run in memory: its network, data and optimiser, and the parts of a training step."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from thumbnet.augment import build_policy
from thumbnet.data import Batches, RowBatches, Subset
from thumbnet.evaluate import DTYPES, Preprocessing, mixed_precision, predict_logits
from thumbnet.features.cache import features_folder
from thumbnet.features.extraction import FrozenBody
from thumbnet.models import build_model, head_of, placed, without_weights
from thumbnet.packed import PackedDataset, packed_split_of
from thumbnet.randomness import derive_seed
from thumbnet.recipe import Recipe
from thumbnet.train.cached import (
    PhaseFeatures,
    judge_features,
    judging_features,
)
from thumbnet.train.depthwise import FastDepthwise
from thumbnet.train.phases import enter_optimizer, optimizer_of, set_modes, set_trainable
from thumbnet.train.plan import PhasePlan, Plan
from thumbnet.train.state import State, load_weights, make_average, update_average
from thumbnet.watch import Watch


@dataclass
class Trainer:
    """Holds a run's objects; `enter` prepares a phase, and the other methods are the parts of one step.

    `fingerprint` is that of the packed data, `features_folder` holds all cached features.

    In a phase on cached features, `batches` is `None` until `make_features` has been called, `forward` is the head
    alone, and `judged_features` holds the features of what is judged, by split.
    """

    recipe: Recipe
    plan: Plan
    subsets: Mapping[str, Subset]
    classes: int
    preprocessing: Preprocessing
    device: torch.device
    state: State
    fingerprint: str
    features_folder: Path
    batches: Batches | RowBatches | None = None
    judged_features: Mapping[str, Tensor] = field(default_factory=dict)
    phase: PhasePlan | None = None
    forward: nn.Module = field(init=False)
    lay_out: Callable[[Tensor], Tensor] = field(init=False)
    _network: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        model = self.state.model
        self._network = cast(nn.Module, torch.compile(model)) if self.recipe.compile else model
        self.forward, self.lay_out = self._network, self.preprocessing.lay_out

    def enter(self, step: int) -> float:
        """Make the phase of `step` ready when it begins, set the learning rate of `step`, and return it."""
        phase = self.plan.phase_at(step)
        if self.phase is not phase:
            set_trainable(self.state.model, phase.phase)
            set_modes(self.state.model, phase.phase)
            self.state.optimizer = enter_optimizer(self.state.model, self.recipe, phase.index, self.state.optimizer)
            self._choose_inputs(phase)
            self.phase = phase
        assert self.state.optimizer is not None
        learning_rate = optimizer_of(self.recipe, phase.index).lr * phase.factor(step)
        for group in self.state.optimizer.param_groups:
            group["lr"] = learning_rate * group.get("lr_scale", 1.0)
        return learning_rate

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the batch of `step`: normalised images f[B,3,S,S] or features f[B,D]; targets i64[B] or f32[B,K]."""
        assert self.batches is not None
        assert self.phase is not None
        inputs, targets = self.batches.batch(*self.phase.locate(step))
        return self.lay_out(inputs), targets

    def logits(self, inputs: Tensor, step: int) -> Tensor:
        """Return the network's logits f32[B,K]; its own randomness (dropout) is seeded by the step."""
        torch.manual_seed(derive_seed(self.recipe.seed, "network", step))
        # A compiled network has a backward pass of its own.
        fast = FastDepthwise() if self.device.type == "cpu" and not self.recipe.compile else nullcontext()
        with fast, mixed_precision(self.device, DTYPES[self.recipe.precision]):
            outputs: Tensor = self.forward(inputs)
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
            update_average(state.average, state.model)

    def make_features(self, watch: Watch) -> None:
        """Compute or find the features that the phase needs; the weights must be the ones that it begins with.

        Args:
            watch: is told the progress; it may raise to stop.

        Raises:
            ThumbnetError: cached features are damaged, or the disk is full.
        """
        assert self.phase is not None
        body = FrozenBody.of(self.state.model, self.recipe, self.fingerprint)
        found = PhaseFeatures(body, self.subsets, self.features_folder, watch)
        batches = found.training_batches(self.phase)
        judged = judging_features(
            self.recipe, self.plan, self.phase, self.preprocessing.image_size, self.subsets.keys()
        )
        self.judged_features = {split: found.rows(wanted) for split, wanted in judged.items()}
        self.batches = batches

    def judge(self, subset: Subset) -> Tensor:
        """Return the logits f32[M,K], on the CPU, of the judged network for `subset`: from its features if cached."""
        rows = self.judged_features.get(packed_split_of(subset.name))
        if rows is not None:
            return judge_features(self.state.judged, rows, subset, self.recipe)
        size = self.recipe.evaluation.batch_size
        return predict_logits(self.state.judged, subset.images, subset.positions, self.preprocessing, batch_size=size)

    def _choose_inputs(self, phase: PhasePlan) -> None:
        """Let the steps of `phase` take images through the network, or features through its head."""
        self.judged_features = {}
        if phase.phase.cached_features:
            _, head = head_of(self.state.model)
            self.batches, self.forward, self.lay_out = None, head, _as_they_are
        else:
            self.batches, self.forward = self._make_batches(phase), self._network
            self.lay_out = self.preprocessing.lay_out

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
            interpolation=self.recipe.interpolation,
        )


def _as_they_are(inputs: Tensor) -> Tensor:
    return inputs


def make_trainer(
    recipe: Recipe,
    plan: Plan,
    dataset: PackedDataset,
    subsets: Mapping[str, Subset],
    device: torch.device,
    *,
    cache: Path | None = None,
    first: Path | None = None,
) -> Trainer:
    """Return a trainer of `recipe` before its first step: the network initialised from the seed, no optimiser yet.

    `cache` is the place of cached features; by default the user's (see `thumbnet.features.cache.features_folder`).
    `first` holds the network's first weights where the run has stored them already.
    """
    model = placed(initial_model(recipe, dataset, first), recipe, device)
    state = State(
        model=model,
        scaler=torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16"),
        average=make_average(model, recipe.ema),
    )
    preprocessing = Preprocessing.of(recipe, dataset.image_size)
    return Trainer(
        recipe=recipe,
        plan=plan,
        subsets=subsets,
        classes=len(dataset.classes),
        preprocessing=preprocessing,
        device=device,
        state=state,
        fingerprint=dataset.fingerprint,
        features_folder=features_folder(cache),
    )


def initial_model(recipe: Recipe, dataset: PackedDataset, first: Path | None = None) -> nn.Module:
    """Return the network of `recipe` for `dataset`, initialised from the recipe's seed; torch's state is restored.

    With `first`, what was stored there when the run began is loaded; nothing that the recipe starts from is needed.
    """
    size = recipe.first_size(dataset.image_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "init"))
        class_ids = [info.id for info in dataset.classes]
        if first is None:
            return build_model(recipe.model, len(class_ids), size, class_ids=class_ids)
        model = build_model(without_weights(recipe.model), len(class_ids), size)
    load_weights(model, first)
    return model
