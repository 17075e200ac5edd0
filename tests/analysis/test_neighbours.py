"""Nearest neighbours against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from tests.analysis.helpers import CPU
from thumbnet.analysis import Subject, find_neighbours, neighbours
from thumbnet.watch import silent


def test_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_QUERIES", 7)
    monkeypatch.setattr(neighbours, "_CANDIDATES", 11)
    random = np.random.default_rng(0)
    queries, candidates = random.normal(size=(30, 6)).astype("f4"), random.normal(size=(50, 6)).astype("f4")
    cosines, found = neighbours.nearest(torch.from_numpy(queries), torch.from_numpy(candidates), 5, CPU, silent)
    oracle = NearestNeighbors(n_neighbors=5, metric="cosine").fit(candidates)
    distances, expected = oracle.kneighbors(queries)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(1 - cosines.numpy(), distances, atol=1e-6)


def test_equal_ones_in_order_and_not_oneself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_CANDIDATES", 3)
    rows = torch.tensor([[1.0, 0], [0, 1], [2, 0], [3, 0], [0, 1], [4, 0], [5, 0]])
    _, found = neighbours.nearest(rows, rows, 3, CPU, silent)
    assert found[0].tolist() == [0, 2, 3]
    assert found[1, :2].tolist() == [1, 4]
    _, others = neighbours.nearest(rows, rows, 3, CPU, silent, own=torch.arange(7))
    assert others[0].tolist() == [2, 3, 5]
    assert others[3].tolist() == [0, 2, 5]
    assert neighbours.nearest(rows, rows, 9, CPU, silent, own=torch.arange(7))[1].shape == (7, 6)


def test_neighbours_of_a_run(subject: Subject) -> None:
    found = find_neighbours(subject)
    assert found.found.shape == (20, 8)
    np.testing.assert_array_equal(found.found_labels, subject.train.labels.numpy()[found.found])
    features = subject.train_features()[found.found[3]].float(), subject.judged_features()[3].float()
    expected = torch.nn.functional.cosine_similarity(*features)
    np.testing.assert_allclose(found.similarity[3], expected, atol=1e-5)
    assert found.subset == found.split == "val"


def test_the_holdout_is_not_its_own_neighbour(held_out: Subject) -> None:
    found = find_neighbours(held_out)
    assert (found.split, found.subset) == ("train", "holdout")
    assert not (found.found == found.positions[:, None]).any()
