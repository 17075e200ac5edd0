"""`thumbnet tune`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from thumbnet.cli.options import (
    CacheOption,
    DataOption,
    DeviceOption,
    JsonFlag,
    ThreadsOption,
    command_line,
    open_data,
    print_json,
    read_settings,
)
from thumbnet.cli.training import CheckpointOption

if TYPE_CHECKING:
    from thumbnet.workflows.tuning_result import SearchResult, Trial

SearchOption = Annotated[
    list[str] | None,
    Parameter(
        name="--search",
        help="What to search: KEY=LOW..HIGH, with :log or :int behind it, or KEY=VALUE,VALUE. "
        "KEY+KEY searches one value for several keys.",
    ),
]
_SHOWN = 5


def tune(
    recipe: Annotated[str, Parameter(help="A recipe (see: thumbnet recipes), or the path of a recipe.json.")],
    /,
    *,
    search: SearchOption = None,
    trials: Annotated[int, Parameter(help="How many trials there are in the end.")] = 100,
    settings: Annotated[
        list[str] | None, Parameter(name="--set", help="Replace a setting before the search: KEY=VALUE.")
    ] = None,
    data: DataOption = None,
    out: Annotated[Path, Parameter(help="Folder of the search's folder.")] = Path("runs"),
    name: Annotated[str | None, Parameter(help="Name of the search; by default RECIPE-tune.")] = None,
    storage: Annotated[
        str | None,
        Parameter(help="URL of a database that several processes or machines share; by default a file in the folder."),
    ] = None,
    sampler: Annotated[Literal["tpe", "random", "grid"], Parameter(help="How values are chosen.")] = "tpe",
    prune: Annotated[Literal["median", "none"], Parameter(help="Which trials are ended early.")] = "median",
    fraction: Annotated[float, Parameter(help="Shorten every trial to this part of its length.")] = 1.0,
    seed: Annotated[int, Parameter(help="Seed of the sampler.")] = 0,
    keep_runs: Annotated[
        bool, Parameter(name="--keep-runs", negative=(), help="Keep the runs of all trials.")
    ] = False,
    search_only: Annotated[
        bool, Parameter(name="--search-only", negative=(), help="Leave the final runs to another process.")
    ] = False,
    record: Annotated[Path | None, Parameter(help="File (.json) or folder to write the search's record to.")] = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    checkpoint_seconds: CheckpointOption = 120.0,
    cache: CacheOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Search a recipe's settings on the holdout, then train the best and judge it on val beside the starting recipe.

    The same command goes on with a search, and may run in several processes at once. Needs the extra 'tune'.
    """
    from thumbnet.errors import RecipeError
    from thumbnet.recipe import assign
    from thumbnet.recipes import find_recipe
    from thumbnet.studies import make_search

    if search_only and record is not None:
        raise RecipeError("--record: the final runs are recorded, and --search-only leaves them out; leave out one")
    chosen = make_search(
        assign(find_recipe(recipe), read_settings(settings or [])),
        search or [],
        trials,
        name,
        sampler=sampler,
        prune=prune,
        fraction=fraction,
        seed=seed,
    )
    from thumbnet.train import Options
    from thumbnet.workflows.tuning import record_search, run_search

    result = run_search(
        chosen,
        open_data(data),
        out,
        Options(device, threads, checkpoint_seconds, cache=cache),
        storage=storage,
        keep_runs=keep_runs,
        final=not search_only,
        command=told_command(storage),
        tell=_tell,
    )
    if record is not None:
        record_search(result, record, told_command(storage))
    _show(result, out / chosen.name, as_json)


def told_command(storage: str | None) -> str:
    """Return the command line, without the password of a storage."""
    import re
    import shlex

    words = shlex.split(command_line())
    return shlex.join([re.sub(r"(://[^/@]*:)[^/]*@", r"\1***@", word) if storage else word for word in words])


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _show(result: "SearchResult", folder: Path, as_json: bool) -> None:
    if as_json:
        print_json({"folder": str(folder), **result.to_json()})
        return
    from rich.console import Console

    # A file or a pipe has no width; the table gets what it needs.
    console = Console(width=None if sys.stdout.isatty() else 240)
    console.print(_table(result))
    for line in _notes(result):
        console.print(line, highlight=False, markup=False)
    sys.stdout.write(f"figure: {folder / 'figure.png'}\n")


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
    from thumbnet.workflows.tuning_result import short

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
