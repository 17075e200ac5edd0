"""Grad-CAM: where in an image the evidence for a class lies (Selvaraju et al. 2017)."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from thumbnet.analyses import Maps
from thumbnet.analysis.subject import Subject
from thumbnet.analysis.traced import run_parts
from thumbnet.errors import RecipeError
from thumbnet.evaluate import Preprocessing

ERRORS, RIGHT = 200, 40
"""Images that are mapped: the errors of highest loss, and right answers spread over all confidences."""

_COARSE = 3
_LAYERS_AFTER = 4
_BATCH = 20


@dataclass(frozen=True)
class MapLayer:
    """The part of a network whose output is mapped: name, its channels, and the side of its maps."""

    name: str
    channels: int
    side: int

    @property
    def note(self) -> str | None:
        """What to know of maps as coarse as these; `None` where they are fine enough."""
        if self.side > _COARSE:
            return None
        return (
            f"the last feature map has {self.side}x{self.side} places, each of which sees nearly the whole image: "
            "the maps are too coarse to say where the network looked"
        )


def map_layer(model: nn.Module, image: Tensor) -> MapLayer:
    """Return the last part of the network that gives a square feature map of more than one pixel.

    Args:
        model: the network.
        image: f[1,3,S,S], any image as the network takes it.

    Raises:
        RecipeError: there is none, or so many layers follow it that what it gives says little of the answer, as in
            networks of attention.
    """
    parts = run_parts(model, image)
    maps = [index for index, part in enumerate(parts) if part.is_map]
    kind = type(model).__name__
    if not maps:
        raise RecipeError(f"Grad-CAM: {kind} has no feature map of more than one pixel; analyse the other parts alone")
    chosen = maps[-1]
    after = sum(isinstance(part.module, nn.Linear | nn.Conv2d) for part in parts[chosen + 1 :])
    if after > _LAYERS_AFTER:
        raise RecipeError(
            f"Grad-CAM: {after} layers with weights follow the last feature map of {kind}, {parts[chosen].name}; "
            "it is made for networks of convolutions up to their end; analyse the other parts alone"
        )
    shape = parts[chosen].shape
    return MapLayer(parts[chosen].name, shape[1], shape[2])


def grad_cam(model: nn.Module, layer: str, inputs: Tensor, classes: Tensor) -> Tensor:
    """Return the maps f32[B,h,w] for one class of each image, 0 or more.

    A channel's weight is the mean over all places of the logit's gradient by that channel's values; the map is the
    weighted sum of the channels where that is positive.

    Args:
        model: the network, in evaluation mode.
        layer: name of the part whose output is mapped.
        inputs: f[B,3,S,S], as the network takes them.
        classes: i64[B].
    """
    outputs: list[Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    try:
        with torch.enable_grad():
            # An input that wants a gradient lets it reach frozen layers too; the copy is no leaf, so that a first
            # layer that works in place may change it.
            logits: Tensor = model(inputs.detach().requires_grad_(True) * 1)
            scores = logits.gather(1, classes[:, None]).sum()
            # The list holds the tensor itself: what works on it in place later changes value and gradient alike.
            (gradient,) = torch.autograd.grad(scores, outputs[-1])
    finally:
        hook.remove()
    weights = gradient.float().mean((2, 3), keepdim=True)
    return (weights * outputs[-1].detach().float()).sum(1).relu_()


def find_maps(subject: Subject) -> Maps:
    """Return the maps of the judged images with the highest losses and of some right ones, computed in 32 bits.

    Raises:
        RecipeError: the network has no such maps (see `map_layer`).
    """
    judged, logits = subject.judged, subject.logits()
    rows = shown_images(logits, judged.labels)
    preprocessing = replace(subject.preprocessing, dtype=torch.float32)
    predicted = logits.argmax(1)
    layer = map_layer(subject.model, _prepared(subject, preprocessing, rows[:1]))
    parts: list[tuple[Tensor, Tensor]] = []
    for start in range(0, len(rows), _BATCH):
        chosen = rows[start : start + _BATCH]
        inputs = _prepared(subject, preprocessing, chosen)
        pair = [
            grad_cam(subject.model, layer.name, inputs, classes[chosen].to(subject.device)).cpu()
            for classes in (predicted, judged.labels)
        ]
        parts.append((pair[0], pair[1]))
        subject.watch("maps", start + len(chosen), len(rows))
    return Maps(
        subject.origin,
        positions=judged.positions[rows].numpy(),
        labels=judged.labels[rows].numpy(),
        predicted=predicted[rows].numpy(),
        for_predicted=torch.cat([first for first, _ in parts]).numpy(),
        for_label=torch.cat([second for _, second in parts]).numpy(),
        split=subject.split,
        subset=judged.name,
        layer=layer.name,
        channels=layer.channels,
        box=seen_box(preprocessing, subject.image_size),
        note=layer.note,
    )


def shown_images(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the rows i64[M] to map: the errors of highest loss, highest first, then right answers.

    The right ones are spread evenly over the order of their losses, lowest first.
    """
    loss = torch.nn.functional.cross_entropy(logits.double(), labels, reduction="none")
    wrong = logits.argmax(1) != labels
    order = loss.argsort(descending=True, stable=True)
    errors, right = order[wrong[order]][:ERRORS], order[~wrong[order]].flip(0)
    spread = torch.linspace(0, max(0, len(right) - 1), min(RIGHT, len(right))).long()
    return torch.cat([errors, right[spread]])


def seen_box(preprocessing: Preprocessing, side: int) -> tuple[float, float, float, float]:
    """Return the part of an image that the network sees: top, left, height and width as shares of its side.

    It is read off an image whose values are the places of its pixels, so that whatever crops is seen.
    """
    place = (torch.arange(side) + 0.5) / side
    grid = torch.stack([place[:, None].expand(side, side), place.expand(side, side), torch.zeros(side, side)])
    seen = preprocessing.policy(grid[None])[0]
    edges: NDArray[np.float64] = np.array(
        [[float(seen[axis].min()), float(seen[axis].max())] for axis in (0, 1)], np.float64
    )
    low = np.floor(edges[:, 0] * side) / side
    high = np.ceil(edges[:, 1] * side) / side
    top, left, height, width = (float(value) for value in (*low, *(high - low)))
    return top, left, height, width


def _prepared(subject: Subject, preprocessing: Preprocessing, rows: Tensor) -> Tensor:
    pixels, _ = subject.judged.images.take(subject.judged.positions[rows])
    return preprocessing.finish(preprocessing.policy(pixels))
