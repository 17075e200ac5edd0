"""`thumbnet recipes`: the recipes that there are, or one in full."""

import inspect
import sys
from typing import Annotated

from cyclopts import Parameter

from thumbnet.cli.options import JsonFlag
from thumbnet.cli.printing import print_json


def recipes(
    name: Annotated[str | None, Parameter(help="A recipe, or the path of a recipe.json.")] = None,
    /,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List the recipes, or show one in full: what it shows, and every setting as JSON."""
    from thumbnet.recipe import to_json
    from thumbnet.recipes import RECIPES, find_recipe

    if name is not None:
        found = find_recipe(name)
        if not as_json and name in RECIPES:
            sys.stdout.write(inspect.cleandoc(RECIPES[name].__doc__ or "") + "\n\n")
        print_json(to_json(found))
    elif as_json:
        print_json({key: to_json(make()) for key, make in RECIPES.items()})
    else:
        width = max(map(len, RECIPES))
        for key, make in RECIPES.items():
            summary = inspect.cleandoc(make.__doc__ or "").splitlines()[0]
            sys.stdout.write(f"{key:<{width}}  {summary}\n")
