"""Judging a network: logits of images under a fixed preprocessing and a choice of test-time views."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from thumbnet.augment import build_evaluation_policy, normalize
from thumbnet.augment.geometry import resize
from thumbnet.data import ImageSet, Subset
from thumbnet.errors import RecipeError, nearest
from thumbnet.models import evaluation_mode
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipe import Recipe

View = Callable[[Tensor], Tensor]
"""Maps images f[B,3,H,W] to images of the same shape."""

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Preprocessing:
    """What happens to an image before the network judges it: policy, size, normalisation and precision."""

    policy: View
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dtype: torch.dtype
    channels_last: bool

    @classmethod
    def of(cls, recipe: Recipe, data_size: int) -> "Preprocessing":
        """Return the preprocessing that `recipe` states for data of side `data_size`."""
        size = recipe.evaluation.image_size or recipe.phases[-1].image_size or data_size
        return cls(
            policy=build_evaluation_policy(recipe.evaluation.policy),
            image_size=size,
            mean=recipe.normalization.mean,
            std=recipe.normalization.std,
            dtype=DTYPES[recipe.precision],
            channels_last=recipe.channels_last,
        )

    def finish(self, images: Tensor) -> Tensor:
        """Resize, normalise and lay out images f[B,3,H,W] in [0, 1] for the network."""
        if images.shape[-1] != self.image_size:
            images = resize(images, (self.image_size, self.image_size))
        return self.lay_out(images)

    def lay_out(self, images: Tensor) -> Tensor:
        """Normalise images f[B,3,H,W] in [0, 1], and give them the network's number format and memory format.

        Mixed precision would round them to the same numbers at the first layer; here that takes no pass of its own.
        """
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return normalize(images, self.mean, self.std).to(self.dtype, memory_format=layout)


def _corner(vertical: int, horizontal: int, side: float) -> View:
    def view(images: Tensor) -> Tensor:
        size = images.shape[-1]
        crop = round(side * size)
        top, left = vertical * (size - crop), horizontal * (size - crop)
        return resize(images[:, :, top : top + crop, left : left + crop], (size, size))

    return view


def _whole(images: Tensor) -> Tensor:
    return images


def _mirrored(view: View) -> View:
    return lambda images: view(images).flip(-1)


_CORNERS = tuple(_corner(v, h, 56 / 64) for v in (0, 1) for h in (0, 1))

VIEWS: Mapping[str, Sequence[View]] = {
    "none": (_whole,),
    "flip": (_whole, _mirrored(_whole)),
    "ten-crop": tuple(v for view in (_whole, *_CORNERS) for v in (view, _mirrored(view))),
}
"""Test-time views; 'ten-crop' is Milani's: the whole image, four corners of 56 of 64 pixels, and their mirrors."""


def find_views(name: str) -> Sequence[View]:
    """Return the views called `name`.

    Raises:
        RecipeError: there are none of that name.
    """
    if name not in VIEWS:
        raise RecipeError(f"views {name!r} are unknown; {nearest(name, VIEWS)}")
    return VIEWS[name]


@torch.no_grad()
def predict_logits(
    model: nn.Module,
    images: ImageSet,
    positions: Tensor,
    preprocessing: Preprocessing,
    *,
    views: str = "none",
    batch_size: int = 500,
) -> Tensor:
    """Return the network's logits f32[M,K], on the CPU, for the images at `positions` (i64[M]).

    With several views the result is the logarithm of the mean of the views' probabilities. The network's mode is
    restored afterwards; each image is judged once, the short last batch included.
    """
    chosen = find_views(views)
    parts = []
    with evaluation_mode(model):
        for batch in torch.split(positions, batch_size):
            inputs = preprocessing.policy(images.take(batch)[0])
            parts.append(_judge(model, inputs, preprocessing, chosen).cpu())
    return torch.cat(parts)


def predict_subset(
    model: nn.Module,
    subset: Subset,
    recipe: Recipe,
    dataset: PackedDataset,
    *,
    weights: str,
    views: str = "none",
    commit: str | None = None,
) -> Predictions:
    """Return the network's predictions for `subset` of `dataset`, prepared as `recipe` states.

    Args:
        model: the network, with the weights called `weights`.
        subset: the images.
        recipe: states preprocessing, precision and batch size.
        dataset: gives the class list and the fingerprint.
        weights: which weights these are; goes into the provenance.
        views: test-time views by name.
        commit: commit of the source that trained the network; goes into the provenance.
    """
    logits = predict_logits(
        model,
        subset.images,
        subset.positions,
        Preprocessing.of(recipe, dataset.image_size),
        views=views,
        batch_size=recipe.evaluation.batch_size,
    )
    return Predictions(
        split=subset.name,
        image_ids=subset.image_ids,
        logits=logits.numpy(),
        labels=subset.labels.numpy(),
        classes=tuple(info.id for info in dataset.classes),
        provenance=provenance(recipe, dataset.fingerprint, weights, views=views, commit=commit),
    )


def provenance(
    recipe: Recipe, fingerprint: str, weights: str, *, views: str = "none", commit: str | None = None
) -> dict[str, Any]:
    """Return where predictions come from: recipe, data, weights, views, the seed, and the commit of the source."""
    return {
        "recipe": recipe.name,
        "data": fingerprint,
        "weights": weights,
        "views": views,
        "train_on": recipe.train_on,
        "seed": recipe.seed,
        "commit": commit,
    }


def _judge(model: nn.Module, images: Tensor, preprocessing: Preprocessing, views: Sequence[View]) -> Tensor:
    reduced = preprocessing.dtype != torch.float32
    results = []
    for view in views:
        inputs = preprocessing.finish(view(images))
        with torch.autocast(images.device.type, preprocessing.dtype, enabled=reduced):
            outputs: Tensor = model(inputs)
        results.append(outputs.float())
    if len(results) == 1:
        return results[0]
    probabilities = torch.stack([result.softmax(-1) for result in results]).mean(0)
    return probabilities.clamp_min(torch.finfo(torch.float32).tiny).log()
