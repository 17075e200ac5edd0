"""Ensembles from what runs and files stored: who takes part, what they reach together, and whether it is real."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from thumbnet import metrics
from thumbnet.comparison import Comparison, compare_right
from thumbnet.ensemble import (
    EnsembleFolder,
    Over,
    average,
    check_over,
    greedy,
    growth,
    ranking,
)
from thumbnet.errors import PredictionError
from thumbnet.files import check_absent, storage_errors
from thumbnet.predictions import SPLITS, Predictions, align, choice_note, chosen_on, trained_on
from thumbnet.workflows.ensembling.members import Lack, Member, Of, find_lacking, trained_networks
from thumbnet.workflows.origin import data_of
from thumbnet.workflows.stored import Source, require_labels

Select = Literal["holdout", "val"]


@dataclass(frozen=True)
class Wish:
    """What an ensemble is asked for.

    Args:
        split: the split that it is judged on.
        over: what is averaged.
        select: the split on which members are chosen greedily; `None` chooses none.
        size: the most members; `None` is all.
        replacement: whether greedy selection may take a member more than once.

    Raises:
        PredictionError: replacement without a selection, or a size below 1.
    """

    split: str = "val"
    over: Over = "probabilities"
    select: Select | None = None
    size: int | None = None
    replacement: bool = False

    def __post_init__(self) -> None:
        if self.replacement and self.select is None:
            raise PredictionError("replacement: only greedy selection takes a member again; add --select holdout")
        if self.size is not None and self.size < 1:
            raise PredictionError(f"ensemble: a size of {self.size} has no members; give 1 or more")


@dataclass(frozen=True, eq=False)
class Ensemble:
    """An ensemble and what it reaches on the split that it is judged on.

    Args:
        wish: what was asked for.
        members: all that were given, in the order of the curve.
        counts: how often each of them counts; 0 where it was left out.
        ordered_by: the split whose accuracies gave the order; `None` for the order given.
        predictions: of the ensemble, for the judged split.
        right: which images each member alone classifies rightly, bool[M,N]; `None` where the split has no labels.
        curve: which images the ensembles of 1, 2, ... members classify rightly, bool[S,N]: of all members in their
            order, or of greedy selection's picks.
        notes: what a reader must know of the figures, a sentence each.
    """

    wish: Wish
    members: Sequence[Member]
    counts: Sequence[int]
    ordered_by: str | None
    predictions: Predictions
    right: NDArray[np.bool_] | None
    curve: NDArray[np.bool_] | None
    notes: Sequence[str]

    @property
    def best(self) -> int:
        """Position of the member that is the best by itself on the judged split.

        Raises:
            DataError: the split has no labels.
        """
        return int(self._judged().sum(axis=1).argmax())

    def comparison(self) -> Comparison:
        """Return how the ensemble stands to its best single member, on the judged split.

        Raises:
            DataError: the split has no labels.
        """
        right = self._judged()
        return compare_right(right[self.best], self.predictions.predicted() == self.predictions.labels)

    def _judged(self) -> NDArray[np.bool_]:
        require_labels(self.predictions)
        assert self.right is not None
        return self.right


@dataclass(frozen=True)
class Asked:
    """What an ensemble needs of its members: predictions for `splits`, of which kept networks are `lacking` some."""

    splits: Sequence[str]
    lacking: Sequence[Lack]


def ask(
    paths: Sequence[Path], wish: Wish, *, of: Of = "last", out: Path | None = None, has_data: bool = False
) -> Asked:
    """Return what an ensemble needs: predictions for the judged split, that of the order, and all that `out` holds.

    What cannot be is refused here, before anything is computed.

    Args:
        paths: folders of runs and of ensembles, and files of predictions.
        wish: what the ensemble is asked for.
        of: which weights of the runs.
        out: where it will be written: a folder, or a file of predictions for the judged split.
        has_data: whether the place of data was given, which only kept networks need.

    Raises:
        ThumbnetError: as in `load_members`, and where `out` exists, the data is needless, or nothing can be chosen.
    """
    if of == "last" and has_data:
        raise PredictionError("--data: saved predictions need no data; leave it out, or add --snapshots or --kept")
    is_folder = out is not None and out.suffix != ".npz"
    if out is not None and is_folder:
        check_absent(out)
    selecting = () if wish.select is None else (wish.select,)
    splits = list(dict.fromkeys([wish.split, *selecting, "holdout", *(SPLITS if is_folder else ())]))
    if of == "last":
        return Asked(splits, [])
    for path in paths if wish.select is not None else []:
        run = Source.open(path).run
        if run is not None and trained_on({"train_on": run.recipe().train_on}, wish.select or ""):
            _refuse_selection(str(path), "trained on the holdout")
    return Asked(splits, find_lacking(paths, splits, of=of, judged=wish.split))


def make_ensemble(members: Sequence[Member], wish: Wish) -> Ensemble:
    """Return the ensemble of `members` (or of those that are chosen) and what it reaches.

    Members stand in the order of their accuracy on the split that selects; without one on the holdout, where all have
    predictions for it and none trained on it; else as they were given.

    Raises:
        PredictionError: members that do not fit together or that nothing can be chosen among.
    """
    check_over(wish.over)
    align([member.on(wish.split) for member in members], names=[member.name for member in members])
    if wish.select is not None:
        for member in members:
            _check_selects(member, wish.select)
    ordering = wish.select or _ordering(members)
    if ordering is not None:
        members = [members[place] for place in ranking([member.on(ordering) for member in members])]
    picks = list(range(len(members)))[: wish.size]
    if wish.select is not None:
        judges = [member.on(wish.select) for member in members]
        picks = list(greedy(judges, wish.over, size=wish.size, replacement=wish.replacement))
    counts = [picks.count(place) for place in range(len(members))]
    chosen = [ordering] if ordering is not None and (wish.select is not None or 0 in counts) else []
    judged = [member.on(wish.split) for member in members]
    labelled = bool((judged[0].labels >= 0).all())
    grown = [judged[place] for place in picks] if wish.select is not None else judged
    return Ensemble(
        wish=wish,
        members=members,
        counts=counts,
        ordered_by=ordering,
        predictions=_averaged(members, counts, wish.split, wish.over).with_choice(chosen),
        right=_right(judged) if labelled else None,
        curve=growth(grown, wish.over) if labelled else None,
        notes=_notes(members, wish, ordering),
    )


def write_ensemble(made: Ensemble, out: Path, command: str) -> list[str]:
    """Write the ensemble's predictions to `out`, whole or not at all, and return the splits that are in it.

    A path that ends in .npz becomes a file of predictions for the judged split; another one a folder that has every
    split (holdout, val, test) for which all chosen members have predictions.

    Raises:
        PredictionError: predictions of another split do not fit together.
        StorageError: the folder exists, or the place cannot be written.
    """
    if out.suffix == ".npz":
        made.predictions.save(out)
        return [made.wish.split]
    chosen = [(member, count) for member, count in zip(made.members, made.counts, strict=True) if count]
    shared = [split for split in SPLITS if all(split in member.predictions for member, _ in chosen)]
    members, counts = [one for one, _ in chosen], [count for _, count in chosen]
    choice = made.predictions.provenance.get("selected_on", [])
    found = {
        split: _averaged(members, counts, split, made.wish.over).with_choice(choice)
        for split in dict.fromkeys([made.wish.split, *shared])
    }
    names: dict[str, str] = {}
    for member, _ in chosen:
        names = {**member.class_names, **names}
    about = {
        "over": made.wish.over,
        "members": [
            {"name": one.name, "path": str(one.path), "count": count, "provenance": one.provenance}
            for one, count in chosen
        ],
        "select": made.wish.select,
        "ordered_by": made.ordered_by,
        "classes": [{"id": one, "name": names.get(one, one)} for one in made.predictions.classes],
        "command": command,
    }
    with storage_errors(out):
        EnsembleFolder.create(out, about, found)
    return list(found)


def to_json(made: Ensemble) -> dict[str, Any]:
    """Return what the ensemble reaches as JSON data; accuracies are fractions, figures `None` without labels."""
    curve = None if made.curve is None else [_top1(right) | {"size": i} for i, right in enumerate(made.curve, 1)]
    alone: Sequence[Mapping[str, Any]] = [{}] * len(made.members)
    if made.right is not None:
        alone = [_top1(right) for right in made.right]
    return {
        "split": made.wish.split,
        "over": made.wish.over,
        "select": made.wish.select,
        "ordered_by": made.ordered_by,
        "data": data_of(made.predictions, [one.source for one in made.members]),
        **trained_networks(made.members, made.counts),
        "size": sum(made.counts),
        "members": [
            {"name": one.name, "path": str(one.path), "count": count, **figures}
            for one, count, figures in zip(made.members, made.counts, alone, strict=True)
        ],
        "ensemble": None if made.right is None else made.predictions.scores().to_json(),
        "curve": curve,
        "best_member": None if made.right is None else made.members[made.best].name,
        "comparison": None if made.right is None else made.comparison().to_json(),
        "notes": list(made.notes),
    }


def order_text(select: str | None, ordered_by: str | None) -> str:
    """Return in which order members join, in a few words."""
    if select is not None:
        return f"members, as greedy selection on {select} took them"
    return "members, in the order given" if ordered_by is None else f"members, the best on {ordered_by} first"


def _averaged(members: Sequence[Member], counts: Sequence[int], split: str, over: Over) -> Predictions:
    chosen = [(member.on(split), count) for member, count in zip(members, counts, strict=True) if count]
    return average([one for one, _ in chosen], over, [count for _, count in chosen])


def _right(judged: Sequence[Predictions]) -> NDArray[np.bool_]:
    """Return which images each of `judged` classifies rightly, bool[M,N], in the first one's order of images."""
    return np.stack([metrics.top_k_correct(logits, judged[0].labels, 1) for logits in align(judged)])


