"""How long a recipe takes on this machine, from a few real steps on random images: an estimate, not a promise."""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from thumbnet.data import RowBatches, Subset
from thumbnet.data.resident import ImageSet
from thumbnet.errors import RecipeError
from thumbnet.evaluate import predict_logits
from thumbnet.features.body import body_of, feature_count
from thumbnet.features.description import batch_of
from thumbnet.features.extraction import Wanted, batch_features
from thumbnet.models import without_weights
from thumbnet.packed import ClassInfo, PackedDataset, subset_indices
from thumbnet.predictions import SPLITS
from thumbnet.recipe import Recipe
from thumbnet.train.begin import with_own_preprocessing
from thumbnet.train.cached import judges_features, judging_features, training_features
from thumbnet.train.hardware import flush_denormals, memory_advice
from thumbnet.train.plan import PhasePlan, Plan, make_plan
from thumbnet.train.trainer import Trainer, make_trainer
from thumbnet.views import find_views

_BATCHES = (4, 16, 64, 256, 1024)
_EVALUATION_SHARE = 0.2


@dataclass(frozen=True)
class DataShape:
    """What a plan needs to know of data: images of each split, side of the images in pixels, and classes.

    `train` counts the whole training split; `holdout` is the part of it that is held out.
    """

    train: int
    holdout: int
    val: int
    test: int
    image_size: int
    classes: int


TINY_IMAGENET = DataShape(100_000, 10_000, 10_000, 10_000, 64, 200)


@dataclass(frozen=True)
class Estimate:
    """Expected seconds of training steps, of evaluations, and of features to cache, on the device that was tried."""

    train_seconds: float
    evaluation_seconds: float
    extraction_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.train_seconds + self.evaluation_seconds + self.extraction_seconds


def shape_of(dataset: PackedDataset) -> DataShape:
    """Return the shape of a packed data set.

    Raises:
        DataError: it has no training split, or that is damaged.
        StorageError: a file of it is missing.
    """
    split = dataset.split("train", verify=False)
    return DataShape(
        train=len(split),
        holdout=len(subset_indices(split, "holdout")),
        val=dataset.counts.get("val", 0),
        test=dataset.counts.get("test", 0),
        image_size=dataset.image_size,
        classes=len(dataset.classes),
    )


def plan_for(recipe: Recipe, shape: DataShape) -> Plan:
    """Return the plan of `recipe` for data of `shape`.

    Raises:
        RecipeError: it asks for more images than there are, or a length does not fit.
    """
    return make_plan(recipe, _training_images(recipe, shape), shape.image_size)


def full_epochs(recipe: Recipe, shape: DataShape) -> float:
    """Return the full length of `recipe` in epochs, whatever part of it is trained."""
    return sum(phase.full_steps / phase.steps_per_epoch for phase in plan_for(recipe, shape).phases)


def estimate(
    recipe: Recipe, device: torch.device, shape: DataShape = TINY_IMAGENET, *, seconds: float = 3.0
) -> Estimate:
    """Return how long `recipe` is expected to take on `device`, as busy as that is now.

    Found in about `seconds`, or more where the two smallest batches of each phase take longer.
    Each phase takes real steps at its own size, policies, precision and trainable parameters, on batches as large as
    the time allows; the plan's steps and evaluations are extrapolated from them. Pretrained weights are replaced by
    random ones, which take as long, and nothing is compiled. Checkpoints are not counted. Features that phases cache
    are counted as if none of them were there yet.

    Raises:
        ThumbnetError: the recipe cannot be trained here.
    """
    prepared = with_own_preprocessing(recipe)
    plain = replace(prepared, model=without_weights(recipe.model), compile=False)
    plan = plan_for(plain, shape)
    with torch.random.fork_rng(), flush_denormals(), memory_advice(recipe.batch_size):
        trainer = _trainer(plain, plan, shape, device)
        budget = seconds * (1 - _EVALUATION_SHARE) / len(plan.phases)
        train = sum(_phase_seconds(trainer, phase, _training_images(plain, shape), budget) for phase in plan.phases)
        judged = judged_images(plain, plan, shape)
        evaluation = judged * _judging_seconds(trainer, seconds * _EVALUATION_SHARE) if judged else 0.0
        extraction = sum(
            images * _extraction_seconds(trainer, phase, budget)
            for phase, images in zip(plan.phases, extracted_images(plain, plan, shape), strict=True)
            if images
        )
    return Estimate(train, evaluation, extraction)


def _training_images(recipe: Recipe, shape: DataShape) -> int:
    images = shape.train - (shape.holdout if recipe.train_on == "fit" else 0)
    if recipe.train_count is None:
        return images
    if recipe.train_count > images:
        raise RecipeError(f"train_count: {recipe.train_count} images where there are {images} to train on; lower it")
    return recipe.train_count


def judged_images(recipe: Recipe, plan: Plan, shape: DataShape) -> int:
    """Return how many images a run of `recipe` judges: at each evaluation, and in all views of every split at the end.

    Those that it judges by cached features are not counted.
    """
    views = find_views(recipe.evaluation.views)
    times = 0 if judges_features(recipe, plan.phases[-1]) else 1
    times += 0 if views.name == "none" else views.count
    counts = {"holdout": shape.holdout, "val": shape.val, "test": shape.test}
    each = sum(counts[split] for split in recipe.evaluation.splits)
    each += min(recipe.evaluation.train_images, _training_images(recipe, shape))
    evaluations = sum(not judges_features(recipe, plan.phase_at(step - 1)) for step in plan.milestones)
    return each * evaluations + times * sum(counts[split] for split in SPLITS)


