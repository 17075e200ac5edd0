"""A search as data: the recipe it starts from, the space, and the recipes of its trials."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final, Literal

from thumbnet.errors import RecipeError
from thumbnet.recipe import Checkpointing, Recipe, assign, to_json
from thumbnet.studies.space import Parameter, check_space, own_values, parse_space, settings_of

SPLIT: Final = "holdout"
"""The split on which a search chooses."""

Sampler = Literal["tpe", "random", "grid"]
Prune = Literal["median", "none"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*")


@dataclass(frozen=True)
class Search:
    """A search for the values of some keys of a recipe that do best on the holdout.

    Args:
        name: names the search's folder and its study.
        recipe: where it starts.
        space: what is searched.
        trials: how many trials there are in the end, those of all processes together.
        sampler: 'tpe' learns from the trials before, 'random' draws, 'grid' takes every combination in order.
        prune: 'median' ends a trial that lies below the median of the others at the same evaluation.
        fraction: part of the recipe's length that each trial trains.
        seed: of the sampler; what a trial draws depends on it, the trial's number and the trials before.

    Raises:
        RecipeError: no trials, a recipe that trains on the holdout, or a space that does not fit it.
    """

    name: str
    recipe: Recipe
    space: tuple[Parameter, ...]
    trials: int
    sampler: Sampler = "tpe"
    prune: Prune = "median"
    fraction: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise RecipeError(
                f"search {self.name!r}: not a plain name; use letters, digits, '-', '_', '@', '+' or '.'"
            )
        if self.trials < 1:
            raise RecipeError(f"search {self.name}: {self.trials} trials; give at least one")
        if not 0 < self.fraction <= 1:
            raise RecipeError(f"search {self.name}: fraction: {self.fraction} is not in (0, 1]; 1 is the full length")
        if self.recipe.train_on != "fit":
            raise RecipeError(
                f"search {self.name}: {self.recipe.name} trains on the holdout too, which must choose; "
                "add --set train_on=fit (and selected_on and evaluation.splits that fit it)"
            )
        check_space(self.space, self.recipe)
        if self.sampler == "grid":
            self.combinations()

    @property
    def wanted(self) -> int:
        """How many trials are wanted: a grid has no more than its combinations."""
        return min(self.trials, self.combinations()) if self.sampler == "grid" else self.trials

    def combinations(self) -> int:
        """Return the size of the grid.

        Raises:
            RecipeError: a parameter has endless values.
        """
        return math.prod(len(parameter.grid()) for parameter in self.space)

    def grid(self) -> Iterator[dict[str, str]]:
        """Yield each combination of values, by the parameters' names."""
        for values in product(*(parameter.grid() for parameter in self.space)):
            yield {parameter.name: value for parameter, value in zip(self.space, values, strict=True)}

    def start_values(self) -> dict[str, str] | None:
        """Return the starting recipe's own values, by name; `None` where they lie outside the space."""
        return own_values(self.space, self.recipe)

    def tuned(self, values: Mapping[str, str]) -> Recipe:
        """Return the starting recipe with `values` (texts by the parameters' names), under a name of its own.

        Raises:
            RecipeError: they do not fit together.
        """
        changed = assign(self.recipe, settings_of(self.space, values))
        return replace(changed, name=f"{self.recipe.name}-tuned")

    def trial(self, values: Mapping[str, str]) -> Recipe:
        """Return the recipe of a trial: the tuned one, judged on the holdout alone, that keeps nothing.

        Raises:
            RecipeError: the values do not fit together.
        """
        tuned = self.tuned(values)
        return replace(
            tuned,
            name=f"{self.recipe.name}-trial",
            evaluation=replace(tuned.evaluation, splits=(SPLIT,), train_images=0, views="none"),
            checkpointing=Checkpointing(filters=()),
            selected_on="none",
            fraction=tuned.fraction * self.fraction,
        )

    def identity(self) -> dict[str, Any]:
        """Return what all processes of one study must agree on, as JSON data."""
        return {
            "recipe": to_json(self.recipe),
            "space": {parameter.name: str(parameter.domain) for parameter in self.space},
            "fraction": self.fraction,
        }


def make_search(
    recipe: Recipe,
    settings: Sequence[str],
    trials: int,
    name: str | None = None,
    *,
    sampler: Sampler = "tpe",
    prune: Prune = "median",
    fraction: float = 1.0,
    seed: int = 0,
) -> Search:
    """Return the search over `settings` (see `thumbnet.studies.space.parse_space`), called `<recipe>-tune` by default.

    The other arguments are those of `Search`.

    Raises:
        RecipeError: what does not fit, in one line.
    """
    space = parse_space(settings)
    return Search(name or f"{recipe.name}-tune", recipe, space, trials, sampler, prune, fraction, seed)
