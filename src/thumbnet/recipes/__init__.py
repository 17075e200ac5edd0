"""Recipes by name: one module a report, and our own.

A new recipe is a function and a line in `ROWS` of its report's module, or in `OWN`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from thumbnet.errors import RecipeError, nearest
from thumbnet.files import read_json
from thumbnet.packed import TINY_IMAGENET_SIZE
from thumbnet.recipe import Recipe, from_json, same_recipe
from thumbnet.recipes import hansen, ma, milani, mkrtchyan, own, transfer, yu
from thumbnet.recipes.looks import look_name, own_name, quick_look
from thumbnet.recipes.rows import Reported, Row

__all__ = [
    "OWN",
    "RECIPES",
    "REPORTS",
    "ROWS",
    "Reported",
    "Row",
    "find_recipe",
    "find_row",
    "is_current",
    "look_name",
    "own_name",
    "quick_look",
]

REPORTS: Mapping[str, Mapping[str, Row]] = {
    "hansen": hansen.ROWS,
    "ma": ma.ROWS,
    "milani": milani.ROWS,
    "mkrtchyan": mkrtchyan.ROWS,
    "yu": yu.ROWS,
}
"""The rows of each report."""

OWN: Mapping[str, Callable[[], Recipe]] = {
    "demo": own.demo,
    "resnet18-64": own.resnet18_64,
    **transfer.RECIPES,
}
"""Our own recipes."""

ROWS: Mapping[str, Row] = {name: row for rows in REPORTS.values() for name, row in rows.items()}
"""Every row of every report, by name."""

RECIPES: Mapping[str, Callable[[], Recipe]] = {
    name: make
    for name, make in [*OWN.items(), *((name, row.recipe) for name, row in ROWS.items())]
    if make is not None
}
"""Every recipe, by name: ours, then the reports'."""


def find_recipe(name: str) -> Recipe:
    """Return the recipe called `name`, or the one in the JSON file at the path `name`.

    Raises:
        RecipeError: there is no such recipe (with the nearest names), or the file holds none.
        StorageError: the file cannot be read.
    """
    if name in RECIPES:
        return RECIPES[name]()
    if name.endswith(".json"):
        return from_json(read_json(Path(name)))
    raise RecipeError(f"recipe {name!r} is unknown; {nearest(name, RECIPES)}")


def is_current(recipe: Recipe, name: str) -> bool:
    """Return whether `recipe` is our recipe called `name` as it stands now, on Tiny ImageNet; the seed may differ.

    There a size that a phase of `recipe` leaves to the data is 64 pixels, where ours states them.

    Raises:
        RecipeError: our recipe cannot be made.
    """
    ours = replace(RECIPES[name](), seed=0)
    if len(recipe.phases) != len(ours.phases):
        return False
    phases = tuple(
        one if one.image_size or own.image_size != TINY_IMAGENET_SIZE else replace(one, image_size=own.image_size)
        for one, own in zip(recipe.phases, ours.phases, strict=True)
    )
    return same_recipe(replace(recipe, seed=0, phases=phases), ours)


def find_row(name: str) -> Row:
    """Return the row called `name`.

    Raises:
        RecipeError: there is no such row, with the nearest names.
    """
    if name not in ROWS:
        raise RecipeError(f"row {name!r} is unknown; {nearest(name, ROWS)}")
    return ROWS[name]
