"""`thumbnet study`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from thumbnet.cli.printing import print_json, show_result, tell
from thumbnet.errors import RecipeError
from thumbnet.text import duration, percent, with_interval

if TYPE_CHECKING:
    from thumbnet.studies import Study
    from thumbnet.workflows.study.result import Spread, StudyResult, VariantResult

VaryOption = Annotated[
    list[str] | None,
    Parameter(
        name="--vary", negative=(), help="Vary a setting of a recipe: KEY=VALUE,VALUE, as optimizer.lr=0.01,0.1."
    ),
]


def study(
    name: Annotated[str | None, Parameter(help="A study; or, with --vary or --seeds, a recipe or its file.")] = None,
    /,
    *,
    vary: VaryOption = None,
    seeds: Annotated[int | None, Parameter(help="How many seeds each variant runs with.")] = None,
    settings: SettingsOption = None,
    called: Annotated[
        str | None, Parameter(name="--name", help="Name of the study's folder and record; by default what it varies.")
    ] = None,
    list_all: Annotated[bool, Parameter(name="--list", negative=(), help="List the studies.")] = False,
    data: DataOption = None,
    out: Annotated[Path, Parameter(help="Folder of the runs and of the study's folder.")] = Path("runs"),
    fraction: Annotated[float, Parameter(help="Shorten every run to this part of its length.")] = 1.0,
    dry_run: Annotated[
        bool, Parameter(negative=(), help="Only list the runs, their states, and how long they take here.")
    ] = False,
    records: Annotated[Path | None, Parameter(name="--records", help="Folder to write the study's record to.")] = None,
    training: TrainingOptions = TrainingOptions(),
    as_json: JsonFlag = False,
) -> None:
    """Run several trainings with one thing varied, and compare them in a table and a figure.

    Runs that are there already are used or resumed. Without NAME, the studies are listed.
    """
    from thumbnet.studies import STUDIES, look_at

    if name is None or list_all:
        _list(as_json)
        return
    chosen = look_at(_find(name, vary or [], seeds, settings or [], called), fraction)
    if dry_run:
        _show_states(chosen, out, data, training, as_json)
        return
    from thumbnet.workflows.study.running import check_recordable, record_study, run_study

    dataset = open_data(data)
    if records is not None:
        check_recordable(chosen, dataset, records)
    result = run_study(chosen, dataset, out, training.options(), command=command_line(), tell=tell)
    if records is not None:
        record_study(result, records, "" if name == chosen.name and name in STUDIES else command_line())
    show_result(result.to_json(), out / chosen.name, _table(result), _notes(result), as_json)


def _find(name: str, varied: list[str], seeds: int | None, settings: list[str], called: str | None) -> "Study":
    """Return the study that the command line names or makes, under the name that it gives.

    Raises:
        RecipeError: an unknown name, or options that do not fit it.
    """
    from dataclasses import replace

    from thumbnet.errors import nearest
    from thumbnet.recipes import RECIPES
    from thumbnet.studies import STUDIES, vary

    if name in STUDIES:
        if varied or settings:
            raise RecipeError(
                f"study {name!r}: has its own variants; --vary and --set are for a recipe, as resnet18-64"
            )
        ours = STUDIES[name]
        return replace(ours, name=called or name, seeds=ours.seeds if seeds is None else seeds)
    if name not in RECIPES and not name.endswith(".json"):
        raise RecipeError(f"study or recipe {name!r} is unknown; {nearest(name, [*STUDIES, *RECIPES])}")
    return vary(choose_recipe(name, settings), varied, 1 if seeds is None else seeds, called)


def _list(as_json: bool) -> None:
    from thumbnet.studies import STUDIES

    if as_json:
        print_json([_described(one) for one in STUDIES.values()])
        return
    width = max(map(len, STUDIES))
    for one in STUDIES.values():
        sys.stdout.write(f"{one.name:<{width}}  {one.text}\n")


def _described(study: "Study") -> dict[str, Any]:
    runs = {label: recipe.name for label, recipe in study.runs.items()}
    described = {"study": study.name, "text": study.text, "source": study.source}
    return {**described, "runs": runs, "varies": list(study.varies), "seeds": study.seeds}


def _show_states(study: "Study", out: Path, data: Path | None, training: TrainingOptions, as_json: bool) -> None:
    from thumbnet.workflows.reproduction.survey import expected_left, shape_at, timed
    from thumbnet.workflows.study.running import check_folder, state_of

    check_folder(study, out / study.name)
    shape = shape_at(data)
    expect = timed(training.choose(), shape, tell)
    planned = study.planned()
    paths, states = [str(out / one.folder) for one in planned], [state_of(one, out) for one in planned]
    expected = [expected_left(out / one.folder, one.recipe, shape, expect) or 0.0 for one in planned]
    rows = list(zip((one.label for one in planned), paths, states, expected, strict=True))
    if as_json:
        print_json([dict(zip(("label", "run", "state", "expected_seconds"), row, strict=True)) for row in rows])
        return
    for _, path, state, seconds in rows:
        line = f"{path:<{max(map(len, paths))}}  {state:<{max(map(len, states))}}  {duration(seconds or None)}"
        sys.stdout.write(f"{line.rstrip()}\n")
    left = sum(expected)
    if left:
        sys.stdout.write(f"Expected in all: {duration(left)} on this machine; an estimate.\n")


_COLUMNS = (
    ("val_top1", "val"),
    ("holdout_top1", "holdout"),
    ("best_top1", "best"),
    ("eval_train_top1", "train, eval mode"),
    ("running_train_top1", "train, running"),
    ("final_loss", "final loss"),
    ("iterations_to_eval_train_100", "iterations to 100%, eval mode"),
    ("iterations_to_running_train_100", "iterations to 100%, running"),
    ("train_seconds", "seconds"),
)
_FEW = 4


def _table(result: "StudyResult") -> Any:
    """Return the table of all figures that any variant has: a column a variant, or a row each when they are many."""
    from rich.table import Table

    columns = [(key, title) for key, title in _COLUMNS if any(key in one.spreads for one in result.variants)]
    lines = [["variant", *(title for _, title in columns)]]
    lines += [[one.label, *(_spread(one.spreads.get(key), key) for key, _ in columns)] for one in result.variants]
    if len(result.variants) > 1:
        for line, cell in zip(lines, ["difference", *map(_difference, result.variants)], strict=True):
            line.append(cell)
    if len(result.variants) <= _FEW:
        lines = [list(line) for line in zip(*lines, strict=True)]
    first, *rest = lines
    table = Table(title=f"{result.study.name}: {result.study.text}", title_justify="left")
    for number, title in enumerate(first):
        table.add_column(title, justify="right" if number else "left")
    for line in rest:
        table.add_row(*line)
    return table


def _spread(found: "Spread | None", key: str) -> str:
    """Return a figure, with its standard deviation over seeds where there are several."""
    if found is None:
        return ""
    scale, digits, unit = (100, 2, "%") if key.endswith("top1") else (1, 3, "") if key == "final_loss" else (1, 0, "")
    text = f"{scale * found.mean:.{digits}f}"
    return text + unit if found.std is None else f"{text} ± {scale * found.std:.{max(digits, 1)}f}{unit}"


def _difference(one: "VariantResult") -> str:
    if one.difference is None:
        return ""
    low, high = one.difference.interval
    return f"{100 * one.difference.value:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def _notes(result: "StudyResult") -> list[str]:
    """Return what the table's figures mean, which runs failed, and the ensembles' figures."""
    notes = [f"{run.planned.folder} failed: {run.failure}" for run in result.runs if not run.complete]
    over = {one.difference.over for one in result.variants if one.difference is not None}
    if over:
        how = {"seeds": "Student's, of pairs of one seed", "images": "of the same images judged by both; one seed"}
        kinds = " or ".join(how[kind] for kind in sorted(over))
        notes.append(
            f"difference: top-1 on {result.split} less the first variant's, in points, 95% interval ({kinds})"
        )
    if any(spread.std is not None for one in result.variants for spread in one.spreads.values()):
        notes.append(f"mean ± sample standard deviation over {result.study.seeds} seeds")
    found = result.ensemble
    if found is not None:
        top1, single = with_interval(found.judged.top1, found.judged.top1_interval, 2), percent(found.single.top1, 2)
        notes.append(
            f"ensemble of all {found.size}: top-1 {top1}, the first alone {single}"
            if found.selected_on == "none"
            else f"ensemble of the best {found.size} of {len(found.curve)}: top-1 {top1}, of all "
            f"{percent(found.curve[-1].top1, 2)}, single best {single} (chosen on {found.selected_on})"
        )
        notes += found.notes
    return notes
