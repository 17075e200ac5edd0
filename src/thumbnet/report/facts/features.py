"""Where the network puts images: two dimensions of its features, and the nearest training images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thumbnet import metrics
from thumbnet.analyses import Embedding, Neighbours, read
from thumbnet.errors import RunError
from thumbnet.report.facts.places import ids_of
from thumbnet.report.facts.table import Missing, Table, finite_list
from thumbnet.report.subject import Subject

CHOICES = {
    "given": "the classes that were asked for",
    "milani": "the seven classes of Milani's figure 11",
    "confused": "the classes with the most errors between them",
    "all": "all classes",
}
"""Why the embedding shows these classes."""


@dataclass(frozen=True, eq=False)
class Placed:
    """An embedding with the id of each of its images."""

    embedding: Embedding
    images: Sequence[str]


@dataclass(frozen=True, eq=False)
class Alike:
    """Neighbours with the names of their images.

    Args:
        neighbours: as they are stored.
        images: ids of the judged images.
        train: ids of the training images that are neighbours, by their places.
        asked: rows of the judged images that were asked for.
    """

    neighbours: Neighbours
    images: Sequence[str]
    train: dict[int, str]
    asked: tuple[int, ...] = ()

    @property
    def agreement(self) -> metrics.Accuracy:
        """The accuracy of the nearest training image's class as an answer for each judged image."""
        return metrics.Accuracy.of(self.neighbours.nearest_correct())


@dataclass(frozen=True, eq=False)
class Features:
    """What is known of the features.

    Args:
        placed: a few classes in two dimensions, or why there are none.
        alike: the nearest training images of each judged image, or why there are none.
        ids: of all classes.
        names: of all classes.
    """

    placed: Placed | Missing
    alike: Alike | Missing
    ids: Sequence[str]
    names: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return what was embedded and how, and how often the nearest training image is of the same class."""
        return {"embedding": self._embedding(), "neighbours": self._neighbours()}

    def tables(self) -> Sequence[Table]:
        """Return one row a point of the embedding, and one a pair of neighbours."""
        return [*self._points(), *self._pairs()]

    def _embedding(self) -> dict[str, Any]:
        if isinstance(self.placed, Missing):
            return self.placed.to_json()
        one = self.placed.embedding
        return {
            "classes": [self.ids[label] for label in one.classes],
            "choice": one.choice,
            "images": len(one.labels),
            "features": one.width,
            "pca_explained": finite_list(one.explained),
            "tsne_perplexity": one.perplexity,
            "tsne_seed": one.seed,
        }

    def _neighbours(self) -> dict[str, Any]:
        if isinstance(self.alike, Missing):
            return self.alike.to_json()
        found = self.alike.agreement
        one = self.alike.neighbours
        return {
            "split": one.subset,
            "images": len(one.labels),
            "each": one.found.shape[1],
            "nearest_of_same_class": found.top1,
            "nearest_of_same_class_interval": list(found.top1_interval),
            "neighbours_of_same_class": float((one.found_labels == one.labels[:, None]).mean()),
        }

    def _points(self) -> list[Table]:
        if isinstance(self.placed, Missing):
            return []
        one = self.placed.embedding
        rows = [
            (image, one.subset if judged else "train", self.ids[label], *pca, *tsne)
            for image, judged, label, pca, tsne in zip(
                self.placed.images,
                one.judged.tolist(),
                one.labels.tolist(),
                one.pca.tolist(),
                one.tsne.tolist(),
                strict=True,
            )
        ]
        return [Table("embedding", ("image", "split", "class", "pca_1", "pca_2", "tsne_1", "tsne_2"), rows)]

    def _pairs(self) -> list[Table]:
        if isinstance(self.alike, Missing):
            return []
        one, train = self.alike.neighbours, self.alike.train
        rows = [
            (image, self.ids[label], rank, train[found], self.ids[theirs], similarity)
            for image, label, *rest in zip(
                self.alike.images,
                one.labels.tolist(),
                one.found.tolist(),
                one.found_labels.tolist(),
                one.similarity.tolist(),
                strict=True,
            )
            for rank, (found, theirs, similarity) in enumerate(zip(*rest, strict=True), start=1)
        ]
        header = ("image", "class", "rank", "neighbour", "neighbour_class", "cosine")
        return [Table("neighbours", header, rows)]


def make_features(subject: Subject, images: Sequence[str] = ()) -> Features:
    """Return what is known of the features of a run.

    Args:
        subject: the run.
        images: ids of judged images whose neighbours are asked for.

    Raises:
        RunError: no neighbours of one of `images` are stored.
    """
    return Features(_placed(subject), _alike(subject, images), subject.run.class_ids(), subject.names)


def _placed(subject: Subject) -> Placed | Missing:
    found = read(subject.run, Embedding, subject.origin)
    if found is None:
        return subject.not_analyzed("embedding of its features", "embedding")
    train = ids_of(subject, "train", found.positions[~found.judged])
    judged = ids_of(subject, found.split, found.positions[found.judged])
    names = np.empty(len(found.labels), dtype=object)
    names[~found.judged], names[found.judged] = train, judged
    return Placed(found, names.tolist())


def _alike(subject: Subject, images: Sequence[str]) -> Alike | Missing:
    found = read(subject.run, Neighbours, subject.origin)
    if found is None:
        missing = subject.not_analyzed("nearest neighbours", "neighbours")
        if images:
            why = "; ".join(filter(None, (missing.reason, missing.remedy)))
            raise RunError(f"run {subject.run.path}: image {images[0]!r} cannot be looked up: {why}")
        return missing
    places = np.unique(found.found)
    train = dict(zip(places.tolist(), ids_of(subject, "train", places), strict=True))
    judged = ids_of(subject, found.split, found.positions)
    return Alike(found, judged, train, tuple(_row_of(subject, image, judged, found.subset) for image in images))


def _row_of(subject: Subject, image: str, judged: Sequence[str], subset: str) -> int:
    if image not in judged:
        raise RunError(
            f"run {subject.run.path}: no image {image!r} is among the {len(judged):,} of {subset} whose neighbours "
            f"are stored; give an id such as {judged[0]!r}"
        )
    return judged.index(image)
