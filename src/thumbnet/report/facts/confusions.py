"""Which classes are taken for which, and the classes in an order that puts alike ones side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet.report.facts.judged import Judged
from thumbnet.report.facts.table import Table

_LEAVES_TURNED_UP_TO = 300
"""Classes up to which the branches of the clustering are turned for the best order, whose time grows steeply."""


@dataclass(frozen=True)
class Pair:
    """A class that is taken for another: their indices, how many images, and the share of the class's images."""

    true: int
    predicted: int
    images: int
    share: float


@dataclass(frozen=True, eq=False)
class Confusions:
    """The confusion matrix of a split.

    Args:
        judged: the split, of K classes.
        order: the indices of the classes, i64[K], alike ones side by side.
        pairs: all pairs that occur, the commonest first.
    """

    judged: Judged
    order: NDArray[np.int64]
    pairs: tuple[Pair, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the classes."""
        return self.judged.predictions.classes

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.judged.names

    @property
    def ordered(self) -> NDArray[np.int64]:
        """Images by class (row) and predicted class (column), i64[K,K], alike classes side by side."""
        return self.judged.confusion[self.order][:, self.order]

    def to_json(self) -> dict[str, Any]:
        """Return the order of the classes and all pairs as JSON data."""
        pairs = [{**vars(one), "true": self.ids[one.true], "predicted": self.ids[one.predicted]} for one in self.pairs]
        return {"order": [self.ids[label] for label in self.order], "pairs": pairs}

    def tables(self) -> Sequence[Table]:
        """Return the whole matrix, with classes in their clustered order, and the pairs."""
        ids = [self.ids[label] for label in self.order]
        matrix = [(key, *row) for key, row in zip(ids, self.ordered.tolist(), strict=True)]
        pairs = [
            (
                *(self.ids[one.true], self.names[one.true], self.ids[one.predicted], self.names[one.predicted]),
                *(one.images, one.share),
            )
            for one in self.pairs
        ]
        header = ("true", "true_name", "predicted", "predicted_name", "images", "share")
        return Table("confusion", ("true", *ids), matrix), Table("confusion-pairs", header, pairs)


def make_confusions(judged: Judged) -> Confusions:
    """Return the confusions of a split."""
    matrix = judged.confusion
    totals = matrix.sum(axis=1)
    rows, columns = np.nonzero(matrix * (1 - np.eye(len(matrix), dtype=np.int64)))
    pairs = [
        Pair(int(true), int(to), int(matrix[true, to]), float(matrix[true, to] / totals[true]))
        for true, to in zip(rows, columns, strict=True)
    ]
    pairs.sort(key=lambda one: (-one.images, -one.share, one.true, one.predicted))
    order = similarity_order(judged.probabilities, judged.labels)
    return Confusions(judged, order, tuple(pairs))


def similarity_order(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the classes in an order, i64[K], in which those that the network answers alike for are neighbours.

    Two classes are alike as far as the mean probabilities f64[K] that their images get overlap (Bhattacharyya's
    coefficient). They are joined by average linkage; of few classes, the branches are turned so that neighbours are
    most alike (Bar-Joseph 2001). A class without images is like none.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    classes = probabilities.shape[1]
    if classes < 3:
        return np.arange(classes, dtype=np.int64)
    means = np.zeros((classes, classes))
    for label in np.unique(labels):
        means[label] = probabilities[labels == label].mean(axis=0)
    roots = np.sqrt(means)
    distance = 1 - np.clip(roots @ roots.T, 0, 1)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=classes <= _LEAVES_TURNED_UP_TO)
    return np.asarray(leaves_list(tree), dtype=np.int64)
