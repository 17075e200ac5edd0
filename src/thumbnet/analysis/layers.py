"""Images on their way through the first layers, and the second layer's weights (Hansen 2015, figure 4)."""

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from thumbnet.analyses import Layers
from thumbnet.analysis.subject import Subject
from thumbnet.analysis.traced import Part, run_parts
from thumbnet.errors import RecipeError
from thumbnet.models import evaluation_mode

IMAGES = 4
CHANNELS = 64
SIDE = 64
"""What is stored: of so many images, so many channels, with sides of at most so many pixels."""


class Stage(NamedTuple):
    """A convolution, and the last part of the norm and the activation behind it."""

    convolution: Part
    end: Part


def first_stages(parts: list[Part]) -> list[Stage]:
    """Return the first two convolutions of `parts` that see more than one pixel, with what stands behind each.

    Raises:
        RecipeError: there is none.
    """
    places = [at for at, part in enumerate(parts) if isinstance(part.module, nn.Conv2d) and part.is_map]
    if not places:
        raise RecipeError("first layers: the network has no convolution; analyse the other parts alone")
    stages = []
    for at in places[:2]:
        end = at
        while end + 1 < len(parts) and _works_on_values(parts[end + 1]) and parts[end + 1].shape == parts[at].shape:
            end += 1
        stages.append(Stage(parts[at], parts[end]))
    return stages


def find_layers(subject: Subject) -> Layers:
    """Return what the first two convolutions make of a few images: the surest right answers of different classes.

    Raises:
        RecipeError: the network has no convolution.
    """
    judged = subject.judged
    rows = sure_images(subject.logits(), judged.labels)
    preprocessing = replace(subject.preprocessing, dtype=torch.float32)
    pixels = preprocessing.policy(judged.images.take(judged.positions[rows])[0])
    inputs = preprocessing.finish(pixels)
    stages = first_stages(run_parts(subject.model, inputs[:1], all_levels=False))
    outputs = _outputs(subject.model, inputs, [stage.end for stage in stages])
    second = stages[1].convolution if len(stages) > 1 else None
    weights = torch.zeros(0, 0, 1, 1) if second is None else second.module.get_parameter("weight").detach()
    return Layers(
        subject.origin,
        positions=judged.positions[rows].numpy(),
        labels=judged.labels[rows].numpy(),
        inputs=pixels.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy(),
        first=_shrunk(outputs[0]).numpy(),
        second=(_shrunk(outputs[1]) if second is not None else torch.zeros(len(rows), 0, 1, 1).half()).numpy(),
        weights=weights.float().cpu().contiguous().numpy(),
        split=subject.split,
        subset=judged.name,
        names=tuple(stage.end.name for stage in stages),
        channels=tuple(output.shape[1] for output in outputs),
        convolution="" if second is None else second.name,
    )


def sure_images(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the rows i64[A] of the likeliest right answers, each of another class; without any, the first images."""
    likelihood = logits.double().log_softmax(1).amax(1)
    right = logits.argmax(1) == labels
    chosen: dict[int, int] = {}
    for row in likelihood.argsort(descending=True, stable=True).tolist():
        if right[row] and int(labels[row]) not in chosen:
            chosen[int(labels[row])] = row
        if len(chosen) == IMAGES:
            break
    return torch.tensor(list(chosen.values()) or range(min(IMAGES, len(labels))), dtype=torch.int64)


def _works_on_values(part: Part) -> bool:
    """Return whether a part gives each value a new one, as norms and activations do."""
    kinds = (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Dropout, nn.Flatten)
    return not isinstance(part.module, kinds)


def _outputs(model: nn.Module, inputs: Tensor, parts: list[Part]) -> list[Tensor]:
    """Return what each of `parts` gives for `inputs`, the time that it is: one module may run several times."""
    calls: Counter[nn.Module] = Counter()
    found: dict[tuple[nn.Module, int], Tensor] = {}
    wanted = {(part.module, part.before) for part in parts}

    def note(module: nn.Module, _inputs: object, output: Tensor) -> None:
        call = module, calls[module]
        if call in wanted:
            found[call] = output.detach().clone()  # what follows may work in place
        calls[module] += 1

    hooks = [module.register_forward_hook(note) for module in {part.module for part in parts}]
    try:
        with torch.no_grad(), evaluation_mode(model):
            model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return [found[part.module, part.before] for part in parts]


def _shrunk(output: Tensor) -> Tensor:
    """Return at most the first 64 channels of f[A,C,h,h], with sides of at most 64 pixels by averaging, as f16."""
    output = output[:, :CHANNELS].float()
    if output.shape[-1] > SIDE:
        output = functional.adaptive_avg_pool2d(output, SIDE)
    largest = torch.finfo(torch.float16).max
    return output.clamp(-largest, largest).half().cpu().contiguous()
