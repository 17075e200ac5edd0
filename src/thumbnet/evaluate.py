"""Judging a network: logits of images under a fixed preprocessing and a choice of test-time views."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from thumbnet.augment import build_evaluation_policy, normalize
from thumbnet.augment.geometry import Resampling, enlarge, resize
from thumbnet.data import ImageSet, Subset
from thumbnet.ensemble import Over
from thumbnet.models import evaluation_mode
from thumbnet.packed import PackedDataset
from thumbnet.predictions import Predictions
from thumbnet.recipe import Recipe
from thumbnet.views import Views, find_views

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def mixed_precision(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Return the context in which products are computed in `dtype`, and nothing changes where that is float32."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


@dataclass(frozen=True)
class Preprocessing:
    """What happens to an image before the network judges it: policy, resize, normalisation and precision."""

    policy: Callable[[Tensor], Tensor]
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dtype: torch.dtype
    channels_last: bool
    interpolation: Resampling = "bilinear"

    @classmethod
    def of(cls, recipe: Recipe, data_size: int) -> "Preprocessing":
        """Return the preprocessing that `recipe` states for data of side `data_size`."""
        return cls(
            policy=build_evaluation_policy(recipe.evaluation.policy),
            image_size=recipe.judged_size(data_size),
            mean=recipe.normalization.mean,
            std=recipe.normalization.std,
            dtype=DTYPES[recipe.precision],
            channels_last=recipe.channels_last,
            interpolation=recipe.interpolation,
        )

    def finish(self, images: Tensor) -> Tensor:
        """Resize, normalise and lay out images f[B,3,H,W] in [0, 1] for the network."""
        size = self.image_size
        if self.channels_last and images.shape[-1] < size:
            # Values before the resize are fewer to normalise, and the result is the same.
            return enlarge(normalize(images, self.mean, self.std), size, self.interpolation, self.dtype)
        if images.shape[-1] != size:
            images = resize(images, (size, size), self.interpolation)
        return self.lay_out(images)

    def lay_out(self, images: Tensor) -> Tensor:
        """Normalise images f[B,3,H,W] in [0, 1], and give them the network's number format and memory format.

        Mixed precision would round them to the same numbers at the first layer; here that takes no pass of its own.
        """
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return normalize(images, self.mean, self.std).to(self.dtype, memory_format=layout)


def _batch(batch_size: int, image_size: int, device: torch.device) -> int:
    """Return how many images are judged at once.

    On the CPU large images come in smaller batches: beyond some hundred megabytes a layer, fresh memory costs more
    time than the layer (EfficientNet-Lite0 judged 105 images/s of 224 pixels in batches of 40, and 29 in 500).
    """
    return batch_size if device.type != "cpu" else max(1, min(batch_size, batch_size * 64**2 // image_size**2))


@torch.no_grad()
def predict_logits(
    model: nn.Module,
    images: ImageSet,
    positions: Tensor,
    preprocessing: Preprocessing,
    *,
    views: str = "none",
    over: Over = "probabilities",
    batch_size: int = 500,
) -> Tensor:
    """Return the network's logits f32[M,K], on the CPU, for the images at `positions` (i64[M]).

    With several views (`thumbnet.views`) the result is the logarithm of the mean of their probabilities, or with
    `over` 'logits' the mean of their logits. The network's mode is restored afterwards; each image is judged once, the
    short last batch included.

    Raises:
        RecipeError: `views` are unknown.
    """
    chosen = find_views(views)
    parts = []
    with evaluation_mode(model):
        for batch in torch.split(positions, _batch(batch_size, preprocessing.image_size, images.device)):
            inputs = preprocessing.policy(images.take(batch)[0])
            parts.append(_average(_judge(model, inputs, preprocessing, chosen), over).cpu())
    return torch.cat(parts)


def predict_subset(
    model: nn.Module,
    subset: Subset,
    recipe: Recipe,
    dataset: PackedDataset,
    *,
    weights: str,
    views: str = "none",
    over: Over = "probabilities",
    commit: str | None = None,
    logits: Tensor | None = None,
) -> Predictions:
    """Return the network's predictions for `subset` of `dataset`, prepared as `recipe` states.

    Args:
        model: the network, with the weights called `weights`.
        subset: the images.
        recipe: states preprocessing, precision and batch size.
        dataset: gives the class list and the fingerprint.
        weights: which weights these are; goes into the provenance.
        views: test-time views (`thumbnet.views`).
        over: what is averaged over the views.
        commit: commit of the source that trained the network; goes into the provenance.
        logits: f32[M,K], where the network's are known already, as from cached features.
    """
    if logits is None:
        logits = predict_logits(
            model,
            subset.images,
            subset.positions,
            Preprocessing.of(recipe, dataset.image_size),
            views=views,
            over=over,
            batch_size=recipe.evaluation.batch_size,
        )
    return Predictions(
        split=subset.name,
        image_ids=subset.image_ids,
        logits=logits.numpy(),
        labels=subset.labels.numpy(),
        classes=tuple(info.id for info in dataset.classes),
        provenance=provenance(recipe, dataset.fingerprint, weights, views=views, over=over, commit=commit),
    )


def provenance(
    recipe: Recipe,
    fingerprint: str,
    weights: str,
    *,
    views: str = "none",
    over: Over = "probabilities",
    commit: str | None = None,
) -> dict[str, Any]:
    """Return where predictions come from: recipe, data, weights, views, the seed, and the commit of the source.

    `over` says what was averaged over the views; `None` where there is only one. `pretrained` says whether training
    began from weights that have seen other images.
    """
    chosen = find_views(views)
    return {
        "recipe": recipe.name,
        "data": fingerprint,
        "weights": weights,
        "views": chosen.name,
        "over": over if chosen.count > 1 else None,
        "train_on": recipe.train_on,
        "pretrained": recipe.model.pretrained,
        "seed": recipe.seed,
        "commit": commit,
    }


def _judge(model: nn.Module, images: Tensor, preprocessing: Preprocessing, views: Views) -> list[Tensor]:
    """Return the logits f32[B,K] of each view; a part of an image goes to the network's size in one resize."""
    results = []
    for view in views.parts:
        top, left, side = view.box(images.shape[-1])
        seen = preprocessing.finish(images[:, :, top : top + side, left : left + side])
        for inputs in (seen, seen.flip(-1)) if view.mirrored else (seen,):
            with mixed_precision(images.device, preprocessing.dtype):
                outputs: Tensor = model(inputs)
            results.append(outputs.float())
    return results


def _average(results: Sequence[Tensor], over: Over) -> Tensor:
    """Return the average of logits f32[B,K]; one alone stays as it is."""
    if len(results) == 1:
        return results[0]
    if over == "logits":
        return torch.stack(list(results)).mean(0)
    # Sums of probabilities stay logarithms: a probability that is too small for a float keeps its rank.
    return torch.stack([result.log_softmax(-1) for result in results]).logsumexp(0) - math.log(len(results))
