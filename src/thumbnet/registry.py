"""Names that stand for functions: one table a kind, with options checked against the function's signature."""

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from thumbnet.errors import RecipeError, nearest
from thumbnet.recipe.codec import decode

T = TypeVar("T")


class Registry(Generic[T]):
    """A table of functions by name.

    A function's keyword-only parameters are the options that a recipe may give; their annotations are the types that
    values must have. Its positional parameters are the context that the caller supplies.
    """

    def __init__(self, kind: str, functions: Mapping[str, Callable[..., T]]) -> None:
        """Make a table of `functions`; `kind` names it in messages ('model', 'operation')."""
        self.kind = kind
        self.functions = dict(functions)

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self.functions)

    def get(self, name: str) -> Callable[..., T]:
        """Return the function called `name`.

        Raises:
            RecipeError: there is none; the message gives the nearest names.
        """
        if name not in self.functions:
            raise RecipeError(f"{self.kind} {name!r} is unknown; {nearest(name, self.functions)}")
        return self.functions[name]

    def check(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return `options` with the types of the function's keyword parameters, and its defaults filled in.

        Raises:
            RecipeError: an unknown or missing option, or a value of the wrong type.
        """
        function = self.get(name)
        hints = typing.get_type_hints(function)
        parameters = inspect.signature(function).parameters.values()
        known = {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
        for key in options:
            if key not in known:
                hint = nearest(key, known) if known else "it takes none"
                raise RecipeError(f"{self.kind} {name}: unknown option {key!r}; {hint}")
        for key, parameter in known.items():
            if parameter.default is inspect.Parameter.empty and key not in options:
                raise RecipeError(f"{self.kind} {name}: the option {key!r} is missing; add it")
        given = {key: decode(hints[key], value, f"{self.kind} {name}.{key}") for key, value in options.items()}
        defaults = {key: p.default for key, p in known.items() if p.default is not inspect.Parameter.empty}
        return defaults | given

    def call(self, name: str, options: Mapping[str, Any], *context: Any) -> T:
        """Return the function's result for `context` and the checked `options`."""
        return self.get(name)(*context, **self.check(name, options))
