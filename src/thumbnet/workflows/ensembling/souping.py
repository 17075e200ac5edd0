"""Soups: one network whose weights are the average of several networks' that differ only in their weights.

Source: Wortsman et al., 'Model soups: averaging weights of multiple fine-tuned models improves accuracy without
increasing inference time', ICML 2022. It works for networks that began from the same weights, or snapshots of one run;
averages of networks from different random weights are no better than chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from thumbnet.data import Subset, judged_subset
from thumbnet.errors import RunError
from thumbnet.evaluate import Preprocessing, predict_subset
from thumbnet.files import check_absent
from thumbnet.models import multiply_adds, named_as_in, parameter_count
from thumbnet.packed import PackedDataset
from thumbnet.predictions import SPLITS, Predictions, is_scored
from thumbnet.recipe import Recipe
from thumbnet.run import RunDirectory, choosing_splits, splits_behind
from thumbnet.train import load_own_data
from thumbnet.train.hardware import describe_hardware
from thumbnet.train.state import load_tensors, save_weights
from thumbnet.workflows.ensembling.averaged import average_tensors, differing_norms, norm_positions, refresh_norms
from thumbnet.workflows.ensembling.members import Of, kept_networks
from thumbnet.workflows.judging import load_network


@dataclass(frozen=True)
class Ingredient:
    """Weights that may go into a soup: a run and the tag of its weights."""

    run: RunDirectory
    tag: str

    @property
    def name(self) -> str:
        """The run's folder, and the tag where it is not that of the last weights."""
        return str(self.run.path) if self.tag == "last" else f"{self.run.path}:{self.tag}"


@dataclass(frozen=True, eq=False)
class Kitchen:
    """What every soup of the same ingredients needs: a network to fill, the recipe, the data, and the device."""

    model: nn.Module
    recipe: Recipe
    dataset: PackedDataset
    device: torch.device

    @cached_property
    def holdout(self) -> Subset:
        """The holdout, among all training images, which are checked and opened once for all soups."""
        return judged_subset(self.dataset, "holdout", self.device)

    def fill(self, tensors: Sequence[Mapping[str, Tensor]]) -> int:
        """Give the network the average of `tensors`, and return how many batch norms got new statistics."""
        self.model.load_state_dict(average_tensors(tensors))
        norms = differing_norms(self.model, tensors)
        if norms:
            refresh_norms(self.model, norms, self.recipe, self.dataset, self.holdout.images)
        return len(norms)

    def judge(self, split: str, recipe: Recipe) -> Predictions:
        """Return what the network says about `split`, prepared as `recipe` states."""
        subset = self.holdout if split == "holdout" else judged_subset(self.dataset, split, self.device)
        return predict_subset(self.model, subset, recipe, self.dataset, weights="last")


def find_ingredients(paths: Sequence[Path], *, weights: str = "last", of: Of = "last") -> list[Ingredient]:
    """Return the weights called `weights` of each run, or all snapshots or epochs `of` the runs.

    Raises:
        RunError: a path is no complete run, is given twice, has no such weights, or there are not two of them in all;
            or both `weights` and `of` are given.
    """
    if of != "last" and weights != "last":
        raise RunError(f"soup: weights {weights!r} of runs of which all {of} are asked for; give the one or the other")
    if len({path.resolve() for path in paths}) < len(paths):
        raise RunError("soup: a run is given twice; give each once")
    found = []
    for path in paths:
        run = RunDirectory.open(path)
        run.require_complete()
        tags = [weights] if of == "last" else [one.tag for one in kept_networks(run, of)]
        found += [Ingredient(run, tag) for tag in tags]
    if len(found) < 2:
        raise RunError("soup: one network alone has no average; give two runs or more, --snapshots or --kept")
    return found


def make_soup(
    ingredients: Sequence[Ingredient],
    out: Path,
    *,
    select: bool = False,
    data: Path | None = None,
    device: torch.device | None = None,
    command: str = "thumbnet.make_soup",
) -> RunDirectory:
    """Average the ingredients' weights into the new run directory `out`, judge that network, and return the run.

    Args:
        ingredients: weights of networks that are built alike and were trained on the same data.
        out: a folder that does not exist yet.
        select: add them one by one, best first, and keep each that does not lower the accuracy on the holdout
            (Wortsman's greedy soup), instead of averaging all.
        data: where the runs' packed data lies now; `None` takes it from where the first run found it.
        device: where to compute; `None` is the CPU.
        command: the command line.

    Raises:
        RunError: networks, preprocessing or data differ, or one trained on the holdout that selects.
        StorageError: `out` exists, or cannot be written.
        DataError: the data is gone, damaged, or other data than the runs'.
    """
    check_absent(out)
    for one in ingredients[1:]:
        _check_alike(ingredients[0], one)
    trained_on_all = [one for one in ingredients if one.run.recipe().train_on == "all"]
    if select and trained_on_all:
        raise RunError(f"{trained_on_all[0].name}: trained on the holdout, so nothing can be chosen there")
    where, first = device or torch.device("cpu"), ingredients[0]
    model = load_network(first.run, first.tag, where)
    tensors = [named_as_in(model, load_tensors(one.run.stored_weights(one.tag))) for one in ingredients]
    for one, found in zip(ingredients, tensors, strict=True):
        _check_shapes(first, tensors[0], one, found)
    kitchen = Kitchen(model, first.run.recipe(), load_own_data(first.run, data), where)
    chosen = _choose(kitchen, tensors) if select else list(range(len(tensors)))
    refreshed = kitchen.fill([tensors[place] for place in chosen])
    about = {
        "members": [ingredients[place].name for place in chosen],
        "left_out": [one.name for place, one in enumerate(ingredients) if place not in chosen],
        "selected_on": "holdout" if select else "none",
        "ingredients_selected_on": _selected_on([ingredients[place] for place in chosen]),
        "batch_norms": refreshed,
        "batch_norm_images": len(norm_positions(kitchen.recipe, kitchen.dataset)) if refreshed else 0,
    }
    recipe = _soup_recipe([ingredients[place].run.recipe() for place in chosen], kitchen.recipe.model.head.dropout)
    return _write(kitchen, recipe, out, data=first.run.data(), about=about, command=command)


