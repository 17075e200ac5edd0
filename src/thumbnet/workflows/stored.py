"""What is stored answers without a network: the predictions of runs, of ensembles, and in files of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from thumbnet import metrics
from thumbnet.ensemble import EnsembleFolder, Over
from thumbnet.errors import DataError, PredictionError
from thumbnet.files import is_folder
from thumbnet.predictions import Predictions, chosen_on, trained_on
from thumbnet.run import RunDirectory, choosing_splits
from thumbnet.views import find_views


@dataclass(frozen=True)
class How:
    """How images are judged: test-time views, what is averaged over them, and which weights of a run judge."""

    views: str = "none"
    over: Over = "probabilities"
    weights: str = "last"


@dataclass(frozen=True)
class Source:
    """What predictions can be had from: a run, the folder of an ensemble, or a file of predictions."""

    path: Path
    run: RunDirectory | None = None
    ensemble: EnsembleFolder | None = None

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return what lies at `path`.

        Raises:
            ThumbnetError: nothing, or something else.
        """
        if path.suffix == ".npz" and not is_folder(path):
            return cls(path)
        if EnsembleFolder.is_at(path):
            return cls(path, ensemble=EnsembleFolder.open(path))
        return cls(path, run=RunDirectory.open(path))

    def predictions(self, split: str, how: How = How()) -> Predictions:
        """Return what an ensemble or a file has for `split`; `how` can only be the default.

        Raises:
            PredictionError: there are no such predictions.
        """
        if how != How():
            raise PredictionError(
                f"{self.path}: saved predictions, which have their views and weights already; "
                "give a run, or leave out --views, --over and --weights"
            )
        if self.ensemble is not None:
            return self.ensemble.predictions(split)
        found = Predictions.load(self.path)
        if found.split != split:
            raise PredictionError(
                f"{self.path}: predictions for {found.split!r}, not {split!r}; add --split {found.split}"
            )
        return found

    def class_names(self) -> dict[str, str]:
        """Return the name of each class by its id, where it is known."""
        about: Mapping[str, Any] = {"classes": []}
        if self.run is not None:
            about = self.run.data()
        elif self.ensemble is not None:
            about = self.ensemble.about()
        return {info["id"]: info["name"] for info in about["classes"]}


def find_stored(run: RunDirectory, split: str, how: How = How()) -> Predictions | None:
    """Return what a complete run stored for `split` where that answers `how`, and what chose it, else `None`.

    Stored are the last weights' predictions for the whole image, and for the views that the recipe names.

    Raises:
        RunError: the run is unfinished, or what it stored is damaged.
    """
    run.require_complete()
    views = find_views(how.views).name
    if how.weights != "last":
        return None
    plain = views == "none"
    answers = plain or (views == find_views(run.recipe().evaluation.views).name and how.over == "probabilities")
    if not answers or not run.predictions_path(split, views=not plain).exists():
        return None
    return run.predictions(split, views=not plain).with_choice(choosing_splits(run, how.weights))


def stated_views(predictions: Predictions) -> dict[str, Any]:
    """Return the `views`, `over` and `weights` of predictions; of an ensemble, all that its members state."""
    return {key: _stated(predictions.provenance, key) for key in ("views", "over", "weights")}


def _stated(provenance: Mapping[str, Any], key: str) -> str | None:
    if "members" not in provenance:
        return provenance.get(key)
    found = (_stated(one, key) for one in provenance["members"])
    return " and ".join(dict.fromkeys(one for one in found if one is not None)) or None


def saw_in_training(source: Source, predictions: Predictions) -> bool:
    """Return whether a network behind `predictions` trained on their images, so that they say nothing of new ones.

    Of a run's on other data this is not known; see `of_other_data`.
    """
    if of_other_data(source, predictions):
        return False
    provenance = predictions.provenance if source.run is None else {"train_on": source.run.recipe().train_on}
    return trained_on(provenance, predictions.split) is True


def of_other_data(source: Source, predictions: Predictions) -> bool:
    """Return whether `predictions` of a run are for other data than it was made from, as far as they say."""
    stated = predictions.provenance.get("data")
    return source.run is not None and stated is not None and stated != source.run.data()["fingerprint"]


def other_data_note(split: str) -> str:
    """Return the sentence beside figures on `split` of other data than the run's."""
    return f"this is {split} of other data than the run's: the network may have trained on some of its images."


def require_labels(predictions: Predictions) -> None:
    """Check that the predictions can be scored.

    Raises:
        DataError: the split has no labels.
    """
    if (predictions.labels < 0).any():
        raise DataError(
            f"split {predictions.split!r} has no labels, so it cannot be scored; "
            "write a submission with: thumbnet predict RUN --split test --out FILE"
        )


def evaluation(source: Source, predictions: Predictions) -> dict[str, Any]:
    """Return the scores of `source` on the split of its `predictions`, and the accuracy of each class, as JSON data.

    Accuracies are fractions; that of a class without images is `None`. `selected_on` are the splits whose images chose
    the weights or the members; `other_data` says whether a run judged other data than its own.

    Raises:
        DataError: the split has no labels.
    """
    require_labels(predictions)
    names = source.class_names()
    accuracy, counts = metrics.per_class_accuracy(predictions.logits, predictions.labels)
    classes = [
        {"id": key, "name": names.get(key, key), "top1": float(value) if count else None, "images": int(count)}
        for key, value, count in zip(predictions.classes, accuracy, counts, strict=True)
    ]
    found = {"split": predictions.split, **predictions.scores().to_json(), "classes": classes}
    found |= {"run": str(source.path), **stated_views(predictions), "selected_on": chosen_on(predictions.provenance)}
    seen, other = saw_in_training(source, predictions), of_other_data(source, predictions)
    return found | {"trained_on": seen, "other_data": other}
