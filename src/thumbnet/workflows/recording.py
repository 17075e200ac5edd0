"""From a finished run to a record."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from thumbnet.errors import RunError
from thumbnet.packed import TINY_IMAGENET_FINGERPRINT
from thumbnet.recipe import Recipe, to_json
from thumbnet.recipes import RECIPES, is_current
from thumbnet.records import Peak, Plain, Record, device_of
from thumbnet.run import RunDirectory, evaluations
from thumbnet.views import find_views

_SPLIT = "val"


def make_record(run: RunDirectory) -> Record:
    """Return the record of a complete run: the last step on val, and the peak where the recipe selects.

    Where the recipe names test-time views, the figures are with them, and the accuracy without stands beside.

    Raises:
        RunError: the run is unfinished or shorter than its recipe's full length, its data had no val split with
            labels, or it bears the name of a recipe of ours but its recipe was altered or its data is not Tiny
            ImageNet (for all but the demo).
    """
    run.require_complete()
    recipe = run.recipe()
    if recipe.fraction < 1:
        raise RunError(
            f"run {run.path}: a quick look, {recipe.fraction:g} of the full length, which is never recorded; "
            "train it whole"
        )
    _check_name(run, recipe)
    return describe_run(run)


def describe_run(run: RunDirectory) -> Record:
    """Return a complete run's figures in the form of a record, whatever was trained.

    Only what `make_record` gives is a record: it refuses what must not stand under its name.

    Raises:
        RunError: the run is unfinished or damaged, or its data had no val split with labels.
    """
    run.require_complete()
    result, recipe = run.result(), run.recipe()
    if "soup" in result:
        raise RunError(
            f"run {run.path}: a soup, which no recipe trains, so it has no record; "
            "write its figures with: thumbnet compare RUN SOUP --record FILE"
        )
    try:
        return _record(run, result, recipe)
    except (KeyError, TypeError) as error:
        raise RunError(f"run {run.path}: its result is damaged ({error} is missing or wrong); train again") from error


def _record(run: RunDirectory, result: Mapping[str, Any], recipe: Recipe) -> Record:
    if _SPLIT not in result["scores"]:
        raise RunError(
            f"run {run.path}: no scores on {_SPLIT}, so there is nothing to record; use data with a val split"
        )
    plain = run.predictions(_SPLIT).scores()
    views = find_views(recipe.evaluation.views).name
    scores = plain if views == "none" else run.predictions(_SPLIT, views=True).scores()
    first = run.sessions()[0]
    best = result["best"]
    return Record(
        name=recipe.name,
        recipe=to_json(recipe),
        command=first["command"],
        commit=first["commit"],
        versions=first["versions"],
        device=_devices(run.sessions()),
        seed=recipe.seed,
        split=_SPLIT,
        images=scores.images,
        top1=scores.top1,
        top5=scores.top5,
        top1_interval=scores.top1_interval,
        nll=scores.nll,
        ece=scores.ece,
        views=views,
        pretrained=recipe.model.pretrained,
        selected_on=recipe.selected_on,
        fraction=recipe.fraction,
        epochs=result["epochs"],
        train_seconds=result["train_seconds"],
        images_per_second=result["images_per_second"],
        peak_memory_bytes=result["peak_memory_bytes"],
        history=tuple(_history(run)),
        peak=None if best is None else Peak(best["epoch"], best["top1"], tuple(best["top1_interval"])),
        plain=None if views == "none" else Plain(plain.top1, plain.top1_interval),
    )


def _devices(sessions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the device of a run's first session, with its threads, and under `then` each that the run went on with.

    Sessions in a row on one device are one, with the threads of the last.
    """
    after = (one["device"] for one in sessions[1:])
    ends = [one for one, other in zip_longest(sessions, after) if one["device"] != other]
    first, *others = (device_of(one) for one in ends)
    return {**first, "then": others} if others else first


def _check_name(run: RunDirectory, recipe: Recipe) -> None:
    """Check that a run that bears the name of one of our recipes is a run of it (the seed may differ) on its data."""
    if recipe.name not in RECIPES:
        return
    if recipe.model.weights is None and RECIPES[recipe.name]().model.weights is not None:
        began = "random weights" if recipe.model.init is None else recipe.model.init.path
        raise RunError(
            f"run {run.path}: it began from {began} and {recipe.name!r} begins from published weights, so it is "
            "no measurement of that; train it unaltered, or give it a name with --set name=NAME"
        )
    if not is_current(recipe, recipe.name):
        raise RunError(
            f"run {run.path}: its recipe is not {recipe.name!r} as it stands now, so it cannot bear that name; "
            "train it unaltered, or give it a name with --set name=NAME"
        )
    if recipe.name != "demo":
        require_tiny_imagenet(
            run.data()["fingerprint"],
            f"run {run.path}: {recipe.name!r} is a recipe for Tiny ImageNet",
            "give the run a name with --set name=NAME",
        )


def require_tiny_imagenet(fingerprint: str, what: str, otherwise: str) -> None:
    """Check that data is the whole of Tiny ImageNet.

    Args:
        fingerprint: of the data.
        what: what is for Tiny ImageNet, as the error begins.
        otherwise: what else than to pack it helps.

    Raises:
        RunError: it is not.
    """
    if fingerprint != TINY_IMAGENET_FINGERPRINT:
        raise RunError(
            f"{what}, and this data is not the whole of it; pack the official archive at 64 pixels, or {otherwise}"
        )


def _history(run: RunDirectory) -> list[dict[str, Any]]:
    rows = evaluations(run.metrics.read())
    return [{key: value for key, value in row.items() if key != "kind"} for row in rows]
