"""`thumbnet analyze`: everything about a finished run that needs its network, part by part, stored in the run."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, assert_never

import torch

from thumbnet import analyses, analysis
from thumbnet.analyses import PARTS, Part
from thumbnet.analyses.corruptions import DEFINITION
from thumbnet.analysis import Subject
from thumbnet.data import judged_subset, whole_split
from thumbnet.errors import DataError, RecipeError, RunError, nearest
from thumbnet.features.cache import features_folder
from thumbnet.features.extraction import UnfitFeaturesError
from thumbnet.packed import PackedDataset, subset_indices
from thumbnet.predictions import judged_split, trained_on
from thumbnet.run import RunDirectory
from thumbnet.train import load_own_data
from thumbnet.watch import Watch
from thumbnet.workflows.judging import load_network

State = Literal["computed", "kept", "impossible"]


@dataclass(frozen=True)
class Done:
    """What became of a part: computed now, kept from before, or impossible for this run (the reason says why)."""

    part: Part
    state: State
    seconds: float = 0.0
    reason: str | None = None


@dataclass(frozen=True)
class AnalysisWish:
    """What is to be analysed.

    Attributes:
        only: parts, all of them where there are none.
        again: whether parts that are stored are computed anew.
        classes: names or ids of the classes of the embedding; without any they are chosen.

    Raises:
        RunError: classes without the embedding.
    """

    only: tuple[Part, ...] = ()
    again: bool = False
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.classes and "embedding" not in self.parts:
            raise RunError("classes of an analysis are those of its embedding; add --only embedding, or give no class")

    @classmethod
    def of(cls, only: Sequence[str], *, again: bool = False, classes: Sequence[str] = ()) -> "AnalysisWish":
        """Return the wish for the parts with these names.

        Raises:
            RunError: a name is not a part's, or classes without the embedding.
        """
        chosen: list[Part] = []
        for name in only:
            part = next((part for part in PARTS if part == name), None)
            if part is None:
                raise RunError(f"part {name!r} of an analysis is unknown; {nearest(name, PARTS)}")
            chosen.append(part)
        return cls(tuple(chosen), again, tuple(classes))

    @property
    def parts(self) -> list[Part]:
        """The parts that are wanted, in the order in which they are computed."""
        return [part for part in PARTS if not self.only or part in self.only]

    def without(self, done: Collection[Part]) -> "AnalysisWish":
        """Return what is left to wish once these parts are done, so that none of them is computed twice.

        A part that is begun is begun anew where everything was to be: what is stored of it may be from before.
        """
        left = tuple(part for part in self.parts if part not in done)
        if not left:
            return replace(self, again=False, classes=())
        # What is stored is kept, unless it was to be computed anew, or is the embedding of these classes.
        anew = bool(done) and (self.again or bool(self.classes))
        return AnalysisWish(left if anew else self.only, self.again, self.classes if "embedding" in left else ())


def analyze(
    run: RunDirectory,
    wish: AnalysisWish,
    *,
    device: torch.device,
    watch: Watch,
    tell: Callable[[Done], None] = lambda _done: None,
    data: Path | None = None,
    cache: Path | None = None,
) -> list[Done]:
    """Compute the parts of a complete run's analysis that are not stored yet, and store each when it is done.

    Killed at any moment it leaves only whole files, and goes on where it was: with the part in hand, of `robustness`
    with the severity, of features with the images that were not finished.

    Args:
        run: the run directory.
        wish: which parts, and whether anew.
        device: where to compute.
        watch: is told the progress within a part.
        tell: is told what became of each part.
        data: where the packed data lies now, which must be what the run trained on; `None` is where the run found it.
        cache: where cached features lie, as for training.

    Raises:
        ThumbnetError: the run is unfinished, damaged or in use, its data is gone or another one, what is stored is
            damaged or of other weights, or a part that was asked for by name is impossible, as where it needs images
            to judge and the network trained on all of them, or features that 16 bits do not hold.
    """
    run.require_complete()
    dataset = load_own_data(run, data)
    if wish.classes:
        infos = dataset.classes
        analysis.named_classes([info.name for info in infos], wish.classes, [info.id for info in infos])
    origin = analyses.current_origin(run)
    found = []
    with run.lock():
        missing = [part for part in wish.parts if wish.again or not _is_stored(run, part, origin, wish)]
        subject = _subject(run, dataset, origin, device=device, watch=watch, cache=cache) if missing else None
        for part in wish.parts:
            done = Done(part, "kept")
            if part in missing and subject is not None:
                done = _compute(run, subject, part, wish)
            found.append(done)
            tell(done)
    return found


def _subject(
    run: RunDirectory,
    dataset: PackedDataset,
    origin: analyses.Origin,
    *,
    device: torch.device,
    watch: Watch,
    cache: Path | None,
) -> Subject:
    return Subject(
        origin=origin,
        model=load_network(run, origin.weights, device),
        recipe=run.recipe(),
        image_size=dataset.image_size,
        class_names=tuple(info.name for info in dataset.classes),
        class_ids=tuple(info.id for info in dataset.classes),
        find_judged=lambda: judged_subset(dataset, _judged(run, dataset), device),
        train=whole_split(dataset, "train", device),
        device=device,
        folder=features_folder(cache),
        watch=watch,
    )


class _NothingJudgedError(DataError):
    """No image is left that could be judged."""


def _judged(run: RunDirectory, dataset: PackedDataset) -> str:
    """Return what is judged: 'val' or 'holdout' (see `predictions.judged_split`).

    Raises:
        DataError: neither can be.
    """
    train = dataset.split("train", verify=False)
    val = dataset.split("val", verify=False).labels if "val" in dataset.counts else None
    held = train.labels[subset_indices(train, "holdout")]
    seen = trained_on({"train_on": run.recipe().train_on}, "holdout")
    chosen = judged_split(val, held, seen)
    if chosen is None:
        why = f"run {run.path} trained on the holdout" if len(held) else "no class has an image to hold out"
        raise _NothingJudgedError(
            f"{dataset.path}: there is no val split with labels and {why}, so no image is left that the network did "
            "not train on; "
            + ("train with --set train_on=fit" if len(held) else "pack data whose classes have two images or more")
        )
    return chosen


def _is_stored(run: RunDirectory, part: Part, origin: analyses.Origin, wish: AnalysisWish) -> bool:
    """Return whether nothing of a part is left to compute; refuse what is damaged or of other weights."""
    if part == "crossfit":
        return analyses.read_cross_fitted(run, origin) is not None
    stored = analyses.read(run, analyses.KINDS[part], origin)
    if isinstance(stored, analyses.Robustness):
        return stored.is_complete and stored.definition == DEFINITION
    return stored is not None and not (part == "embedding" and wish.classes)


def _compute(run: RunDirectory, subject: Subject, part: Part, wish: AnalysisWish) -> Done:
    started = time.perf_counter()
    impossible = analyses.read_impossible(run, subject.origin)
    try:
        _compute_part(run, subject, part, wish)
    except (RecipeError, UnfitFeaturesError, _NothingJudgedError) as error:
        # The report then says why, instead of how to get it.
        analyses.save_impossible(run, {**impossible, part: str(error)}, subject.origin)
        if wish.only:
            raise
        return Done(part, "impossible", reason=str(error))
    if impossible.pop(part, None) is not None:
        analyses.save_impossible(run, impossible, subject.origin)
    return Done(part, "computed", time.perf_counter() - started)


def _compute_part(run: RunDirectory, subject: Subject, part: Part, wish: AnalysisWish) -> None:
    match part:
        case "layers":
            analyses.save_analysis(run, analysis.find_layers(subject))
        case "maps":
            analyses.save_analysis(run, analysis.find_maps(subject))
        case "neighbours":
            analyses.save_analysis(run, analysis.find_neighbours(subject))
        case "embedding":
            analyses.save_analysis(run, analysis.embed(subject, wish.classes))
        case "robustness":
            begun = None if wish.again else analyses.read(run, analyses.Robustness, subject.origin)
            analysis.judge_corrupted(subject, begun, lambda found: analyses.save_analysis(run, found))
        case "crossfit":
            analyses.save_cross_fitted(run, analysis.cross_fit(subject, run.class_ids()), subject.origin)
        case _:
            assert_never(part)


def summary(run: RunDirectory, found: Sequence[Done]) -> Mapping[str, object]:
    """Return what became of each part, and where it lies, as JSON data."""
    return {
        "run": str(run.path),
        "parts": {
            done.part: {
                "state": done.state,
                "seconds": round(done.seconds, 3),
                "file": None if done.state == "impossible" else str(run.analysis_path(done.part)),
                "reason": done.reason,
            }
            for done in found
        },
    }
