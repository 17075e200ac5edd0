"""What a search found: its trials, the best one, and what that gained over the recipe that the search started from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from thumbnet import comparison, records
from thumbnet.comparison import Comparison
from thumbnet.metrics import Scores
from thumbnet.recipe import to_json
from thumbnet.records import Measurement
from thumbnet.run import RunDirectory
from thumbnet.studies import Search
from thumbnet.studies.search import SPLIT

JUDGED = "val"


@dataclass(frozen=True)
class Trial:
    """One trial.

    Args:
        number: in order of their beginnings, from 0.
        values: texts of settings, by the parameters' names.
        state: 'complete', 'pruned' (ended early) or 'failed'.
        history: top-1 on the holdout at each evaluation, as fractions.
        seconds: from its beginning to its end.
        reason: why it failed.
    """

    number: int
    values: Mapping[str, str]
    state: Literal["complete", "pruned", "failed"]
    history: Sequence[float]
    seconds: float
    reason: str = ""

    @property
    def value(self) -> float | None:
        """Top-1 on the holdout at the last evaluation, where there was one."""
        return self.history[-1] if self.history else None

    def to_json(self) -> dict[str, Any]:
        """Return the trial as JSON data."""
        return {
            "trial": self.number,
            "state": self.state,
            "values": dict(self.values),
            f"{SPLIT}_top1": self.value,
            "history": list(self.history),
            "seconds": self.seconds,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Gain:
    """What the best recipe's run has over the starting one's on a split: both scores, and whether they differ."""

    split: str
    before: Scores
    after: Scores
    comparison: Comparison

    def to_json(self) -> dict[str, Any]:
        """Return the gain as JSON data; accuracies are fractions."""
        found = self.comparison.to_json()
        return {
            "before": {"top1": found.pop("first_top1"), "top1_interval": list(self.before.top1_interval)},
            "after": {"top1": found.pop("second_top1"), "top1_interval": list(self.after.top1_interval)},
            **found,
        }


@dataclass(frozen=True)
class Final:
    """The run of the starting recipe, that of the best one (the same, where nothing beat the start), and their scores.

    `gains` are those on the holdout, which chose, and on val where it has labels.
    """

    start: RunDirectory
    best: RunDirectory
    gains: Sequence[Gain]


@dataclass(frozen=True)
class SearchResult:
    """What a search found. `interrupted` counts trials that were stopped or killed, and tried again."""

    search: Search
    trials: Sequence[Trial]
    importances: Mapping[str, float] = field(default_factory=dict)
    interrupted: int = 0
    final: Final | None = None

    @property
    def complete(self) -> list[Trial]:
        """The trials that reached their end, the best first, of equal ones the earliest."""
        found = [trial for trial in self.trials if trial.state == "complete"]
        return sorted(found, key=lambda trial: (-(trial.value or 0.0), trial.number))

    @property
    def best(self) -> Trial:
        """The trial with the highest top-1 on the holdout."""
        return self.complete[0]

    @property
    def started(self) -> Trial | None:
        """The trial that has the starting recipe's own values, where it reached its end."""
        values = self.search.start_values()
        return next((trial for trial in reversed(self.complete) if trial.values == values), None)

    def count(self, state: str) -> int:
        """Return how many trials ended in `state`."""
        return sum(trial.state == state for trial in self.trials)

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON data; accuracies are fractions, times seconds."""
        return {**_about(self), **_final(self.final), "trials": [trial.to_json() for trial in self.trials]}


def compare(start: RunDirectory, best: RunDirectory) -> Final:
    """Return the comparison of two complete runs on the same data.

    Raises:
        RunError: a run is unfinished or damaged.
    """
    scores = (start.result()["scores"], best.result()["scores"])
    splits = [split for split in (SPLIT, JUDGED) if all(split in one for one in scores)]
    return Final(start, best, [_gain(split, start, best) for split in splits])


def short(text: str) -> str:
    """Return a number of many digits with four significant ones, and any other value as it is."""
    try:
        return f"{float(text):.4g}" if len(text) > 6 else text
    except ValueError:
        return text


def measure_search(result: SearchResult, name: str, command: str) -> Measurement:
    """Return what a search found as a measurement: device and versions are the best run's.

    Its figures are those of `tune.json`, with the number of trials in place of each, the data, and the recipe and the
    command of both runs.
    """
    assert result.final is not None
    start, best = result.final.start, result.final.best
    figures = {
        **_about(result),
        **_final(result.final),
        "trials": len(result.trials),
        "pretrained": result.search.recipe.model.pretrained,
        "data": {key: best.data()[key] for key in ("name", "fingerprint")},
        "commands": {"start": start.sessions()[0]["command"], "best": best.sessions()[0]["command"]},
        "recipes": {"start": to_json(start.recipe()), "best": to_json(best.recipe())},
    }
    return records.measurement(name, figures, best.sessions()[0], command)


def _gain(split: str, start: RunDirectory, best: RunDirectory) -> Gain:
    before, after = (run.predictions(split) for run in (start, best))
    return Gain(split, before.scores(), after.scores(), comparison.compare(before, after))


def _about(result: SearchResult) -> dict[str, Any]:
    search, best, started = result.search, result.best, result.started
    return {
        "search": search.name,
        "recipe_name": search.recipe.name,
        "space": {one.name: str(one.domain) for one in search.space},
        "sampler": search.sampler,
        "prune": search.prune,
        "fraction": search.fraction,
        "complete": result.count("complete"),
        "pruned": result.count("pruned"),
        "failed": result.count("failed"),
        "interrupted": result.interrupted,
        "seconds": sum(trial.seconds for trial in result.trials),
        "selected_on": SPLIT,
        "best": {key: value for key, value in best.to_json().items() if key not in ("reason", "history")},
        "start": None if started is None else {"trial": started.number, f"{SPLIT}_top1": started.value},
        "importances": dict(result.importances),
    }


def _final(final: Final | None) -> dict[str, Any]:
    return {} if final is None else {one.split: one.to_json() for one in final.gains}
