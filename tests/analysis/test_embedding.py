"""Chosen classes, PCA against the singular values, and t-SNE that keeps neighbours together."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

from thumbnet.analysis import Subject, chosen_classes, embed, named_classes
from thumbnet.analysis.embedding import MILANI
from thumbnet.errors import DataError


def unasked() -> NDArray[np.float32]:
    raise AssertionError("the network is asked where its answers decide nothing")


NOTHING = unasked, np.zeros(0, np.int64)


def test_milanis_classes_where_they_are() -> None:
    names = ["sock", "Bullet train, bullet", *reversed(MILANI[:-1]), "lemon"]
    classes, choice = chosen_classes(names, *NOTHING)
    assert choice == "milani"
    assert [names[label].partition(",")[0].lower() for label in classes] == [name.lower() for name in MILANI]


def test_the_most_confused_ones_elsewhere() -> None:
    names = [f"class {label}" for label in range(9)]
    pairs = [(3, 5)] * 9 + [(5, 3)] * 9 + [(0, 8)] * 7 + [(8, 2)] * 6 + [(1, 7)] * 5 + [(4, 6)] * 4 + [(6, 6)] * 50
    labels, predicted = np.array(pairs).T
    classes, choice = chosen_classes(names, lambda: np.eye(9, dtype=np.float32)[predicted], labels)
    assert choice == "confused"
    assert set(classes[:2]) == {3, 5}
    assert set(classes) == {3, 5, 0, 8, 2, 1, 7}


def test_given_ones_and_all() -> None:
    names = ["Egyptian cat", "sock, bootee", "lemon"]
    assert chosen_classes(names, *NOTHING) == ((0, 1, 2), "all")
    assert chosen_classes(names, *NOTHING, ["SOCK", "egyptian cat", "sock"]) == ((1, 0), "given")
    with pytest.raises(DataError, match="class 'soks' is not one of the data's 3; did you mean sock"):
        chosen_classes(names, *NOTHING, ["soks"])


def test_embedding_of_a_run(subject: Subject) -> None:
    found = embed(subject)
    assert len(found.labels) == 64 + 20
    assert found.judged.sum() == 20
    train, judged = subject.train, subject.judged
    np.testing.assert_array_equal(found.labels[~found.judged], train.labels[found.positions[~found.judged]])
    np.testing.assert_array_equal(found.labels[found.judged], judged.labels[found.positions[found.judged]])
    features = np.concatenate(
        [
            subject.train_features().float().numpy()[found.positions[~found.judged]],
            subject.judged_features().float().numpy()[found.positions[found.judged]],
        ]
    ).astype(np.float64)
    left, values, _ = np.linalg.svd(features - features.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.abs(found.pca), np.abs(left[:, :2] * values[:2]), atol=1e-3 * values[0])
    np.testing.assert_allclose(found.explained, (values**2 / (values**2).sum())[:2], rtol=1e-4)
    assert trustworthiness(features, found.tsne, n_neighbors=5) > 0.9
    assert found.width == features.shape[1]


def test_the_same_picture_each_time(subject: Subject) -> None:
    first, second = embed(subject, ["red circle"]), embed(subject, ["red circle"])
    np.testing.assert_array_equal(first.tsne, second.tsne)
    assert set(first.labels.tolist()) == {0}
    assert first.choice == "given"


def test_the_holdout_appears_once(held_out: Subject) -> None:
    found = embed(held_out)
    assert len(set(found.positions.tolist())) == len(found.positions) == 64
    assert found.judged.sum() == 8


def test_a_collapsed_network_has_no_variance(subject: Subject) -> None:
    same = {"train": torch.ones(len(subject.train.labels), 8), "val": torch.ones(len(subject.judged.labels), 8)}
    found = embed(replace(subject, _known=same), ["red circle"])
    assert np.isnan(found.explained).all()
    assert not found.pca.any()
    assert np.isfinite(found.tsne).all()


def test_two_images_are_too_few(subject: Subject) -> None:
    few = replace(subject.judged, positions=subject.judged.positions[:1], labels=subject.judged.labels[:1])
    none = replace(subject.train, labels=subject.train.labels * 0 + 3)
    with pytest.raises(DataError, match="embedding: 1 images"):
        embed(replace(subject, find_judged=lambda: replace(few, labels=few.labels * 0), train=none), ["red circle"])


def test_a_short_name_of_several_classes_is_no_choice() -> None:
    names, ids = ["crane, bird", "crane, machine", "ox", "ox, beast"], ["n1", "n2", "n3", "n4"]
    assert named_classes(names, ["Crane, machine", "n1", "OX"], ids) == (1, 0, 2)
    with pytest.raises(DataError, match="'crane' is the name of 2 classes; give the id of one: n1: crane, bird; n2"):
        named_classes(names, ["crane"], ids)
    with pytest.raises(DataError, match="'crane, ship' is not one of the data's 4"):
        named_classes(names, ["crane, ship"], ids)
