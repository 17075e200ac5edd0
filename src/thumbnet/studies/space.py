"""The space of a search: which keys of a recipe are searched, and over which values."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from thumbnet.errors import RecipeError
from thumbnet.recipe import Recipe, assign
from thumbnet.studies.values import split_values, value_of

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})((?::[^:]*)*)")
_FORM = "write --search optimizer.lr=1e-4..1e-1:log, batch_size=16..256:int or optimizer.name=adamw,nesterov"
_INSIDE = 0.381966
"""A place within a range that no whole or round number is at."""

_FIXED = {
    "name": "trials are named by their numbers",
    "seed": "the best of several seeds is luck",
    "fraction": "every trial has the same length; use --fraction",
    "train_on": "trials are judged on the holdout, so all of them train without it",
    "selected_on": "the last step of each trial counts",
    "checkpointing": "it does not change a result",
    "evaluation.every": "trials are compared at the same moments",
    "evaluation.splits": "trials are judged on the holdout alone",
    "evaluation.train_images": "it does not change a result",
    "evaluation.batch_size": "it does not change a result",
    "evaluation.views": "trials are judged without test-time views",
}


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`: spread evenly, or evenly in their logarithms; whole ones alone with `whole`."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        ends = "..".join(self.text(end) for end in (self.low, self.high))
        return ends + ":int" * self.whole + ":log" * self.log

    def text(self, value: float) -> str:
        """Return `value` as a setting's text."""
        return str(round(value)) if self.whole else repr(float(value))

    def corners(self) -> tuple[str, ...]:
        """Return both ends."""
        return self.text(self.low), self.text(self.high)

    def samples(self) -> tuple[str, ...]:
        """Return both ends and a value between them."""
        return *self.corners(), self.text(self.low + _INSIDE * (self.high - self.low))


@dataclass(frozen=True)
class Choice:
    """Some values, as texts of settings."""

    values: tuple[str, ...]

    def __str__(self) -> str:
        return ",".join(self.values)

    def corners(self) -> tuple[str, ...]:
        """Return all values."""
        return self.values

    samples = corners


@dataclass(frozen=True)
class Parameter:
    """What is searched under one name: a value that all `keys` of the recipe take."""

    keys: tuple[str, ...]
    domain: Range | Choice

    @property
    def name(self) -> str:
        """The keys, joined by '+'."""
        return "+".join(self.keys)

    def grid(self) -> tuple[str, ...]:
        """Return all its values.

        Raises:
            RecipeError: there is no end of them.
        """
        if isinstance(self.domain, Choice):
            return self.domain.values
        if not self.domain.whole:
            raise RecipeError(
                f"--search {self.name}={self.domain}: a grid needs values; write {self.name}=A,B,C, "
                "or use --sampler random or tpe"
            )
        return tuple(map(str, range(round(self.domain.low), round(self.domain.high) + 1)))


def parse_space(settings: Sequence[str]) -> tuple[Parameter, ...]:
    """Return the parameters of `--search`.

    Args:
        settings: each `KEYS=LOW..HIGH`, with ':log' or ':int' or both behind it, or `KEYS=VALUE,VALUE...`. KEYS is a
            dotted key of a recipe, or several joined by '+', which then have one value in common.

    Raises:
        RecipeError: another form, an empty range, or a key that is given twice or is not to be searched.
    """
    if not settings:
        raise RecipeError(f"nothing is searched; {_FORM}")
    space = tuple(map(_parse, settings))
    seen: list[str] = []
    for parameter in space:
        for key in parameter.keys:
            _check_key(key, seen)
            seen.append(key)
    return space


def check_space(space: Sequence[Parameter], recipe: Recipe) -> None:
    """Check that `recipe` takes the values of each parameter, one parameter at a time.

    Raises:
        RecipeError: an unknown key, a value that its key cannot have, or two values that come to the same.
    """
    for parameter in space:
        found = [_checked(parameter, text, recipe) for text in parameter.domain.samples()]
        if isinstance(parameter.domain, Choice) and len(set(found)) < len(found):
            raise RecipeError(
                f"--search {parameter.name}={parameter.domain}: two values come to the same; leave one out"
            )


