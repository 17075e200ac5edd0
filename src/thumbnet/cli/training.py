"""`thumbnet train` and `thumbnet resume`."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from thumbnet.cli.options import (
    DataOption,
    JsonFlag,
    OwnDataOption,
    RunArgument,
    SettingsOption,
    TrainingOptions,
    choose_recipe,
    command_line,
    open_data,
    open_run,
    with_settings,
)
from thumbnet.cli.printing import print_json
from thumbnet.text import with_interval

if TYPE_CHECKING:
    from thumbnet.packed import PackedDataset
    from thumbnet.recipe import Recipe
    from thumbnet.run import RunDirectory


def train(
    recipe: Annotated[str, Parameter(help="A recipe (see: thumbnet recipes), or the path of a recipe.json.")],
    /,
    *,
    data: DataOption = None,
    out: Annotated[Path | None, Parameter(help="Folder of the run; by default runs/RECIPE.")] = None,
    settings: SettingsOption = None,
    init: Annotated[
        str | None, Parameter(help="Weights to start from: a file of tensors, an earlier run, or a checkpoint of one.")
    ] = None,
    training: TrainingOptions = TrainingOptions(),
    tensorboard: Annotated[bool, Parameter(negative=(), help="Write the metrics for TensorBoard too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a recipe from beginning to end, evaluate it, and store everything in a run directory."""
    from thumbnet.train import start

    chosen, dataset = choose_recipe(recipe, settings), open_data(data)
    chosen = chosen if init is None else _start_from(init, chosen, dataset, settings or [])
    target = out or Path("runs") / chosen.name
    options = training.options(tensorboard=tensorboard)
    _show(start(chosen, dataset, target, options, command_line()), as_json)


def _start_from(init: str, recipe: "Recipe", dataset: "PackedDataset", settings: list[str]) -> "Recipe":
    """Return `recipe` with `init` to start from, with the head of a run of the same classes unless settings say so."""
    from thumbnet.recipe import start_from
    from thumbnet.train import has_head_for

    begun = start_from(recipe, init, own_head=has_head_for(dataset, Path(init)))
    return with_settings(begun, [one for one in settings if one.startswith("model.head")])


def resume(
    run: RunArgument,
    /,
    *,
    data: OwnDataOption = None,
    training: TrainingOptions = TrainingOptions(),
    as_json: JsonFlag = False,
) -> None:
    """Go on with a run that was interrupted or killed, from its last checkpoint, as if nothing had happened."""
    from thumbnet.train import load_run_data
    from thumbnet.train import resume as resume_run

    opened = open_run(run)
    _show(resume_run(opened, load_run_data(opened, data), training.options(), command_line()), as_json)


def _show(run: "RunDirectory", as_json: bool) -> None:
    result = run.result()
    if as_json:
        print_json({"run": str(run.path), **result})
        return
    sys.stdout.write(f"{run.path}: {result['epochs']:g} epochs in {result['total_seconds']:.0f} s\n")
    for split, scores in result["scores"].items():
        top1 = with_interval(scores["top1"], scores["top1_interval"], 2)
        sys.stdout.write(f"{split:<8} top-1 {top1}, {scores['images']:,} images\n")
    if result["best"] is not None:
        best = result["best"]
        sys.stdout.write(f"best on {best['split']}: {best['top1']:.2%} after epoch {best['epoch']:g}\n")
    sys.stdout.write(f"next: thumbnet evaluate {shlex.quote(str(run.path))}\n")