def extracted_images(recipe: Recipe, plan: Plan, shape: DataShape) -> list[int]:
    """Return how many images' features a run of `recipe` computes as each of its phases begins.

    Those that an earlier phase has computed of the same body are found again.
    """
    counts = {"train": shape.train, "val": shape.val, "test": shape.test}
    judged_size = recipe.judged_size(shape.image_size)
    probe = recipe.evaluation.train_images
    subsets = {"holdout"} | {name for name, images in {**counts, "train_eval": probe}.items() if images}
    found: list[int] = []
    known: list[Wanted] = []
    for phase in plan.phases:
        new: list[Wanted] = []
        if phase.phase.cached_features:
            judged = judging_features(recipe, plan, phase, judged_size, subsets)
            for one in itertools.chain(*training_features(phase), judged.values()):
                if one not in (*known, *new):
                    new.append(one)
        found.append(sum(counts[one.split] for one in new))
        known = known + new if phase.phase.cached_features else []  # other phases change the body
    return found


def _trainer(recipe: Recipe, plan: Plan, shape: DataShape, device: torch.device) -> Trainer:
    """Return a trainer of `recipe` on one batch of random images of `shape`."""
    random = np.random.default_rng(0)
    count, size = recipe.batch_size, shape.image_size
    images: NDArray[np.uint8] = random.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    labels = torch.from_numpy(random.integers(0, shape.classes, count))
    placed = ImageSet(torch.from_numpy(images).to(device), labels.to(device), device)
    ids = tuple(str(index) for index in range(count))
    subset = Subset("train", placed, torch.arange(count), ids, labels)
    classes = tuple(ClassInfo(str(index), str(index)) for index in range(shape.classes))
    counts: Mapping[str, int] = {"train": count}
    dataset = PackedDataset(Path("random"), "random", size, classes, counts, "", {}, {})
    return make_trainer(recipe, plan, dataset, {"train": subset}, device)


def _phase_seconds(trainer: Trainer, phase: PhasePlan, images: int, budget: float) -> float:
    """Return the expected seconds of all steps of `phase`, over `images` training images."""
    trainer.enter(phase.start)
    if phase.phase.cached_features:
        trainer.batches = _random_rows(trainer, phase)
    cost = batch_cost(lambda batch: _step_seconds(trainer, phase, batch), trainer.recipe.batch_size, budget)
    pairs = images * len(phase.phase.policies)
    return phase.steps * cost(pairs / phase.steps_per_epoch)


def _random_rows(trainer: Trainer, phase: PhasePlan) -> RowBatches:
    """Return batches of random features in the place of cached ones, as many as there are images."""
    train = trainer.subsets["train"]
    rows = torch.rand(len(train.positions), feature_count(trainer.state.model), device=trainer.device)
    copy = [rows] * len(phase.phase.policies)
    size, seed = trainer.recipe.batch_size, trainer.recipe.seed
    return RowBatches([copy], train.positions, train.labels, size, seed, phase.index, trainer.device)


def _extraction_seconds(trainer: Trainer, phase: PhasePlan, budget: float) -> float:
    """Return the expected seconds of computing the features of one image for `phase`."""
    images = trainer.subsets["train"].images
    wanted = Wanted("train", phase.image_size, phase.phase.policies[0])

    def measure(batch: int) -> float:
        began = time.perf_counter()
        batch_features(network, trainer.recipe, images, wanted, range(batch)).cpu()
        return time.perf_counter() - began

    largest = min(batch_of(images.device.type), len(images))
    with body_of(trainer.state.model) as network:
        return batch_cost(measure, largest, budget)(largest) / largest


def _judging_seconds(trainer: Trainer, budget: float) -> float:
    """Return the expected seconds of judging one image."""
    largest = min(trainer.recipe.evaluation.batch_size, trainer.recipe.batch_size)
    return batch_cost(lambda batch: _judge_seconds(trainer, batch), largest, budget)(largest) / largest


def batch_cost(measure: Callable[[int], float], largest: int, budget: float) -> Callable[[float], float]:
    """Return a function that gives the seconds that a batch of any size is expected to take.

    `measure` takes a batch of a given size and returns its seconds. The two smallest sizes are measured in any case,
    and larger ones up to `largest` while there is time; each twice, and the faster one counts.
    """
    sizes = [*(size for size in _BATCHES if size < largest), largest]
    measure(sizes[0])  # warms up: allocates the optimiser's state, chooses kernels
    began = time.perf_counter()
    found: list[tuple[int, float]] = []
    for size in sizes:
        expected = 3 * found[-1][1] * size / found[-1][0] if found else 0.0
        if len(found) >= 2 and time.perf_counter() - began + expected > budget:
            break
        found.append((size, min(measure(size), measure(size))))
    (small, least), (large, seconds) = found[0], found[-1]
    # What a step costs whatever its size, such as the optimiser's part, must not be multiplied with the images.
    slope = (seconds - least) / (large - small) if seconds > least else seconds / large
    return lambda size: seconds + (size - large) * slope if size > small else least


def _step_seconds(trainer: Trainer, phase: PhasePlan, batch: int) -> float:
    """Return the seconds of one training step of `phase` on `batch` images."""
    assert trainer.batches is not None
    trainer.batches = replace(trainer.batches, batch_size=batch)
    _wait(trainer.device)
    began = time.perf_counter()
    images, targets = trainer.batch(phase.start)
    trainer.update(trainer.loss(trainer.logits(images, phase.start), targets))
    _wait(trainer.device)
    return time.perf_counter() - began


def _judge_seconds(trainer: Trainer, batch: int) -> float:
    """Return the seconds of judging `batch` images."""
    train = trainer.subsets["train"]
    began = time.perf_counter()
    predict_logits(trainer.state.judged, train.images, train.positions[:batch], trainer.preprocessing)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    """Wait until `device` has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
