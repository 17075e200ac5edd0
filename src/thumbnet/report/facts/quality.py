"""Labels that are probably wrong, images that are there twice, and the accuracy without them."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.analyses.places import read_cross_fitted
from thumbnet.packed import PackedDataset, packed_split_of
from thumbnet.predictions import Predictions
from thumbnet.quality.cleaned import Cleaned, accuracy_without
from thumbnet.quality.confident import Suspects, suspects, suspects_of_parts
from thumbnet.quality.duplicates import Duplicates, find_duplicates
from thumbnet.quality.stored import stored_duplicates
from thumbnet.report.facts.judged import Judged
from thumbnet.report.facts.table import Missing, Table
from thumbnet.report.facts.twins import Twins, make_twins
from thumbnet.report.subject import Subject

SUREST = 0.01
"""The share of a split's images that the surest suspects are; see docs/quality.md for how often they are wrong."""

_CHUNK = 10_000

_SOON = 100_000_000, 20_000
"""Bytes of packed images, and images, up to which duplicates are searched while the report is made: a few seconds.

Reading takes time by the bytes, comparing by the square of the images.
"""


def surest_count(images: int) -> int:
    """Return how many of the suspects of `images` images are the surest, at most."""
    return max(1, round(SUREST * images))


@dataclass(frozen=True)
class Suspicion:
    """A label that is probably wrong: of the image, what it is labelled, what it may be, and both probabilities."""

    image: str
    label: int
    suggested: int
    probability: float
    suggested_probability: float


@dataclass(frozen=True)
class Suspected:
    """The suspected labels of one split, the surest first.

    Args:
        split: its name.
        images: how many were judged.
        found: all of them.
        how: where the probabilities come from, in words.
    """

    split: str
    images: int
    found: tuple[Suspicion, ...]
    how: str

    @property
    def surest(self) -> int:
        """How many of them are the surest."""
        return min(len(self.found), surest_count(self.images))


