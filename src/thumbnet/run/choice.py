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
    """Return whether `dataset` is the data of a run, or the same images packed otherwise, such as at another size.

    The latter is taken to be so where they share a class and have the same ids in holdout and val.

    Raises:
        RunError: what the run stored is damaged.
        DataError: the ids of `dataset` are damaged.
    """
    if run.data()["fingerprint"] == dataset.fingerprint:
        return True
    if set(run.class_ids()).isdisjoint(info.id for info in dataset.classes):
        return False
    stored = [split for split in ("holdout", "val") if run.predictions_path(split).exists()]
    found = [set(run.predictions(split).image_ids) == _image_ids(dataset, split) for split in stored]
    return len(found) > 0 and all(found)


def _image_ids(dataset: PackedDataset, subset: str) -> set[str]:
    packed = packed_split_of(subset)
    if packed not in dataset.split_names:
        return set()
    split = dataset.split(packed, verify=False)
    if subset != "holdout":
        return set(split.image_ids)
    return {split.image_ids[place] for place in subset_indices(split, "holdout")}
