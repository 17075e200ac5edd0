"""`thumbnet tune`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from thumbnet.cli.options import (
    DataOption,
    JsonFlag,
    SettingsOption,
    TrainingOptions,
    choose_recipe,
    command_line,
    open_data,
)
from thumbnet.cli.printing import show_result, tell
from thumbnet.errors import RecipeError
from thumbnet.text import without_password

if TYPE_CHECKING:
    from thumbnet.recipe import Recipe
    from thumbnet.studies import Search
    from thumbnet.workflows.tuning.result import SearchResult, Trial

_SHOWN = 5


@Parameter(name="*")
@dataclass(frozen=True)
class SearchOptions:
    """What is searched, and how.

    Attributes:
        space: the settings and where their values lie; a search has at least one.
        trials: number of trials in the end.
        name: name of the search; `None` for RECIPE-tune.
        sampler: how values are chosen.
        prune: which trials are ended early.
        fraction: part of its length that each trial runs.
        seed: seed of the sampler.
    """

    space: Annotated[
        list[str] | None,
        Parameter(
            name="--search",
            negative=(),
            help="What to search: KEY=LOW..HIGH, with :log or :int behind it, or KEY=VALUE,VALUE. "
            "KEY+KEY searches one value for several keys.",
        ),
    ] = None
    trials: Annotated[int, Parameter(help="How many trials there are in the end.")] = 100
    name: Annotated[str | None, Parameter(help="Name of the search; by default RECIPE-tune.")] = None
    sampler: Annotated[Literal["tpe", "random", "grid"], Parameter(help="How values are chosen.")] = "tpe"
    prune: Annotated[Literal["median", "none"], Parameter(help="Which trials are ended early.")] = "median"
    fraction: Annotated[float, Parameter(help="Shorten every trial to this part of its length.")] = 1.0
    seed: Annotated[int, Parameter(help="Seed of the sampler.")] = 0

    def make(self, recipe: "Recipe") -> "Search":
        """Return the search over `recipe`.

        Raises:
            RecipeError: a setting or a number that makes no search.
        """
        from thumbnet.studies import make_search

        return make_search(
            recipe,
            self.space or [],
            self.trials,
            self.name,
            sampler=self.sampler,
            prune=self.prune,
            fraction=self.fraction,
            seed=self.seed,
        )


def tune(
    recipe: Annotated[str, Parameter(help="A recipe (see: thumbnet recipes), or the path of a recipe.json.")],
    /,
    *,
    search: SearchOptions = SearchOptions(),
    settings: SettingsOption = None,
    data: DataOption = None,
    out: Annotated[Path, Parameter(help="Folder of the search's folder.")] = Path("runs"),
    storage: Annotated[
        str | None,
        Parameter(help="URL of a database that several processes or machines share; by default a file in the folder."),
    ] = None,
    keep_runs: Annotated[
        bool, Parameter(name="--keep-runs", negative=(), help="Keep the runs of all trials.")
    ] = False,
    search_only: Annotated[
        bool, Parameter(name="--search-only", negative=(), help="Leave the final runs to another process.")
    ] = False,
    record: Annotated[Path | None, Parameter(help="File (.json) or folder to write the search's record to.")] = None,
    training: TrainingOptions = TrainingOptions(),
    as_json: JsonFlag = False,
) -> None:
    """Search a recipe's settings on the holdout, then train the best and judge it on val beside the starting recipe.

    The same command goes on with a search, and may run in several processes at once. Needs the extra 'tune'.
    """
    if search_only and record is not None:
        raise RecipeError("--record: the final runs are recorded, and --search-only leaves them out; leave out one")
    chosen = search.make(choose_recipe(recipe, settings))
    from thumbnet.workflows.tuning.searching import record_path, record_search, run_search

    if record is not None:
        record_path(chosen, record)
    command = told_command(storage)
    result = run_search(
        chosen,
        open_data(data),
        out,
        training.options(),
        storage=storage,
        keep_runs=keep_runs,
        final=not search_only,
        command=command,
        tell=tell,
    )
    show_result(result.to_json(), out / chosen.name, _table(result), _notes(result), as_json)
    if record is not None:
        record_search(result, record, command)


def told_command(storage: str | None) -> str:
    """Return the command line, without the password of a storage."""
    import shlex

    if not storage:
        return command_line()
    words = shlex.split(command_line())
    return shlex.join([word.replace(storage, without_password(storage)) for word in words])


def _table(result: "SearchResult") -> Any:
    """Return the table of the best trials and the starting recipe's."""
    from rich.table import Table

    names = [one.name for one in result.search.space]
    table = Table(title=f"{result.search.name}: the best of {len(result.trials)} trials", title_justify="left")
    for title in ("trial", "holdout", *names, "seconds"):
        table.add_column(title, justify="left" if title in names else "right")
    rows = [(str(trial.number), trial) for trial in result.complete[:_SHOWN]]
    if result.started is not None:
        rows.append((f"start ({result.started.number})", result.started))
    for label, trial in rows:
        table.add_row(label, *_cells(trial, names))
    return table


def _cells(trial: "Trial", names: list[str]) -> list[str]:
    from thumbnet.workflows.tuning.result import short

    shown = "" if trial.value is None else f"{trial.value:.2%}"
    return [shown, *(short(trial.values[name]) for name in names), f"{trial.seconds:.0f}"]


def _notes(result: "SearchResult") -> list[str]:
    """Return how the trials ended, what mattered, and what the best recipe gained."""
    from thumbnet.studies.search import SPLIT

    counts = {"complete": "complete", "pruned": "ended early", "failed": "failed"}
    notes = ["trials: " + ", ".join(f"{result.count(state)} {text}" for state, text in counts.items())]
    if result.interrupted:
        notes[0] += f"; {result.interrupted} were interrupted and tried again"
    if result.importances:
        shares = sorted(result.importances.items(), key=lambda one: -one[1])
        notes.append("importance: " + ", ".join(f"{name} {share:.0%}" for name, share in shares))
    if result.final is None:
        return [*notes, "final runs: left out"]
    if result.final.start.path == result.final.best.path:
        notes.append("no trial beat the starting recipe's own values, so its run is the best one too")
    for one in result.final.gains:
        low, high = one.comparison.interval
        chose = one.split == SPLIT  # a gain on the split that chose is too high, whatever a test says of it
        notes.append(
            f"{one.split}{' (which chose)' if chose else ''}: start {one.before.top1:.2%}, best {one.after.top1:.2%}, "
            f"difference {100 * one.comparison.difference:+.2f} points ({100 * low:+.2f} to {100 * high:+.2f})."
            + ("" if chose else f" {one.comparison.sentence('the start', 'the best')}")
        )
    return [*notes, f"runs: {result.final.start.path}, {result.final.best.path}"]
