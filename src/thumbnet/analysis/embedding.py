"""Features of a few classes in two dimensions: principal components, and t-SNE (Milani 2017, figure 11)."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.analyses import Embedding
from thumbnet.analyses.results import Choice
from thumbnet.analysis.subject import Subject
from thumbnet.errors import DataError, nearest
from thumbnet.randomness import derive_seed

MILANI = (
    "convertible",
    "sports car",
    "plunger",
    "Egyptian cat",
    "Persian cat",
    "golden retriever",
    "bullet train",
)
"""The classes of Milani's figure 11."""

COUNT = 7
"""Classes that are shown where the data has others."""

_TRAIN_EACH = 500
_COMPONENTS = 50
_PERPLEXITY = 30.0


def chosen_classes(
    names: Sequence[str],
    predict: Callable[[], NDArray[np.float32]],
    labels: NDArray[np.int64],
    given: Sequence[str] = (),
    ids: Sequence[str] = (),
) -> tuple[tuple[int, ...], Choice]:
    """Return the labels of the classes to show, and why these.

    They are `given` ones; else Milani's, where the data has them all; else the seven that are confused most; else all.
    The pairs of classes with the most errors between them come first.

    Args:
        names: of all classes; what stands before a comma is enough.
        predict: gives logits f32[N,K] of images that the network did not train on; called only where they decide.
        labels: i64[N], theirs.
        given: names or ids of classes, see `named_classes`.
        ids: of all classes.

    Raises:
        DataError: a given class is unknown, or several have this name.
    """
    if given:
        return named_classes(names, given, ids), "given"
    short = _short_names(names)
    if all(len(short.get(name.lower(), ())) == 1 for name in MILANI):
        return tuple(short[name.lower()][0] for name in MILANI), "milani"
    if len(names) <= COUNT:
        return tuple(range(len(names))), "all"
    return _most_confused(predict().argmax(1), labels, len(names)), "confused"


def embed(subject: Subject, given: Sequence[str] = ()) -> Embedding:
    """Return the embedding of the images of a few classes, at most 500 training images of each.

    t-SNE starts from the principal components, on the first 50 of them, so that its picture is the same each time with
    the same libraries. It is scikit-learn's, by Barnes and Hut's approximation.

    Args:
        subject: the network with its images.
        given: names of classes, see `chosen_classes`.

    Raises:
        ThumbnetError: the features cannot be computed or kept, or a class is unknown.
    """
    judged, train = subject.judged, subject.train
    classes, choice = chosen_classes(
        subject.class_names, lambda: subject.logits().numpy(), judged.labels.numpy(), given, subject.class_ids
    )
    own = set(judged.positions.tolist()) if subject.split == "train" else set()
    theirs = [row for row in _first_of_each(train.labels.numpy(), classes, _TRAIN_EACH) if row not in own]
    rows = np.flatnonzero(np.isin(judged.labels.numpy(), classes))
    features = torch.cat(
        [subject.train_features()[torch.tensor(theirs, dtype=torch.int64)], subject.judged_features()[rows]]
    )
    seed = derive_seed(subject.recipe.seed, "embedding") % 2**32
    subject.watch("embedding", 0, len(features))
    pca, explained, tsne, perplexity = _project(features.float().numpy(), seed)
    subject.watch("embedding", len(features), len(features))
    return Embedding(
        subject.origin,
        judged=np.arange(len(features)) >= len(theirs),
        positions=np.concatenate([np.array(theirs, np.int64), judged.positions.numpy()[rows]]),
        labels=np.concatenate([train.labels.numpy()[theirs], judged.labels.numpy()[rows]]).astype(np.int64),
        pca=pca,
        tsne=tsne,
        split=subject.split,
        subset=judged.name,
        classes=classes,
        choice=choice,
        explained=explained,
        perplexity=perplexity,
        seed=seed,
        width=features.shape[1],
    )


def _project(
    features: NDArray[np.float32], seed: int
) -> tuple[NDArray[np.float32], tuple[float, float], NDArray[np.float32], float]:
    """Return PCA f32[P,2], its shares of variance (nan without any), t-SNE f32[P,2] and its perplexity."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    count = len(features)
    if count < 3 or features.shape[1] < 2:
        raise DataError(f"embedding: {count} images of {features.shape[1]} features; there must be at least 3 of 2")
    perplexity = min(_PERPLEXITY, (count - 1) / 3)
    # Features that are all the same have no variance: its shares are 0 / 0.
    with threadpool_limits(torch.get_num_threads()), np.errstate(invalid="ignore"):
        pca = PCA(min(_COMPONENTS, count, features.shape[1]), svd_solver="full")
        components = pca.fit_transform(features)
        start = components[:, :2] / max(float(components[:, 0].std()), np.finfo(np.float32).tiny) * 1e-4
        tsne = TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(components)
    shares = pca.explained_variance_ratio_
    return components[:, :2].astype(np.float32), (float(shares[0]), float(shares[1])), tsne, perplexity


def named_classes(names: Sequence[str], given: Sequence[str], ids: Sequence[str] = ()) -> tuple[int, ...]:
    """Return the labels of the `given` classes, each once; case does not matter.

    A class is given by its id, by its whole name, or by what stands before the first comma where one class alone is
    called so.

    Raises:
        DataError: no class is called so, or several are.
    """
    short, whole, known = _short_names(names), _labels_of(names), _labels_of(ids)
    found = []
    for name in given:
        key = name.strip().lower()
        labels = known.get(key) or whole.get(key) or short.get(key, [])
        if not labels:
            hint = nearest(_short(name), {*short, *known} if ids else short)[:300]
            raise DataError(f"class {name!r} is not one of the data's {len(names)}; {hint}")
        if len(labels) > 1:
            candidates = "; ".join(f"{ids[label]}: {names[label]}" if ids else names[label] for label in labels[:8])
            raise DataError(f"class {name!r} is the name of {len(labels)} classes; give the id of one: {candidates}")
        found.append(labels[0])
    return tuple(dict.fromkeys(found))


def _labels_of(texts: Sequence[str]) -> dict[str, list[int]]:
    """Return the labels of each text, whatever its case."""
    found: dict[str, list[int]] = {}
    for label, text in enumerate(texts):
        found.setdefault(text.strip().lower(), []).append(label)
    return found


def _short_names(names: Sequence[str]) -> dict[str, list[int]]:
    """Return the labels of each short name."""
    return _labels_of([_short(name) for name in names])


def _short(name: str) -> str:
    return name.partition(",")[0].strip().lower()


def _most_confused(predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> tuple[int, ...]:
    counts = metrics.confusion(labels, predicted, classes)
    between = np.triu(counts + counts.T, 1)
    pairs = np.argsort(-between, axis=None, kind="stable")
    chosen: dict[int, None] = {}
    for pair in pairs.tolist():
        chosen |= dict.fromkeys(divmod(pair, classes))
        if len(chosen) >= COUNT:
            break
    return tuple(chosen)[:COUNT]


def _first_of_each(labels: NDArray[np.int64], classes: Sequence[int], count: int) -> list[int]:
    return [row for label in classes for row in np.flatnonzero(labels == label)[:count].tolist()]
