"""Whether one run, ensemble or file of predictions is better than another on the same images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from thumbnet.comparison import Comparison, compare
from thumbnet.predictions import Predictions, choice_note, chosen_on
from thumbnet.workflows.origin import data_of, training_of
from thumbnet.workflows.stored import (
    Source,
    of_other_data,
    other_data_note,
    require_labels,
    saw_in_training,
    stated_views,
)


@dataclass(frozen=True)
class Compared:
    """How a second source of predictions stands to a first.

    Args:
        split: the split that judged.
        data: `name` and `fingerprint` of the data that has it, `None` where unknown.
        sides: of both, the `path`, `views`, `over`, `weights`, whether it `trained_on` images of the split, whether
            that is of `other_data` than a run's own, the splits that its weights or members were `selected_on`, and
            how it was trained (see `training_of`).
        comparison: the second against the first.
    """

    split: str
    data: Mapping[str, Any]
    sides: tuple[Mapping[str, Any], Mapping[str, Any]]
    comparison: Comparison

    @property
    def labels(self) -> tuple[str, str]:
        """A name for each side: its path, with views and weights where they tell the two apart or are unusual."""
        names = []
        for side in self.sides:
            told = [side["path"]]
            if any(one["views"] not in (None, "none") for one in self.sides):
                told.append(f"({side['views']})")
            if any(one["weights"] not in (None, "last") for one in self.sides):
                told.append(f"[{side['weights']}]")
            names.append(" ".join(told))
        return names[0], names[1]

    @property
    def sentence(self) -> str:
        """Whether the difference is real, in one sentence."""
        return self.comparison.sentence(*self.labels)

    @property
    def notes(self) -> list[str]:
        """What must be known of the figures, a sentence each."""
        seen = [side["path"] for side in self.sides if side["trained_on"]]
        found = [f"{path} trained on images of {self.split}" for path in dict.fromkeys(seen)]
        others = [side["path"] for side in self.sides if side["other_data"]]
        found += [f"{path}: {other_data_note(self.split)}" for path in dict.fromkeys(others)]
        for label, side in zip(self.labels, self.sides, strict=True):
            if self.split in side["selected_on"]:
                found.append(choice_note(f"{label} was", self.split, tested=True))
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON data; accuracies are fractions."""
        first, second = map(dict, self.sides)
        found = {
            "split": self.split,
            "data": dict(self.data),
            "first": first,
            "second": second,
            **self.comparison.to_json(),
        }
        return {**found, "sentence": self.sentence, "notes": self.notes}


def compare_sources(sources: Sequence[Source], predictions: Sequence[Predictions]) -> Compared:
    """Return how the second of two `sources` stands to the first, by their `predictions` for one split.

    Raises:
        DataError: the split has no labels.
        PredictionError: they do not judge the same images of the same data.
    """
    for one in predictions:
        require_labels(one)
    first, second = (_side(source, one) for source, one in zip(sources, predictions, strict=True))
    compared = compare(*predictions)
    return Compared(predictions[0].split, data_of(predictions[0], sources), (first, second), compared)


def _side(source: Source, predictions: Predictions) -> dict[str, Any]:
    seen = saw_in_training(source, predictions)
    found = {"path": str(source.path), **stated_views(predictions), "trained_on": seen}
    return found | {
        "other_data": of_other_data(source, predictions),
        "selected_on": chosen_on(predictions.provenance),
        **training_of(source, predictions.provenance),
    }
