"""Accuracy on corrupted images: every corruption, every severity."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from thumbnet.analyses import Robustness
from thumbnet.analyses.corruptions import DEFINITION, SEVERITIES
from thumbnet.analysis.layers import sure_images
from thumbnet.analysis.subject import Subject
from thumbnet.augment.corruptions import CORRUPTIONS, corrupt, image_noise
from thumbnet.data import ImageSet
from thumbnet.evaluate import predict_logits


@dataclass(frozen=True)
class CorruptedSet(ImageSet):
    """Images of another set that are corrupted whenever they are taken; the same ones each time, in any batch."""

    name: str
    severity: int
    seed: int

    def take(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the corrupted images at `positions` (i64[B]) as f32[B,3,H,W] in [0, 1], and labels i64[B]."""
        images, labels = super().take(positions)
        noise = None
        if CORRUPTIONS[self.name].is_noisy:
            noise = image_noise(self.seed, positions, images.shape[-1], images.device)
        return corrupt(images, self.name, self.severity, noise), labels


def judge_corrupted(subject: Subject, begun: Robustness | None, keep: Callable[[Robustness], None]) -> Robustness:
    """Return what the network says of the judged images under every corruption and severity.

    Args:
        subject: the network with its images.
        begun: what an earlier call had when it was stopped; its cells are not computed again.
        keep: is given the state after each cell, so that it can be stored.
    """
    found = begun if begun is not None and begun.definition == DEFINITION else _begin(subject)
    cells = [(row, column) for row in range(len(found.corruptions)) for column in range(SEVERITIES)]
    for at, (row, column) in enumerate(cells):
        if found.is_computed()[row, column]:
            continue
        name = found.corruptions[row]
        subject.watch(f"robustness, {name} {column + 1} of {SEVERITIES}", at, len(cells))
        predicted = found.predicted.copy()
        predicted[row, column] = _judge(subject, name, column + 1, found.seed)
        found = replace(found, predicted=predicted)
        keep(found)
    subject.watch("robustness", len(cells), len(cells))
    return found


def _begin(subject: Subject) -> Robustness:
    judged = subject.judged
    shape = (len(CORRUPTIONS), SEVERITIES, len(judged.positions))
    example = int(sure_images(subject.logits(), judged.labels)[0])
    return Robustness(
        subject.origin,
        positions=judged.positions.numpy(),
        labels=judged.labels.numpy(),
        clean=subject.logits().argmax(1).numpy(),
        predicted=np.full(shape, -1, np.int64),
        examples=_examples(subject, example),
        example=int(judged.positions[example]),
        split=subject.split,
        subset=judged.name,
        corruptions=tuple(CORRUPTIONS),
        parameters=tuple(corruption.parameters for corruption in CORRUPTIONS.values()),
        seed=subject.recipe.seed,
        definition=DEFINITION,
    )


def _examples(subject: Subject, row: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return one judged image under every corruption and severity, u8[K,5,H,W,3]."""
    position = subject.judged.positions[row : row + 1]
    taken = [
        _corrupted(subject, name, severity, subject.recipe.seed).take(position)[0][0]
        for name in CORRUPTIONS
        for severity in range(1, SEVERITIES + 1)
    ]
    pixels = torch.stack(taken).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return np.ascontiguousarray(pixels.reshape(len(CORRUPTIONS), SEVERITIES, *pixels.shape[1:]))


def _corrupted(subject: Subject, name: str, severity: int, seed: int) -> CorruptedSet:
    images = subject.judged.images
    return CorruptedSet(images.images, images.labels, images.device, name, severity, seed)


def _judge(subject: Subject, name: str, severity: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    logits = predict_logits(
        subject.model,
        _corrupted(subject, name, severity, seed),
        subject.judged.positions,
        subject.preprocessing,
        batch_size=subject.recipe.evaluation.batch_size,
    )
    return logits.argmax(1).numpy()
