"""A study as data: its runs, what varies between them, and what its figure shows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, Literal

from thumbnet.ensemble import Over
from thumbnet.errors import RecipeError
from thumbnet.recipe import Recipe, to_json
from thumbnet.recipes import look_name, quick_look


@dataclass(frozen=True)
class Ensemble:
    """Whose predictions a study averages: the snapshots of its one run, or the last networks of its seeds."""

    of: Literal["snapshots", "seeds"]
    over: Over


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study: its variant's label, the number of its seed (from 0), its recipe, and its folder's name."""

    label: str
    seed: int
    recipe: Recipe
    folder: str


@dataclass(frozen=True)
class Study:
    """Several runs with one thing varied.

    Args:
        name: names the study's folder and record.
        text: what it shows, in one line.
        runs: recipes by label; each recipe's name is the name of its run's folder.
        varies: dotted keys of the recipe in which the runs differ, such as 'optimizer.lr', or 'model' for all of it.
        panels: what the figure shows (`thumbnet.workflows.study.panels` draws them).
        seeds: how often each recipe runs: with its own seed and the numbers after it.
        ensemble: whose predictions are averaged; `None` averages none.
        source: where a report has it; empty for the user's own.

    Raises:
        RecipeError: nothing runs, two runs share a folder, they differ in more than `varies` says, or the name is not
            that of a folder, or is that of a run's.
    """

    name: str
    text: str
    runs: Mapping[str, Recipe]
    varies: tuple[str, ...]
    panels: tuple[str, ...]
    seeds: int = 1
    ensemble: Ensemble | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if not self.runs or self.seeds < 1:
            raise RecipeError(f"study {self.name}: {len(self.runs)} variants, {self.seeds} seeds; give at least one")
        if self.name in ("", "..") or PurePath(self.name).name != self.name:
            raise RecipeError(f"study {self.name!r}: not a plain name of a folder; leave out '/' and '..'")
        folders = [one.folder for one in self.planned()]
        if twice := next((one for one in folders if folders.count(one) > 1), None):
            raise RecipeError(f"study {self.name}: two of its runs have the folder {twice}; rename one of the recipes")
        if self.name in folders:
            raise RecipeError(f"study {self.name}: one of its runs has that folder; give the study another name")
        for key in differing_keys(list(self.runs.values())):
            if not any(f"{key}.".startswith(f"{claimed}.") for claimed in (*self.varies, "name")):
                raise RecipeError(f"study {self.name}: its runs differ in {key}, which is not what it varies")

    def planned(self) -> list[PlannedRun]:
        """Return all runs, seed by seed.

        A recipe's first seed runs in the folder of the recipe's name, where `thumbnet reproduce` has it too; the
        others in `<name>-seed1` and so on.
        """
        return [
            PlannedRun(
                label, seed, replace(recipe, seed=recipe.seed + seed), recipe.name + (f"-seed{seed}" if seed else "")
            )
            for seed in range(self.seeds)
            for label, recipe in self.runs.items()
        ]


def look_at(study: Study, fraction: float = 1.0, *, random_weights: bool = False) -> Study:
    """Return a quick look at `study`, as `thumbnet.recipes.quick_look` at each run; itself where nothing changes.

    Raises:
        RecipeError: `fraction` is not in (0, 1].
    """
    runs = {label: quick_look(recipe, fraction, random_weights=random_weights) for label, recipe in study.runs.items()}
    random = any(runs[label].model != recipe.model for label, recipe in study.runs.items())
    return replace(study, name=look_name(study.name, fraction, random_weights=random), runs=runs)


def differing_keys(recipes: Sequence[Recipe]) -> list[str]:
    """Return the dotted keys in which `recipes` differ, in order."""
    flat = [dict(_flat(to_json(recipe), "")) for recipe in recipes]
    keys = dict.fromkeys(key for one in flat for key in one)
    absent = object()
    return [key for key in keys if any(one.get(key, absent) != flat[0].get(key, absent) for one in flat)]


def _flat(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield the plain values of JSON data with their dotted keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if not items:
        yield key, value
        return
    for part, item in items:
        yield from _flat(item, f"{key}.{part}" if key else str(part))