def _soup_recipe(chosen: Sequence[Recipe], dropout: float) -> Recipe:
    """Return the recipe of a soup of networks of these recipes: the first one's, with what any of them has seen.

    `dropout` is that of the head whose names its weights have.
    """
    base = next((one for one in chosen if one.train_on == "all"), chosen[0])
    model = next((one.model for one in chosen if one.model.pretrained), base.model)
    model = replace(model, head=replace(model.head, dropout=dropout))
    return replace(base, name=f"{base.name}-soup", model=model)


def _choose(kitchen: Kitchen, tensors: Sequence[Mapping[str, Tensor]]) -> list[int]:
    """Return the positions of the ingredients of the greedy soup (Wortsman 2022, recipe 1)."""

    def right(places: Sequence[int]) -> int:
        kitchen.fill([tensors[place] for place in places])
        predictions = kitchen.judge("holdout", kitchen.recipe)
        return int((predictions.predicted() == predictions.labels).sum())

    alone = [right([place]) for place in range(len(tensors))]
    order = sorted(range(len(tensors)), key=lambda place: -alone[place])
    chosen, best = [order[0]], alone[order[0]]
    for place in order[1:]:
        found = right([*chosen, place])
        if found >= best:
            chosen, best = [*chosen, place], found
    return chosen


def _selected_on(ingredients: Sequence[Ingredient]) -> list[str]:
    """Return the splits whose images chose one of the ingredients before."""
    found = (split for one in ingredients for split in choosing_splits(one.run, one.tag))
    return list(dict.fromkeys(found))


def _check_alike(first: Ingredient, other: Ingredient) -> None:
    """Check that two ingredients are the same network, on the same data, that sees images alike."""
    one, two = first.run.recipe(), other.run.recipe()
    facts = {
        "network": (_built(one), _built(two)),
        "preprocessing": (_seen(first.run), _seen(other.run)),
        "classes": (first.run.data()["classes"], other.run.data()["classes"]),
        "data": (first.run.data()["fingerprint"], other.run.data()["fingerprint"]),
    }
    for what, (here, there) in facts.items():
        if here != there:
            raise RunError(
                f"soup: {first.name} and {other.name} have a different {what}, so their weights have no average; "
                "average their predictions with: thumbnet ensemble"
            )


def _built(recipe: Recipe) -> tuple[object, ...]:
    return recipe.model.name, dict(recipe.model.options), recipe.model.head.hidden


def _seen(run: RunDirectory) -> tuple[object, ...]:
    recipe = run.recipe()
    size = recipe.judged_size(int(run.data()["image_size"]))
    return size, recipe.evaluation.policy, recipe.normalization, recipe.interpolation


def _check_shapes(
    first: Ingredient, expected: Mapping[str, Tensor], other: Ingredient, found: Mapping[str, Tensor]
) -> None:
    differ = sorted(
        name
        for name in expected.keys() | found.keys()
        if name not in expected or name not in found or expected[name].shape != found[name].shape
    )
    if differ:
        raise RunError(
            f"soup: {first.name} and {other.name} differ in {len(differ)} of their tensors, such as {differ[0]!r}, so "
            "their weights have no average; average their predictions with: thumbnet ensemble"
        )


def _predict(kitchen: Kitchen, recipe: Recipe, about: Mapping[str, Any]) -> dict[str, Predictions]:
    """Return what the filled network says about each split, and that it is a soup."""
    choice = splits_behind(about)
    predictions = {}
    for split in SPLITS:
        if split == "holdout" or split in kitchen.dataset.split_names:
            found = kitchen.judge(split, recipe)
            soup = replace(found, provenance={**found.provenance, "soup": about["members"]})
            predictions[split] = soup.with_choice(choice)
    return predictions


def _write(
    kitchen: Kitchen,
    recipe: Recipe,
    out: Path,
    *,
    data: Mapping[str, Any],
    about: Mapping[str, Any],
    command: str,
) -> RunDirectory:
    """Write the filled network and what it says as a complete run of `recipe` on `data`, or nothing."""
    predictions = _predict(kitchen, recipe, about)
    scores = {
        split: one.scores().to_json()
        for split, one in predictions.items()
        if is_scored(one.labels, one.provenance, split)
    }
    size = Preprocessing.of(recipe, kitchen.dataset.image_size).image_size
    result = {
        "recipe": recipe.name,
        "scores": scores,
        "best": None,
        "soup": dict(about),
        "epochs": 0.0,
        "total_seconds": 0.0,
        "parameters": parameter_count(kitchen.model),
        "multiply_adds": multiply_adds(kitchen.model, size),
    }

    def fill(run: RunDirectory) -> None:
        save_weights(kitchen.model, run.weights_path("last"))
        for split, one in predictions.items():
            one.save(run.predictions_path(split))
        run.write_result(result)
        run.write_status("complete", 0, 0, "a soup, which no training made")

    return RunDirectory.create(out, recipe, data, describe_hardware(kitchen.device), command, fill=fill)
