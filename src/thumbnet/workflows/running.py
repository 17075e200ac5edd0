"""Runs that a folder may hold already: found to be the right ones, begun, or gone on with."""

from collections.abc import Callable
from pathlib import Path

from thumbnet.errors import RunError
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Recipe, same_recipe
from thumbnet.run import RunDirectory
from thumbnet.train import Options, resume, start

Tell = Callable[[str], None]
"""Takes a line of progress."""


def silent(_: str) -> None:
    """Say nothing."""


def open_run_of(recipe: Recipe, folder: Path) -> RunDirectory:
    """Return the run in `folder`, which is there already.

    Raises:
        RunError: the folder holds another recipe's run, or none.
    """
    run = RunDirectory.open(folder)
    if not same_recipe(run.recipe(), recipe):
        raise RunError(
            f"run {folder}: not of the recipe {recipe.name!r} as it stands now; remove it, or choose another --out"
        )
    return run


def open_run_on(dataset: PackedDataset, recipe: Recipe, folder: Path) -> RunDirectory:
    """Return the run of `recipe` on `dataset` in `folder`, which is there already.

    Raises:
        RunError: the folder holds a run of another recipe or on other data, or none.
    """
    run = open_run_of(recipe, folder)
    if run.data()["fingerprint"] != dataset.fingerprint:
        raise RunError(f"run {folder}: its data is not {dataset.path}; give its own, or choose another --out")
    return run


def train_or_go_on(
    recipe: Recipe, dataset: PackedDataset, folder: Path, options: Options, command: str
) -> RunDirectory:
    """Return the complete run of `recipe` in `folder`: as it is there, gone on with, or new.

    Raises:
        RunError: the folder holds a run of another recipe or on other data.
        Interrupted: somebody asked to stop; the same call goes on.
        ThumbnetError: the recipe cannot be trained here.
    """
    if not folder.exists():
        return start(recipe, dataset, folder, options, command)
    run = open_run_on(dataset, recipe, folder)
    return run if run.is_complete else resume(run, dataset, options, command)
