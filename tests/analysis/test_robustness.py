"""Accuracy on corrupted images: what a cell holds, and going on with those that are missing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from thumbnet.analyses import Robustness
from thumbnet.analysis import Subject, judge_corrupted
from thumbnet.analysis.robustness import CorruptedSet
from thumbnet.augment.corruptions import CORRUPTIONS, corrupt, image_noise


@pytest.fixture(scope="module")
def whole(subject: Subject) -> Robustness:
    return judge_corrupted(subject, None, lambda _found: None)


def test_a_cell_is_the_network_on_corrupted_images(subject: Subject, whole: Robustness) -> None:
    images = subject.judged.images.take(subject.judged.positions)[0]
    noise = image_noise(subject.recipe.seed, subject.judged.positions, 32, subject.device)
    for row, name in enumerate(whole.corruptions):
        inputs = subject.preprocessing.finish(corrupt(images, name, 4, noise))
        with torch.no_grad():
            expected = subject.model(inputs).argmax(1)
        np.testing.assert_array_equal(whole.predicted[row, 3], expected)
        at = subject.judged.positions.tolist().index(whole.example)
        np.testing.assert_allclose(
            whole.examples[row, 3] / 255, corrupt(images, name, 4, noise)[at].permute(1, 2, 0), atol=1.01 / 255
        )
    np.testing.assert_array_equal(whole.clean, subject.logits().argmax(1))
    assert whole.is_complete
    assert whole.corruptions == tuple(CORRUPTIONS)


def test_going_on_computes_the_rest_alone(subject: Subject, whole: Robustness) -> None:
    states: list[Robustness] = []
    judge_corrupted(subject, None, states.append)
    assert [int(state.is_computed().sum()) for state in states] == list(range(1, 26))
    marked = states[9].predicted.copy()
    marked[0] = 0  # stands for what is there already, and must stay
    rest: list[Robustness] = []
    found = judge_corrupted(subject, replace(states[9], predicted=marked), rest.append)
    assert len(rest) == 15
    assert (found.predicted[0] == 0).all()
    np.testing.assert_array_equal(found.predicted[1:], whole.predicted[1:])
    assert judge_corrupted(subject, found, rest.append) is found
    assert len(rest) == 15


def test_another_definition_begins_anew(subject: Subject, whole: Robustness) -> None:
    old = replace(whole, definition=0, predicted=np.zeros_like(whole.predicted))
    found = judge_corrupted(subject, old, lambda _found: None)
    np.testing.assert_array_equal(found.predicted, whole.predicted)


def test_images_are_the_same_in_any_batch(subject: Subject) -> None:
    images = subject.judged.images
    corrupted = CorruptedSet(images.images, images.labels, images.device, "noise", 3, 0)
    whole, labels = corrupted.take(torch.arange(20))
    parts = [corrupted.take(torch.tensor([position]))[0] for position in (13, 2)]
    torch.testing.assert_close(torch.cat(parts), whole[[13, 2]], rtol=0, atol=1.01 / 255)
    assert float((torch.cat(parts) - whole[[13, 2]]).abs().mean()) < 1e-4
    assert labels.tolist() == images.labels.tolist()
