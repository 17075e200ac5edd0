"""What was run, on what, and how well it does."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from thumbnet.metrics import Accuracy, Scores
from thumbnet.packed import subset_indices
from thumbnet.predictions import Predictions, choice_note, chosen_on
from thumbnet.recipe import Model
from thumbnet.report.facts.table import Cell, Missing, Table
from thumbnet.report.subject import Subject


@dataclass(frozen=True)
class RunHeader:
    """The head of one run.

    Args:
        label: what the report calls the run.
        recipe: name of its recipe.
        state: 'complete', or as far as it got.
        steps: optimiser steps that it has made.
        split: the split that is judged; `None` where there is none.
        scores: on that split; `None` where there is none.
        notes: what must be known of the scores, a sentence each: why val is not judged, whether that split chose.
        last: of an unfinished run its last evaluation, by 'split', 'top1', 'epoch', and 'images' and 'top1_interval',
            which are `None` where the number of images is unknown; `None` for a complete run and without evaluations.
        views: scores on val with the test-time views that the recipe names, by 'name' and 'scores'; or `None`.
        best: the best epoch, by 'split', 'top1', 'top1_interval' and 'epoch'; `None` where the recipe chooses none.
        figures: `epochs`, `parameters`, `multiply_adds`, `train_seconds`, `total_seconds`, `images_per_second` and
            `peak_memory_bytes`, as far as the run states them.
        network: its name.
        pretrained: whether its weights were pretrained.
        start: what training started from: `weights` ('imagenet' or 'package') or, of a file or an earlier run, `path`,
            `sha256` and the splits `selected_on` that chose it; `None` for random weights, and for a soup.
        judged_size: side in pixels of the images that are judged.
        features_apart: whether the training time leaves out that of cached features on which a head was trained.
        train_on: 'fit' or 'all'.
        train_count: how many of those images it trained on, drawn by the seed; `None` for all of them.
        fraction: part of the full length that it trained, in (0, 1]; below 1 it is a quick look.
        soup: of a network whose weights are an average its `members`, those `left_out`, the split `selected_on`
            ('none' where all that were given are members), and `ingredients_selected_on`, the splits that chose some
            of them before, as snapshots; `None` for others.
        device: type, name and count of CPUs of the last session.
        threads: CPU threads of the last session.
        versions: of the last session.
        commit: of thumbnet, in the first session; `None` where unknown.
        sessions: how often the run was started or resumed.
        data: `name`, `path`, `fingerprint`, `image_size` and `counts` of the data set, and its number of `classes`.
        command: the command line that started the run.
        again: the command line that runs it again: from its stored recipe, or a soup from its members.
    """

    label: str
    recipe: str
    state: str
    steps: int
    split: str | None
    scores: Scores | None
    notes: tuple[str, ...]
    last: Mapping[str, Any] | None
    views: Mapping[str, Any] | None
    best: Mapping[str, Any] | None
    figures: Mapping[str, float]
    network: str
    pretrained: bool
    start: Mapping[str, Any] | None
    judged_size: int
    features_apart: bool
    train_on: str
    train_count: int | None
    fraction: float
    soup: Mapping[str, Any] | None
    device: Mapping[str, Any]
    threads: int | None
    versions: Mapping[str, str | None]
    commit: str | None
    sessions: int
    data: Mapping[str, Any]
    command: str
    again: str

    def to_json(self) -> dict[str, Any]:
        """Return all fields as JSON data; accuracies are fractions."""
        scores = None if self.scores is None else self.scores.to_json()
        return {**vars(self), "scores": scores, "figures": dict(self.figures), "versions": dict(self.versions)}


@dataclass(frozen=True)
class Header:
    """The heads of all runs of a report."""

    runs: tuple[RunHeader, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the heads as JSON data, in order."""
        return {"runs": [one.to_json() for one in self.runs]}

    def tables(self) -> Sequence[Table]:
        """Return one row a run, with its scores and its cost."""
        head = ("run", "recipe", "state", "split", "images", "top1", "top1_low", "top1_high", "top5", "nll", "ece")
        rows = []
        for one in self.runs:
            scores = one.scores
            judged: tuple[Cell, ...] = (None,) * 7
            if scores is not None:
                judged = (scores.images, scores.top1, *scores.top1_interval, scores.top5, scores.nll, scores.ece)
            costs = [one.figures.get(key) for key in _FIGURES]
            rows.append((one.label, one.recipe, one.state, one.split, *judged, *costs, one.data["fingerprint"]))
        return (Table("runs", (*head, *_FIGURES, "fingerprint"), rows),)