def _top1(right: NDArray[np.bool_]) -> dict[str, Any]:
    found = metrics.Accuracy.of(right)
    return {"top1": found.top1, "top1_interval": list(found.top1_interval)}


def _ordering(members: Sequence[Member]) -> str | None:
    clean = all(
        "holdout" in member.predictions and trained_on(member.on("holdout").provenance, "holdout") is False
        for member in members
    )
    return "holdout" if clean else None


def _check_selects(member: Member, split: str) -> None:
    """Check that members can be chosen by what `member` says on `split`."""
    seen = trained_on(member.provenance, split)
    if seen is not False:
        reason = "trained on the holdout" if seen else "does not say that it did not train on it"
        _refuse_selection(member.name, reason)


def _refuse_selection(name: str, reason: str) -> NoReturn:
    raise PredictionError(
        f"{name}: nothing can be chosen on the holdout, for this member {reason}; leave it out, or choose with "
        "--select val and say so"
    )


def _notes(members: Sequence[Member], wish: Wish, ordering: str | None) -> list[str]:
    """Return what must be known of the figures: where something was chosen on the images that judge."""
    seen = [one.name for one in members if trained_on(one.provenance, wish.split)]
    chosen = [one.name for one in members if wish.split in chosen_on(one.provenance)]
    found = [f"{seen[0]} trained on images of the holdout, so this is no accuracy on new images."] if seen else []
    if wish.select == wish.split:
        found.append(choice_note("Members were", wish.split, tested=True))
    elif ordering == wish.split:
        found.append(f"The order of members, and so each size but the whole, was chosen on {wish.split}.")
    if chosen:
        what = f"{chosen[0]} was" if len(chosen) == 1 else f"{len(chosen)} of the networks were"
        found.append(choice_note(what, wish.split, tested=True))
    if ordering is None and len(members) > 1:
        found.append("Members stand in the order given: not all have predictions for a holdout that they did not see.")
    return found
