"""Which images chose the weights of a run, and whether a data set has images of a run's."""

from collections.abc import Mapping
from typing import Any

from thumbnet.packed import PackedDataset, packed_split_of, subset_indices
from thumbnet.run.directory import RunDirectory
from thumbnet.run.places import is_selected


def choosing_splits(run: RunDirectory, weights: str) -> list[str]:
    """Return the splits whose images chose the weights called `weights` of a run, or those that it started from.

    Raises:
        RunError: the run is unfinished or damaged.
    """
    recipe = run.recipe()
    soup = run.result().get("soup") if weights == "last" else None
    own = [recipe.selected_on] if is_selected(weights) else [] if soup is None else splits_behind(soup)
    return list(dict.fromkeys([*own, *recipe.model.selected_on]))


def splits_behind(soup: Mapping[str, Any]) -> list[str]:
    """Return the splits whose images chose a soup's ingredients, now or before, by what its run says of it."""
    greedy = [] if soup["selected_on"] == "none" else [soup["selected_on"]]
    return list(dict.fromkeys([*greedy, *soup.get("ingredients_selected_on", ())]))


def has_images_of(dataset: PackedDataset, run: RunDirectory) -> bool:
    """Return whether `dataset` is the data of a run, or may be the same images packed otherwise, as at another size.

    The latter is taken to be so where they share a class, and nothing tells them apart: holdout and val have the same
    ids, as far as the run has judged them and `dataset` has them. Other images may bear the same names.

    Raises:
        RunError: what the run stored is damaged.
        DataError: the ids of `dataset` are damaged.
    """
    if run.data()["fingerprint"] == dataset.fingerprint:
        return True
    if set(run.class_ids()).isdisjoint(info.id for info in dataset.classes):
        return False
    there = (one for one in ("holdout", "val") if packed_split_of(one) in dataset.split_names)
    stored = [one for one in there if run.predictions_path(one).exists()]
    return all(set(run.predictions(one).image_ids) == _image_ids(dataset, one) for one in stored)


def _image_ids(dataset: PackedDataset, subset: str) -> set[str]:
    split = dataset.split(packed_split_of(subset), verify=False)
    if subset != "holdout":
        return set(split.image_ids)
    return {split.image_ids[place] for place in subset_indices(split, "holdout")}
