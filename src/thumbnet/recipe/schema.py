"""The recipe: frozen dataclasses that hold names and numbers, and refuse impossible combinations.

Names of networks, optimisers, schedules and operations are checked when the recipe is turned into objects; everything
that can be known without them is checked here, at construction.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from thumbnet.recipe.checking import require
from thumbnet.recipe.length import Length, epochs
from thumbnet.recipe.model import Model
from thumbnet.views import find_views

_NO_TIME, _EPOCH = epochs(0), epochs(1)


@dataclass(frozen=True)
class Operation:
    """One augmentation by name, with its options (`thumbnet.augment` holds them)."""

    name: str
    options: Mapping[str, object] = field(default_factory=dict)


def operation(name: str, **options: object) -> Operation:
    """Return the operation `name` with `options`, in one short call."""
    return Operation(name, options)


Policy = tuple[Operation, ...]
"""What happens to a training image, in order. Normalisation is not part of it: the recipe states it once."""


@dataclass(frozen=True)
class Optimizer:
    """An optimiser by name with its learning rate, weight decay and options (`thumbnet.optim` holds them).

    `no_decay` names the parameters that weight decay leaves alone: 'none' decays all of them, 'norm_and_bias' spares
    every parameter of one dimension or none (biases, normalisation weights). `layer_decay` multiplies the learning
    rate of each layer by itself once for every layer between that one and the head (1: the same rate everywhere).
    """

    name: str
    lr: float
    weight_decay: float = 0.0
    no_decay: Literal["none", "norm_and_bias"] = "none"
    options: Mapping[str, object] = field(default_factory=dict)
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        require(
            0 < self.layer_decay <= 1, f"optimizer.layer_decay: {self.layer_decay} is not in (0, 1]; 0.75 is usual"
        )
        require(math.isfinite(self.lr) and self.lr > 0, f"optimizer.lr: {self.lr} is not a positive number; try 0.001")
        require(
            math.isfinite(self.weight_decay) and self.weight_decay >= 0,
            f"optimizer.weight_decay: {self.weight_decay} is not a number of 0 or more",
        )


@dataclass(frozen=True)
class Schedule:
    """A learning-rate schedule by name with its warm-up and options (`thumbnet.optim.schedules` holds them).

    The factor that it gives multiplies the optimiser's learning rate. Warm-up rises linearly to the full rate and is
    part of the schedule's length.
    """

    name: str = "constant"
    warmup: Length = _NO_TIME
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one setting.

    Args:
        length: how long it lasts.
        policies: augmentation policies; with several, each image is seen once under each of them in an epoch.
        image_size: side of the square images that reach the network, in pixels; `None` keeps the data's own.
        trainable: 'all', 'head' (the network's last layer) or a tuple of patterns of parameter names.
        optimizer: replaces the recipe's optimiser from this phase on; `None` keeps it.
        schedule: a schedule of this phase alone; `None` follows the recipe's, which spans all phases without one.
        carry_optimizer: whether the optimiser's state (momentum and so on) comes along from the phase before.
        frozen_norm_updates: whether batch-norm statistics of frozen parts still follow the data.
        cached_features: how many augmented copies of the frozen body's features are computed once and kept on disk;
            epoch k trains on copy k modulo their number. 0 computes features anew for each batch.
    """

    length: Length
    policies: tuple[Policy, ...] = ((),)
    image_size: int | None = None
    trainable: Literal["all", "head"] | tuple[str, ...] = "all"
    optimizer: Optimizer | None = None
    schedule: Schedule | None = None
    carry_optimizer: bool = True
    frozen_norm_updates: bool = False
    cached_features: int = 0

    def __post_init__(self) -> None:
        require(self.cached_features >= 0, f"phase.cached_features: {self.cached_features} is negative; 0 has none")
        require(
            self.cached_features == 0 or (self.trainable == "head" and not self.frozen_norm_updates),
            "phase.cached_features: features stay the same only where all but the head is frozen; set "
            "trainable='head' and frozen_norm_updates=false",
        )
        require(self.length.amount > 0, "phase.length: a phase of no length trains nothing; remove it or lengthen it")
        require(len(self.policies) > 0, "phase.policies: no policy; use one empty policy for unchanged images")
        if self.image_size is not None:
            require(8 <= self.image_size <= 1024, f"phase.image_size: {self.image_size} is not in 8 to 1024 pixels")


@dataclass(frozen=True)
class Loss:
    """Cross-entropy, with label smoothing of 0 (none) to below 1."""

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        require(
            0 <= self.label_smoothing < 1,
            f"loss.label_smoothing: {self.label_smoothing} is not in [0, 1); 0.1 is usual",
        )


