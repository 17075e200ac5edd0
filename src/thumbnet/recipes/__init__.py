"""Recipes by name: one module a report, and our own. A new recipe is a function and a line in `RECIPES`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from thumbnet.errors import RecipeError, nearest
from thumbnet.files import read_json
from thumbnet.recipe import Recipe, from_json
from thumbnet.recipes import ma, mkrtchyan, own

RECIPES: Mapping[str, Callable[[], Recipe]] = {
    "demo": own.demo,
    "ma-scratch": ma.scratch,
    "ma-scratch-64": ma.scratch_64,
    "mkrtchyan-m1": mkrtchyan.m1,
    "mkrtchyan-m1+": mkrtchyan.m1_plus,
    "mkrtchyan-m1-lr1e-4": mkrtchyan.m1_lr1e_4,
    "mkrtchyan-m1-set1": mkrtchyan.m1_set1,
    "mkrtchyan-m4": mkrtchyan.m4,
    "resnet18-64": own.resnet18_64,
}


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
