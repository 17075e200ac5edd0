"""The tables of every name that a recipe may use."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from thumbnet.augment import IMAGE_OPERATIONS, MIXING_OPERATIONS
from thumbnet.models.registry import MODELS
from thumbnet.optim import optimizer_names
from thumbnet.optim.schedules import SCHEDULES
from thumbnet.recipes import RECIPES
from thumbnet.registry import Registry
from thumbnet.text import markdown_table


def names() -> Mapping[str, str]:
    """Return, by marker, the tables of every name that a recipe may use, with its options and their defaults."""
    recipes = [(f"`{name}`", _first_line(make)) for name, make in RECIPES.items()]
    operations = _options_rows(IMAGE_OPERATIONS) + _options_rows(MIXING_OPERATIONS)
    options = ("name", "options", "what it does")
    return {
        "recipes": markdown_table(("recipe", "what it is"), recipes),
        "models": markdown_table(options, _options_rows(MODELS)),
        "schedules": markdown_table(options, _options_rows(SCHEDULES)),
        "optimizers": ", ".join(f"`{name}`" for name in optimizer_names()),
        "operations": markdown_table(options, operations),
    }


def _options_rows(registry: Registry[Any]) -> list[tuple[str, ...]]:
    return [(f"`{name}`", _options(registry.get(name)), _first_line(registry.get(name))) for name in registry.names()]


def _options(function: Any) -> str:
    """Return a function's keyword-only parameters as `name=default`, or as `name` where one must be given."""
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            needed = parameter.default is inspect.Parameter.empty
            found.append(parameter.name if needed else f"{parameter.name}={_value(parameter.default)}")
    return ", ".join(f"`{one}`" for one in found)


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _first_line(function: Any) -> str:
    return re.sub(r"\s+", " ", (inspect.getdoc(function) or "").split("\n\n")[0].splitlines()[0])