@dataclass(frozen=True)
class Quality:
    """What is doubtful about the images of a run.

    Args:
        judged: suspects of the judged split.
        train: suspects of the training split, or why there are none.
        twins: duplicates, or why they are not known.
        without: the accuracy of the judged split without doubtful images, by what was taken out.
        names: names of the classes.
        ids: ids of the classes.
    """

    judged: Suspected
    train: Suspected | Missing
    twins: Twins | Missing
    without: Mapping[str, Cleaned]
    names: tuple[str, ...]
    ids: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the counts and accuracies; shares are fractions."""
        train = self.train.to_json() if isinstance(self.train, Missing) else _counts(self.train)
        return {
            "suspected": {self.judged.split: _counts(self.judged), "train": train},
            "duplicates": self.twins.to_json(),
            "without": {what: one.to_json() for what, one in self.without.items()},
        }

    def tables(self) -> Sequence[Table]:
        """Return one row a suspect, and one a pair of duplicates."""
        found = [_suspects_table(self.judged, self.ids)]
        if isinstance(self.train, Suspected):
            found.append(_suspects_table(self.train, self.ids))
        if isinstance(self.twins, Twins):
            found.append(self.twins.table(self.ids))
        return tuple(found)


def make_quality(judged: Judged, subject: Subject, known: dict[str, Duplicates]) -> Quality:
    """Return what is doubtful about a judged split and the training split.

    Args:
        judged: predictions for images that training did not see.
        subject: their run.
        known: duplicates of data sets by fingerprint; those of the run's are added.
    """
    duplicates = _duplicates(subject, known)
    found = suspects(judged.probabilities, judged.labels)
    how = "the network's own predictions, as it did not train on these images"
    without = _without_suspects(judged, found)
    if not isinstance(duplicates, Missing):
        without |= _without_twins(judged, *duplicates)
    return Quality(
        judged=_suspected(judged.predictions, found, how),
        train=_of_train(_cross_fitted(subject)),
        twins=duplicates if isinstance(duplicates, Missing) else make_twins(*duplicates),
        without=without,
        names=judged.names,
        ids=judged.predictions.classes,
    )


def _cross_fitted(subject: Subject) -> Predictions | Missing:
    found = read_cross_fitted(subject.run, subject.origin)
    return found or subject.not_analyzed("out-of-sample probabilities of its training images", "crossfit")


def _duplicates(subject: Subject, known: dict[str, Duplicates]) -> tuple[PackedDataset, Duplicates] | Missing:
    """Return the data with its duplicates; `known` keeps those of each data set, by its fingerprint."""
    dataset = subject.dataset
    if isinstance(dataset, Missing):
        return Missing("duplicates cannot be searched, as the packed data is not at hand", dataset.remedy)
    found = known[dataset.fingerprint] if dataset.fingerprint in known else stored_duplicates(dataset)
    if found is None:
        total = sum(dataset.counts.values())
        if total < 2 or total * dataset.image_size**2 * 3 > _SOON[0] or total > _SOON[1]:
            return Missing(
                "the duplicates of this data have not been searched yet",
                f"thumbnet data report {shlex.quote(str(dataset.path))}, once; then write this report anew",
            )
        found = find_duplicates(dataset)
    known[dataset.fingerprint] = found
    return dataset, found


def _of_train(train: Predictions | Missing) -> Suspected | Missing:
    if isinstance(train, Missing):
        return train

    def parts() -> Iterator[NDArray[np.float64]]:
        for start in range(0, len(train.labels), _CHUNK):
            yield metrics.softmax(train.logits[start : start + _CHUNK])

    found = suspects_of_parts(parts, train.labels, len(train.classes))
    how = "a linear layer on the network's features, fitted to other images than those that it judges"
    return _suspected(train, found, how)


def _suspected(predictions: Predictions, found: Suspects, how: str) -> Suspected:
    return Suspected(
        split=predictions.split,
        images=found.images,
        found=tuple(
            Suspicion(
                predictions.image_ids[row],
                int(predictions.labels[row]),
                suggested,
                own,
                own + margin,
            )
            for row, suggested, own, margin in zip(
                found.rows.tolist(),
                found.suggested.tolist(),
                found.self_confidence.tolist(),
                found.margin.tolist(),
                strict=True,
            )
        ),
        how=how,
    )


def _without_suspects(judged: Judged, found: Suspects) -> dict[str, Cleaned]:
    right = ~judged.wrong
    surest = np.zeros(len(right), dtype=np.bool_)
    surest[found.rows[: surest_count(found.images)]] = True
    return {
        "nothing taken out": accuracy_without(right, np.zeros(len(right), dtype=np.bool_)),
        "without the surest suspected labels": accuracy_without(right, surest),
        "without all suspected labels": accuracy_without(right, found.mask()),
    }


def _without_twins(judged: Judged, dataset: PackedDataset, found: Duplicates) -> dict[str, Cleaned]:
    """Return the accuracy without images that have an identical, and a nearly alike, image in train."""
    split = packed_split_of(judged.predictions.split)
    if split not in found.splits:
        return {}
    ids, images = dataset.split(split, verify=False).image_ids, set(judged.predictions.image_ids)
    own = np.array([image in images for image in ids], dtype=np.bool_)
    result = {}
    for what, chosen in (
        ("without images that are identical in train", found.identical),
        ("without images that are identical or nearly alike in train", np.ones(len(found), dtype=np.bool_)),
    ):
        # An image of the holdout is in train itself: what counts is a pair with an image that is not judged.
        outside = chosen & ~(_inside(found, split, own, 0) & _inside(found, split, own, 1))
        twins = {ids[row] for row in found.twins(split, "train", outside).tolist()}
        removed = np.array([image in twins for image in judged.predictions.image_ids], dtype=np.bool_)
        result[what] = accuracy_without(~judged.wrong, removed)
    return result


def _inside(found: Duplicates, split: str, own: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Return of which pairs the first (or second) image is one of `split` that `own` bool[N] marks, bool[P]."""
    splits, rows = ((found.first_split, found.first), (found.second_split, found.second))[side]
    inside = splits == found.splits.index(split)
    inside[inside] = own[rows[inside]]
    return np.asarray(inside)


def _counts(one: Suspected) -> dict[str, Any]:
    return {"images": one.images, "suspects": len(one.found), "surest": one.surest, "from": one.how}


def _suspects_table(one: Suspected, ids: Sequence[str]) -> Table:
    rows = [
        (
            *(rank, found.image, ids[found.label], ids[found.suggested]),
            *(found.probability, found.suggested_probability),
        )
        for rank, found in enumerate(one.found, start=1)
    ]
    header = ("rank", "image", "label", "suggested", "label_probability", "suggested_probability")
    return Table(f"suspected-{one.split}", header, rows)
