"""The batches of one phase: a shuffled union of (image, policy) pairs, augmented on the device."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from thumbnet.augment import Augmentation
from thumbnet.augment.geometry import Resampling, resize
from thumbnet.data.resident import ImageSet
from thumbnet.randomness import derive_seed


@dataclass
class EpochOrder:
    """The order in which each epoch of a phase shows its (image, policy) pairs.

    Args:
        seed: the run's seed.
        phase: number of the phase.
        count: of pairs in an epoch.
    """

    seed: int
    phase: int
    count: int
    _last: tuple[int, Tensor] | None = field(default=None, init=False)

    def of(self, epoch: int) -> Tensor:
        """Return the order of an epoch, i64[count]; that of the last one asked for is kept."""
        if self._last is None or self._last[0] != epoch:
            generator = torch.Generator().manual_seed(derive_seed(self.seed, "order", self.phase, epoch))
            self._last = (epoch, torch.randperm(self.count, generator=generator))
        return self._last[1]


@dataclass
class Batches:
    """Batches of one phase by epoch and position; each is a pure function of both and of the seed.

    Args:
        images: the image set.
        positions: i64[M], the images that train.
        augmentations: one a policy; an epoch shows each image once under each of them.
        batch_size: images a batch; the last one of an epoch may be shorter and is kept.
        image_size: side of the images that come out, in pixels.
        seed: the run's seed.
        phase: number of the phase, so that phases draw differently.
        interpolation: how images are brought to that size.
    """

    images: ImageSet
    positions: Tensor
    augmentations: Sequence[Augmentation]
    batch_size: int
    image_size: int
    seed: int
    phase: int
    interpolation: Resampling = "bilinear"
    _order: EpochOrder = field(init=False)

    def __post_init__(self) -> None:
        self._order = EpochOrder(self.seed, self.phase, self.images_per_epoch)

    @property
    def images_per_epoch(self) -> int:
        """Number of (image, policy) pairs in an epoch."""
        return len(self.positions) * len(self.augmentations)

    def batch(self, epoch: int, index: int) -> tuple[Tensor, Tensor]:
        """Return batch `index` of `epoch` (both from 0): images f32[B,3,S,S] in [0, 1], targets i64[B] or f32[B,K]."""
        pairs = self._order.of(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        policies = torch.unique(pairs // len(self.positions)).tolist()
        parts = [self._part(pairs, epoch, index, policy) for policy in policies]
        images = torch.cat([images for images, _ in parts]) if len(parts) > 1 else parts[0][0]
        return images, _join_targets([targets for _, targets in parts])

    def _part(self, pairs: Tensor, epoch: int, index: int, policy: int) -> tuple[Tensor, Tensor]:
        """Return those images of a batch that `policy` augments."""
        chosen = self.positions[pairs[pairs // len(self.positions) == policy] % len(self.positions)]
        images, labels = self.images.take(chosen)
        generator = torch.Generator(self.images.device)
        generator.manual_seed(derive_seed(self.seed, "augment", self.phase, epoch, index, policy))
        images, targets = self.augmentations[policy](images, labels, generator)
        if images.shape[-1] != self.image_size:
            images = resize(images, (self.image_size, self.image_size), self.interpolation)
        return images, targets


def _join_targets(targets: Sequence[Tensor]) -> Tensor:
    """Join class ids and soft targets; ids become one-hot where another part of the batch is soft."""
    if len(targets) == 1:
        return targets[0]
    soft = [target for target in targets if target.ndim == 2]
    if not soft:
        return torch.cat(list(targets))
    classes = soft[0].shape[1]
    return torch.cat(
        [
            target if target.ndim == 2 else torch.nn.functional.one_hot(target, classes).to(soft[0].dtype)
            for target in targets
        ]
    )