@dataclass(frozen=True)
class Ema:
    """An exponential moving average of the weights; the averaged network is the one that is judged."""

    decay: float = 0.999
    every: int = 1

    def __post_init__(self) -> None:
        require(0 < self.decay < 1, f"ema.decay: {self.decay} is not in (0, 1); 0.999 is usual")
        require(self.every >= 1, f"ema.every: {self.every} is not a positive number of iterations")


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation per channel (red, green, blue), for values in [0, 1].

    The default is measured on the 100,000 training images of Tiny ImageNet.
    """

    mean: tuple[float, float, float] = (0.4802, 0.4481, 0.3975)
    std: tuple[float, float, float] = (0.2770, 0.2691, 0.2821)

    def __post_init__(self) -> None:
        require(
            all(math.isfinite(m) for m in self.mean),
            f"normalization.mean: {list(self.mean)} holds a value that is not finite",
        )
        require(
            all(math.isfinite(s) and s > 0 for s in self.std),
            f"normalization.std: {list(self.std)} holds a value that is not positive",
        )


@dataclass(frozen=True)
class Evaluation:
    """What is measured while training.

    Args:
        every: how often the splits are evaluated; the end of each phase always is.
        splits: splits that are evaluated, of 'holdout' and 'val'.
        train_images: how many training images the eval-mode training accuracy uses: a fixed, class-balanced
            selection; 0 leaves that figure out.
        policy: what happens to images that are judged, before normalisation (none of it random).
        image_size: side of the images that reach the network, in pixels; `None` keeps the last phase's.
        batch_size: images a batch; it changes speed and memory, not the result.
        views: test-time views by name (`thumbnet.views`) that the finished network is judged with besides 'none'.
    """

    every: Length = _EPOCH
    splits: tuple[Literal["holdout", "val"], ...] = ("val",)
    train_images: int = 5000
    policy: Policy = ()
    image_size: int | None = None
    batch_size: int = 500
    views: str = "none"

    def __post_init__(self) -> None:
        require(self.every.amount > 0, "evaluation.every: a length of 0 has no end; use '1 epochs'")
        require(len(set(self.splits)) == len(self.splits), "evaluation.splits: names a split twice; name each once")
        require(self.train_images >= 0, f"evaluation.train_images: {self.train_images} is negative; 0 leaves it out")
        require(self.batch_size >= 1, f"evaluation.batch_size: {self.batch_size} is not a positive number")
        size = self.image_size
        require(size is None or 8 <= size <= 1024, f"evaluation.image_size: {size} is not in 8 to 1024 pixels")
        find_views(self.views, "evaluation.views")


@dataclass(frozen=True)
class Checkpointing:
    """Which weights and filters a run keeps beside the first, the last and the best.

    Args:
        keep: ends of epochs whose weights are kept, as epoch numbers.
        filters: ends of epochs whose first-layer filters are kept (those at initialisation and the last always are).
        snapshots: how many networks are kept with their predictions, one at each new best on the split that selects;
            when there are more, the newest replaces the oldest.
    """

    keep: tuple[int, ...] = ()
    filters: tuple[int, ...] = (1, 2, 6, 10)
    snapshots: int = 0

    def __post_init__(self) -> None:
        for name, ends in (("keep", self.keep), ("filters", self.filters)):
            least = min(ends, default=1)
            require(least >= 1, f"checkpointing.{name}: {least} is no epoch, of which the first is 1; leave it out")
        require(self.snapshots >= 0, f"checkpointing.snapshots: {self.snapshots} is negative; 0 keeps none")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run.

    `train_on` says 'fit' (the training split without its holdout) or 'all'. `selected_on` names the split that chooses
    the checkpoint that is reported beside the last one: 'none', 'holdout' or 'val' (as the reports did).

    `interpolation` is the one that brings images to the network's size. `preprocessing` 'network' takes image size,
    interpolation and normalisation from the network's pretrained weights when the run begins, and states them there.

    `train_count` limits training to so many images, drawn by the seed. `fraction` is the part of the full length that
    is trained: each phase is shortened to it and the learning rate runs through its whole schedule in that time.

    Raises:
        RecipeError: a value out of range or an impossible combination, naming field, value and remedy.
    """

    name: str
    model: Model
    optimizer: Optimizer
    phases: tuple[Phase, ...]
    schedule: Schedule = Schedule()
    batch_size: int = 256
    loss: Loss = Loss()
    normalization: Normalization = Normalization()
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    preprocessing: Literal["recipe", "network"] = "recipe"
    evaluation: Evaluation = Evaluation()
    checkpointing: Checkpointing = Checkpointing()
    ema: Ema | None = None
    clip_norm: float | None = None
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    channels_last: bool = False
    compile: bool = False
    train_on: Literal["fit", "all"] = "fit"
    selected_on: Literal["none", "holdout", "val"] = "none"
    seed: int = 0
    train_count: int | None = None
    fraction: float = 1.0

    def __post_init__(self) -> None:
        require(len(self.phases) > 0, "phases: a recipe needs at least one phase")
        require(self.batch_size >= 1, f"batch_size: {self.batch_size} is not a positive number; 256 is usual")
        require(0 <= self.seed < 2**63, f"seed: {self.seed} is not in 0 to 2^63 - 1")
        if self.clip_norm is not None:
            require(
                0 < self.clip_norm < math.inf,
                f"clip_norm: {self.clip_norm} is not a positive number; leave it out for no clipping",
            )
        require(
            self.train_count is None or self.train_count >= 1,
            f"train_count: {self.train_count} is not a positive number of images; leave it out for all of them",
        )
        require(0 < self.fraction <= 1, f"fraction: {self.fraction} is not in (0, 1]; 1 is the full length")
        self._check_honesty()

    def first_size(self, data_size: int) -> int:
        """Return the side in pixels of the first images that reach the network; `data_size` is that of the data's."""
        return self.phases[0].image_size or data_size

    def judged_size(self, data_size: int) -> int:
        """Return the side in pixels of the images that are judged; `data_size` is that of the data's."""
        return self.evaluation.image_size or self.phases[-1].image_size or data_size

    def _check_honesty(self) -> None:
        if self.train_on == "all":
            require(
                self.selected_on != "holdout" and "holdout" not in self.evaluation.splits,
                "train_on: 'all' trains on the holdout too, so nothing can be chosen or measured on it; "
                "use train_on='fit', or take 'holdout' out of selected_on and evaluation.splits",
            )
        if self.selected_on != "none":
            require(
                self.selected_on in self.evaluation.splits,
                f"selected_on: {self.selected_on!r} is never evaluated; add it to evaluation.splits",
            )
        require(
            self.checkpointing.snapshots == 0 or self.selected_on != "none",
            "checkpointing.snapshots: a snapshot is kept at each new best, and nothing selects; set selected_on",
        )
