"""What is analysed: a run's network, the images that it is judged on, and those that it trained on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from thumbnet.analyses import Origin
from thumbnet.data import Subset
from thumbnet.evaluate import Preprocessing, predict_logits
from thumbnet.features.extraction import FrozenBody, UnfitFeaturesError, Wanted, extract
from thumbnet.packed import packed_split_of
from thumbnet.recipe import Recipe
from thumbnet.watch import Watch

_REMEDY = "train other weights, as with precision=fp32 or a lower learning rate"


@dataclass(frozen=True)
class Subject:
    """One network with its images.

    Attributes:
        origin: what analyses of it are made from.
        model: the network, in evaluation mode, on `device`.
        recipe: states the preprocessing and the seed.
        image_size: side of the packed images, in pixels.
        class_names: one a class.
        class_ids: the same.
        find_judged: returns images with labels that the network did not train on, where there are any.
        train: all training images.
        device: where to compute.
        folder: of all cached features.
        watch: is told what is going on, images done and images in all; it may raise to stop.
    """

    origin: Origin
    model: nn.Module
    recipe: Recipe
    image_size: int
    class_names: tuple[str, ...]
    class_ids: tuple[str, ...]
    find_judged: Callable[[], Subset]
    train: Subset
    device: torch.device
    folder: Path
    watch: Watch
    _known: dict[str, Tensor] = field(default_factory=dict)

    @cached_property
    def judged(self) -> Subset:
        """Images with labels that the network did not train on, opened when a part first needs them.

        Raises:
            DataError: there are none.
        """
        return self.find_judged()

    @property
    def split(self) -> str:
        """Packed split that holds the judged images."""
        return packed_split_of(self.judged.name)

    @property
    def preprocessing(self) -> Preprocessing:
        """What happens to an image before the network judges it."""
        return Preprocessing.of(self.recipe, self.image_size)

    def logits(self) -> Tensor:
        """Return the logits f32[M,K] of the judged images, on the CPU; computed once."""
        if "logits" not in self._known:
            self._known["logits"] = predict_logits(
                self.model,
                self.judged.images,
                self.judged.positions,
                self.preprocessing,
                batch_size=self.recipe.evaluation.batch_size,
            )
        return self._known["logits"]

    def judged_features(self) -> Tensor:
        """Return the features f16[M,D] of the judged images, cached on the disk.

        Raises:
            UnfitFeaturesError: they are not finite, or 16 bits do not hold them.
        """
        return self._features(self.split, self.judged)[self.judged.positions]

    def train_features(self) -> Tensor:
        """Return the features f16[N,D] of all training images, cached on the disk; raise as for the judged ones."""
        return self._features("train", self.train)

    def _features(self, split: str, subset: Subset) -> Tensor:
        if split not in self._known:
            body = FrozenBody.of(self.model, self.recipe, self.origin.data)
            wanted = Wanted(split, self.preprocessing.image_size, self.recipe.evaluation.policy)
            try:
                found = extract(body, subset.images, wanted, self.folder, self.watch)
            except UnfitFeaturesError as error:
                raise UnfitFeaturesError(error.reason, _REMEDY) from error
            self._known[split] = torch.from_numpy(found)
        return self._known[split]
