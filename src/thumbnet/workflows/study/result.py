"""What a study found: the figures of each run, their spread over seeds, and the differences between variants."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean, stdev
from typing import Any, Literal

from thumbnet import comparison, metrics
from thumbnet.predictions import Predictions
from thumbnet.recipe import to_json
from thumbnet.run import RunDirectory, evaluations, iterations, steps_to_perfect
from thumbnet.studies import Ensemble, PlannedRun, Study
from thumbnet.workflows.study.averaged import EnsembleResult, average_members

Interval = tuple[float, float]

FIGURES = (
    "val_top1",
    "holdout_top1",
    "best_top1",
    "eval_train_top1",
    "running_train_top1",
    "final_loss",
    "iterations_to_eval_train_100",
    "iterations_to_running_train_100",
    "train_seconds",
)
"""What is said of a run.

Accuracies are fractions of the last step but for `best_top1`, the best evaluation on the split that selects; the loss
is the mean over the last 20 iterations; the iterations are those after which training accuracy first was 1.
"""

_LAST = 20


@dataclass(frozen=True)
class RunResult:
    """One run of a study: its figures (`None` where there is none), its metrics, and why it failed where it did."""

    planned: PlannedRun
    run: RunDirectory
    figures: Mapping[str, float | None]
    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    failure: str = ""

    @property
    def complete(self) -> bool:
        """Whether it trained to its end."""
        return not self.failure


@dataclass(frozen=True)
class Spread:
    """A figure over seeds: mean, sample standard deviation (`None` for one run), and how many runs have it."""

    mean: float
    std: float | None
    n: int


@dataclass(frozen=True)
class Difference:
    """Top-1 of a variant less that of the first one, with its 95% interval.

    `over` says what the interval counts: 'seeds' (Student's, of the differences between runs of the same seed) or
    'images' (of the two runs' answers for the same images).
    """

    value: float
    interval: Interval
    over: Literal["seeds", "images"]


@dataclass(frozen=True)
class VariantResult:
    """One variant: its runs, their figures' spread, and the 95% interval of top-1 on the judged split.

    The interval counts the images for one seed (Wilson's) and the seeds for several (Student's); it and the difference
    to the first variant are `None` where there is too little to tell.
    """

    label: str
    runs: Sequence[RunResult]
    spreads: Mapping[str, Spread]
    interval: Interval | None
    difference: Difference | None = None


@dataclass(frozen=True)
class StudyResult:
    """What a study found.

    `split` is the one that accuracies are of: 'val', 'holdout' where val has no labels, `None` where neither has.
    """

    study: Study
    split: str | None
    variants: Sequence[VariantResult]
    ensemble: EnsembleResult | None = None

    @property
    def runs(self) -> list[RunResult]:
        """All runs, variant by variant."""
        return [run for variant in self.variants for run in variant.runs]

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON data; accuracies are fractions, times seconds."""
        return {
            "study": self.study.name,
            "text": self.study.text,
            "source": self.study.source,
            "varies": list(self.study.varies),
            "seeds": self.study.seeds,
            "split": self.split,
            "recipes": {label: to_json(recipe) for label, recipe in self.study.runs.items()},
            "variants": [_variant_json(variant) for variant in self.variants],
            "ensemble": None if self.ensemble is None else self.ensemble.to_json(),
        }


def collect(study: Study, runs: Sequence[RunResult]) -> StudyResult:
    """Return what `study` found, from the results of all its runs.

    Raises:
        ThumbnetError: a run's files are missing or damaged.
    """
    complete = [run for run in runs if run.complete]
    split = next((name for name in ("val", "holdout") if complete and all(_has(run, name) for run in complete)), None)
    grouped = [[run for run in runs if run.planned.label == label] for label in study.runs]
    variants = [_variant(group, grouped[0], split) for group in grouped]
    return StudyResult(study, split, variants, _ensemble(study, complete, split))


def read_run(planned: PlannedRun, run: RunDirectory, failure: str = "") -> RunResult:
    """Return the result of one run, complete or failed.

    Raises:
        RunError: its files are missing or damaged.
    """
    rows = run.metrics.read()
    result: Mapping[str, Any] = {"scores": {}} if failure else run.result()
    judged = evaluations(rows)
    losses = [row["loss"] for row in iterations(rows) if row["loss"] is not None]
    last = judged[-1] if judged and not failure else {}
    figures = {
        "val_top1": _top1(result, "val"),
        "holdout_top1": _top1(result, "holdout"),
        "best_top1": (result.get("best") or {}).get("top1"),
        "eval_train_top1": last.get("eval_train_top1"),
        "running_train_top1": last.get("running_train_top1"),
        "final_loss": fmean(losses[-_LAST:]) if losses and not failure else None,
        "iterations_to_eval_train_100": steps_to_perfect(judged, "eval_train_top1"),
        "iterations_to_running_train_100": steps_to_perfect(judged, "running_train_top1"),
        "train_seconds": result.get("train_seconds"),
    }
    return RunResult(planned, run, figures, rows, failure)


def spread(values: Sequence[float | None]) -> Spread | None:
    """Return mean, sample standard deviation and number of those `values` that are there; `None` for none."""
    found = [float(value) for value in values if value is not None]
    if not found:
        return None
    return Spread(fmean(found), stdev(found) if len(found) > 1 else None, len(found))


def _variant(runs: Sequence[RunResult], first: Sequence[RunResult], split: str | None) -> VariantResult:
    found = {name: spread([run.figures[name] for run in runs]) for name in FIGURES}
    return VariantResult(
        label=runs[0].planned.label,
        runs=runs,
        spreads={name: one for name, one in found.items() if one is not None},
        interval=None if split is None else _interval(runs, split),
        difference=None if split is None or runs is first else _difference(runs, first, split),
    )


def _interval(runs: Sequence[RunResult], split: str) -> Interval | None:
    complete = [run for run in runs if run.complete]
    if len(complete) == 1:
        low, high = complete[0].run.result()["scores"][split]["top1_interval"]
        return low, high
    if not complete:
        return None
    low, high = metrics.mean_interval([_score(run, split) for run in complete])
    return max(0.0, low), min(1.0, high)


def _difference(runs: Sequence[RunResult], first: Sequence[RunResult], split: str) -> Difference | None:
    pairs = [(one, other) for one, other in zip(first, runs, strict=True) if one.complete and other.complete]
    if len(pairs) > 1:
        differences = [_score(other, split) - _score(one, split) for one, other in pairs]
        return Difference(fmean(differences), metrics.mean_interval(differences), "seeds")
    if not pairs:
        return None
    one, other = (run.run.predictions(split) for run in pairs[0])
    found = comparison.compare(one, other)
    return Difference(found.difference, found.interval, "images")


def _ensemble(study: Study, complete: Sequence[RunResult], split: str | None) -> EnsembleResult | None:
    if study.ensemble is None or split is None:
        return None
    members = _members(study.ensemble, complete, split)
    return average_members(study.ensemble, members, split) if members else None


def _members(kind: Ensemble, complete: Sequence[RunResult], split: str) -> dict[str, Predictions]:
    """Return the predictions to average, by name: of snapshots (that have some for `split`), or of runs."""
    if kind.of == "seeds":
        return {one.planned.folder: one.run.predictions(split) for one in complete}
    run = complete[0].run
    kept = [one for one in run.snapshots() if run.predictions_path(split, one).exists()]
    return {one.tag: run.predictions(split, one) for one in kept}


def _has(run: RunResult, split: str) -> bool:
    return run.figures[f"{split}_top1"] is not None


def _score(run: RunResult, split: str) -> float:
    found = run.figures[f"{split}_top1"]
    assert found is not None
    return found


def _top1(result: Mapping[str, Any], split: str) -> float | None:
    scores = result["scores"].get(split)
    return None if scores is None else float(scores["top1"])


def _variant_json(variant: VariantResult) -> dict[str, Any]:
    return {
        "label": variant.label,
        "recipe": variant.runs[0].planned.recipe.name,
        "top1_interval": None if variant.interval is None else list(variant.interval),
        "figures": {name: asdict(one) for name, one in variant.spreads.items()},
        "difference": None
        if variant.difference is None
        else {**asdict(variant.difference), "interval": list(variant.difference.interval)},
        "runs": [
            {
                "folder": run.planned.folder,
                "seed": run.planned.recipe.seed,
                "state": "complete" if run.complete else "failed",
                "message": run.failure,
                **run.figures,
            }
            for run in variant.runs
        ],
    }
