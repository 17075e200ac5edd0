"""The user's own studies: a recipe with some of its keys varied over values."""

import itertools
import re
import zlib
from collections.abc import Sequence
from dataclasses import replace

from thumbnet.errors import RecipeError
from thumbnet.recipe import Recipe, assign
from thumbnet.studies.study import Study
from thumbnet.studies.values import split_values, value_of

PANELS = ("loss", "accuracy", "bars")
"""What the figure of a user's study shows."""

_LONGEST = 40


def vary(recipe: Recipe, settings: Sequence[str], seeds: int = 1, name: str | None = None) -> Study:
    """Return the study of `recipe` with every combination of the values of `settings`.

    Args:
        recipe: what is varied.
        settings: each 'KEY=VALUE,VALUE...', with keys and values as `thumbnet.recipe.assign` takes them; commas within
            brackets, braces or double quotes belong to a value. Without any, only the seed varies.
        seeds: how often each combination runs.
        name: of the study; by default the recipe's and the keys.

    Returns:
        A study whose labels read 'optimizer.lr=0.001' and whose runs are named `<recipe>,optimizer.lr=0.001`.

    Raises:
        RecipeError: a setting of another form, an unknown key, a value that the key cannot have, fewer than two
            values, or two that come to the same.
    """
    values = _parse(settings)
    if not values and seeds < 2:
        raise RecipeError(f"study of {recipe.name}: nothing varies; add --vary KEY=VALUE,VALUE or --seeds 5")
    runs = {}
    for chosen in itertools.product(*values.values()):
        changed = assign(recipe, dict(zip(values, chosen, strict=True)))
        found = {key: value_of(changed, key) for key in values}
        label = ", ".join(f"{key}={text}" for key, text in found.items()) or recipe.name
        if label in runs:
            raise RecipeError(f"--vary: two values come to the same, {label}; leave one out")
        runs[label] = replace(
            changed, name=",".join([recipe.name, *(f"{key}={_plain(text)}" for key, text in found.items())])
        )
    what = "-and-".join(values)
    return Study(
        name=name or (f"{recipe.name}-by-{what}" if values else f"{recipe.name}-seeds"),
        text=f"{recipe.name} with {', '.join(values)} varied." if values else f"{recipe.name} with other seeds.",
        runs=runs,
        varies=tuple(values),
        panels=PANELS,
        seeds=seeds,
    )


def _parse(settings: Sequence[str]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for setting in settings:
        key, found, text = setting.partition("=")
        if not found or not key:
            raise RecipeError(f"--vary {setting}: not of the form KEY=VALUE,VALUE; write --vary optimizer.lr=0.01,0.1")
        if key in values or key == "name":
            reason = "runs are named by what varies" if key == "name" else "the key is given twice"
            raise RecipeError(f"--vary {setting}: {reason}; leave it out")
        values[key] = split_values(text)
        if len(values[key]) < 2 or "" in values[key]:
            raise RecipeError(f"--vary {setting}: needs two values or more, none empty, as optimizer.lr=0.01,0.1")
    return values


def _plain(text: str) -> str:
    """Return `text` as a part of a file's name; what that makes less plain gets a checksum, so that no two are one."""
    plain = re.sub(r"[^A-Za-z0-9._+-]+", "_", text)
    if plain == text.replace(" ", "_") and len(plain) <= _LONGEST:
        return plain
    return f"{plain[:_LONGEST].strip('_')}_{zlib.crc32(text.encode()):08x}"