def settings_of(space: Sequence[Parameter], values: Mapping[str, str]) -> dict[str, str]:
    """Return the settings, by key of the recipe, that `values` (texts by name of the parameter) stand for."""
    return {key: values[parameter.name] for parameter in space for key in parameter.keys}


def own_values(space: Sequence[Parameter], recipe: Recipe) -> dict[str, str] | None:
    """Return the values that `recipe` itself has, by name; `None` where they do not lie in the space."""
    found = {parameter.name: _own_value(parameter, recipe) for parameter in space}
    known = {name: text for name, text in found.items() if text is not None}
    return known if len(known) == len(found) else None


def _own_value(parameter: Parameter, recipe: Recipe) -> str | None:
    try:
        texts = {value_of(recipe, key) for key in parameter.keys}
    except KeyError:  # an option that the recipe leaves out
        return None
    text, domain = texts.pop(), parameter.domain
    if texts:
        return None
    if isinstance(domain, Choice):
        return next((one for one in domain.values if _checked(parameter, one, recipe) == text), None)
    number = float(text) if re.fullmatch(_NUMBER, text) else math.nan
    inside = domain.low <= number <= domain.high and (number.is_integer() or not domain.whole)
    return domain.text(number) if inside else None


def _parse(setting: str) -> Parameter:
    names, found, text = setting.partition("=")
    keys = tuple(key.strip() for key in names.split("+"))
    text = text.strip()
    if not found or not all(keys):
        raise RecipeError(f"--search {setting}: not of the form KEY=...; {_FORM}")
    match = _RANGE.fullmatch(text)
    if match is not None:
        return Parameter(keys, _range(setting, *match.groups()))
    values = tuple(split_values(text))
    if len(values) < 2 or "" in values:
        raise RecipeError(f"--search {setting}: neither a range nor two values or more, none empty; {_FORM}")
    return Parameter(keys, Choice(values))


def _range(setting: str, low_text: str, high_text: str, ending: str) -> Range:
    marks = ending.split(":")[1:]
    unknown = [mark for mark in marks if mark not in ("log", "int")]
    if unknown or len(set(marks)) < len(marks):
        raise RecipeError(
            f"--search {setting}: {ending!r} behind a range; only :log and :int may follow it, once each"
        )
    low, high = float(low_text), float(high_text)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise RecipeError(f"--search {setting}: {low:g} is not below {high:g}; write the smaller number first")
    if "log" in marks and low <= 0:
        raise RecipeError(f"--search {setting}: {low:g} has no logarithm; begin above 0, or leave out :log")
    if "int" in marks and not (low.is_integer() and high.is_integer()):
        raise RecipeError(f"--search {setting}: :int needs whole numbers at both ends")
    return Range(low, high, "log" in marks, "int" in marks)


def _check_key(key: str, seen: Sequence[str]) -> None:
    for fixed, reason in _FIXED.items():
        if _overlap(key, fixed):
            raise RecipeError(f"--search {key}: not to be searched: {reason}")
    for other in seen:
        if _overlap(key, other):
            raise RecipeError(f"--search {key}: searched twice, as {other} too; leave one out")


def _overlap(first: str, second: str) -> bool:
    """Return whether one key is the other or holds it."""
    return f"{first}.".startswith(f"{second}.") or f"{second}.".startswith(f"{first}.")


def _checked(parameter: Parameter, text: str, recipe: Recipe) -> str:
    """Return the value that the first key has when it is set to `text`."""
    try:
        changed = assign(recipe, dict.fromkeys(parameter.keys, text))
    except RecipeError as error:
        domain = parameter.domain
        hint = ""
        if isinstance(domain, Range) and not domain.whole and "whole number" in str(error):
            hint = f"; for whole numbers write {parameter.name}={domain.low:g}..{domain.high:g}:int"
        raise RecipeError(f"--search {parameter.name}={domain}: {error}{hint}") from error
    return value_of(changed, parameter.keys[0])