_FIGURES = (
    "epochs",
    "parameters",
    "multiply_adds",
    "train_seconds",
    "total_seconds",
    "images_per_second",
    "peak_memory_bytes",
)


def make_header(subjects: Sequence[Subject]) -> Header:
    """Return the heads of the runs.

    Raises:
        RunError: something stored is damaged.
    """
    return Header(tuple(_head(one) for one in subjects))


def _head(subject: Subject) -> RunHeader:
    run, data, recipe, result = subject.run, subject.data, subject.recipe, subject.result or {}
    status, sessions = run.status(), run.sessions()
    judged = subject.judged if isinstance(subject.judged, Predictions) else None
    total = "" if status["total_steps"] is None else f" of {status['total_steps']:,}"
    complete = status["state"] == "complete"
    return RunHeader(
        label=subject.label,
        recipe=recipe.name,
        state="complete" if complete else f"{status['state']} at step {status['step']:,}{total}",
        steps=status["step"],
        split=None if judged is None else judged.split,
        scores=None if judged is None else judged.scores(),
        notes=() if judged is None else tuple(_notes(subject, judged)),
        last=None if complete else _last(subject),
        views=result.get("views"),
        best=result.get("best"),
        figures={key: result[key] for key in _FIGURES if result.get(key) is not None},
        network=recipe.model.name,
        pretrained=recipe.model.pretrained,
        start=None if "soup" in result else _start(recipe.model),
        judged_size=recipe.judged_size(data["image_size"]),
        features_apart=any(phase.cached_features for phase in recipe.phases),
        train_on=recipe.train_on,
        train_count=recipe.train_count,
        fraction=recipe.fraction,
        soup=_soup(result),
        device=sessions[-1].get("device", {}),
        threads=sessions[-1].get("threads"),
        versions=sessions[-1].get("versions", {}),
        commit=sessions[0].get("commit"),
        sessions=len(sessions),
        data={key: data[key] for key in ("name", "path", "fingerprint", "image_size", "counts")}
        | {"classes": len(data["classes"])},
        command=sessions[0].get("command", ""),
        again=_again(subject, sessions[0].get("command", "")),
    )


def _start(model: Model) -> dict[str, Any] | None:
    if model.init is None:
        return None if model.weights is None else {"weights": model.weights}
    return {"path": model.init.path, "sha256": model.init.sha256, "selected_on": list(model.init.selected_on)}


def _notes(subject: Subject, judged: Predictions) -> list[str]:
    chosen = judged.split in chosen_on(judged.provenance)
    found = [subject.not_on_val] if judged.split == "holdout" else []
    return [*found, choice_note("The weights were", judged.split)] if chosen else found


def _last(subject: Subject) -> dict[str, Any] | None:
    """Return the last evaluation on val, or else on a holdout that the run does not train on."""
    for split in ("val", "holdout") if subject.recipe.train_on == "fit" else ("val",):
        rows = [row for row in subject.evaluations() if row.get(f"{split}_top1") is not None]
        if rows:
            top1, images = float(rows[-1][f"{split}_top1"]), _images(subject, split)
            interval = None if images is None else Accuracy(round(top1 * images), images).top1_interval
            epoch = rows[-1]["epoch"]
            return {"split": split, "top1": top1, "top1_interval": interval, "images": images, "epoch": epoch}
    return None


def _images(subject: Subject, split: str) -> int | None:
    """Return how many images `split` has; `None` for the holdout of data that is not at hand."""
    if split == "val":
        return int(subject.data["counts"]["val"])
    if isinstance(subject.dataset, Missing):
        return None
    return len(subset_indices(subject.dataset.split("train", verify=False), "holdout"))


def _soup(result: Mapping[str, Any]) -> dict[str, Any] | None:
    about = result.get("soup")
    if about is None:
        return None
    # A soup that an older version made does not state the latter.
    before = list(about.get("ingredients_selected_on", ()))
    found = {key: about[key] for key in ("members", "left_out", "selected_on")}
    return found | {"ingredients_selected_on": before}


def _again(subject: Subject, command: str) -> str:
    """Return the command that makes the run again beside itself; what made a soup is called as it was then."""
    out = f"{subject.run.path}-again"
    if "soup" not in (subject.result or {}):
        recipe, data = str(subject.run.recipe_path), str(subject.data["path"])
        return shlex.join(["thumbnet", "train", recipe, "--data", data, "--out", out])
    words = shlex.split(command)
    for place, word in enumerate(words):
        if word == "--out":
            words[place + 1 : place + 2] = [out]
        elif word.startswith("--out="):
            words[place] = f"--out={out}"
    return shlex.join(words)
