"""Recipes as JSON and as `KEY=VALUE`, each value checked against the type of its field."""

import dataclasses
import json
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from thumbnet.errors import RecipeError, nearest
from thumbnet.recipe.length import Length
from thumbnet.recipe.schema import Recipe

T = TypeVar("T")


def to_json(value: object) -> Any:
    """Return `value` (a recipe or a part of one) as JSON data: every field is stated, lengths are text."""
    if isinstance(value, Length):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    return value


def from_json(data: object) -> Recipe:
    """Return the recipe that JSON data describes; fields that are left out take their defaults.

    Raises:
        RecipeError: an unknown field (with the nearest names), or a value of the wrong type or range.
    """
    return cast(Recipe, decode(Recipe, data, "recipe"))


def assign(recipe: Recipe, assignments: Mapping[str, str]) -> Recipe:
    """Return `recipe` with values replaced, as by `--set optimizer.lr=0.01` or `--set phases.0.length='5 epochs'`.

    A value is read as JSON where it is JSON and as text where it is not.

    Raises:
        RecipeError: an unknown key (with the nearest names), or a value of the wrong type or range.
    """
    data = to_json(recipe)
    for key, text in assignments.items():
        _assign_one(data, key, _value(text))
    return from_json(data)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _assign_one(data: Any, key: str, value: object) -> None:
    parts = key.split(".")
    place = data
    for depth, part in enumerate(parts[:-1]):
        place = _descend(place, part, ".".join(parts[: depth + 1]))
    last = parts[-1]
    if isinstance(place, list):
        _descend(place, last, key)
        place[int(last)] = value
    elif isinstance(place, dict):
        # An unknown name is refused when the whole is decoded; until then an object may be incomplete ('ema={}').
        place[last] = value
    else:
        _descend(place, last, key)


def _descend(place: Any, part: str, key: str) -> Any:
    if isinstance(place, list):
        if not part.isdecimal() or int(part) >= len(place):
            raise RecipeError(f"{key}: {part!r} is not a position in a list of {len(place)}; the first is 0")
        return place[int(part)]
    if not isinstance(place, dict):
        raise RecipeError(f"{key}: a plain value has no key {part!r}; set the whole value")
    if part not in place:
        hint = nearest(part, place) if place else "it has none; set the whole value"
        raise RecipeError(f"{key}: unknown key {part!r}; {hint}")
    return place[part]


def decode(kind: Any, data: object, where: str) -> Any:
    """Return `data` as an object of type `kind`; `where` names the place in messages."""
    if kind is Length:
        return _length(data, where)
    if dataclasses.is_dataclass(kind):
        return _dataclass(cast(type, kind), data, where)
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _union(kind, data, where)
    if origin is typing.Literal:
        return _literal(kind, data, where)
    if origin is tuple:
        return _tuple(kind, data, where)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(data, where)
    return _scalar(kind, data, where)


def _length(data: object, where: str) -> Length:
    if not isinstance(data, str):
        raise RecipeError(f"{where}: {data!r} is not a length; write '20 epochs' or '390 iterations'")
    try:
        return Length.parse(data)
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from error


def _dataclass(kind: type[T], data: object, where: str) -> T:
    if not isinstance(data, dict):
        raise RecipeError(f"{where}: {data!r} is not an object with named fields")
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(cast(Any, kind))}
    for key in data:
        if key not in fields:
            raise RecipeError(f"{where}: unknown key {key!r}; {nearest(str(key), fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in data:
            raise RecipeError(f"{where}: the field {name!r} is missing; add it")
    return kind(**{key: decode(hints[key], value, f"{where}.{key}") for key, value in data.items()})


def _union(kind: Any, data: object, where: str) -> Any:
    members = typing.get_args(kind)
    if data is None and type(None) in members:
        return None
    errors = []
    for member in members:
        if member is type(None):
            continue
        try:
            return decode(member, data, where)
        except RecipeError as error:
            errors.append(str(error))
    raise RecipeError(errors[-1] if isinstance(data, list) else errors[0])


def _literal(kind: Any, data: object, where: str) -> Any:
    choices = typing.get_args(kind)
    if data not in choices:
        raise RecipeError(f"{where}: {data!r} is not one of " + ", ".join(repr(choice) for choice in choices))
    return data


def _tuple(kind: Any, data: object, where: str) -> tuple[Any, ...]:
    if not isinstance(data, list | tuple):
        raise RecipeError(f"{where}: {data!r} is not a list")
    members = typing.get_args(kind)
    if members[-1] is Ellipsis:
        members = (members[0],) * len(data)
    if len(members) != len(data):
        raise RecipeError(f"{where}: {len(data)} values where {len(members)} are needed")
    return tuple(
        decode(member, item, f"{where}.{i}") for i, (member, item) in enumerate(zip(members, data, strict=True))
    )


def _mapping(data: object, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise RecipeError(f"{where}: {data!r} is not an object of options")
    return {str(key): value for key, value in data.items()}


def _scalar(kind: Any, data: object, where: str) -> Any:
    number = isinstance(data, int | float) and not isinstance(data, bool)
    # JSON as Python reads it has NaN, Infinity and whole numbers too large for a float; no field takes those.
    if kind is float and number and abs(cast(float, data)) <= sys.float_info.max:
        return float(cast(float, data))
    if kind is int and number and (isinstance(data, int) or cast(float, data).is_integer()):
        return int(cast(float, data))
    if kind in (bool, str) and isinstance(data, kind):
        return data
    names = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}
    raise RecipeError(f"{where}: {data!r} is not {names.get(kind, kind)}")
