"""Where figures come from: the data, and how the networks behind predictions were trained, as far as that is known."""

from collections.abc import Mapping, Sequence
from typing import Any

from thumbnet.predictions import Predictions
from thumbnet.run import RunDirectory
from thumbnet.workflows.stored import Source


def data_of(predictions: Predictions, sources: Sequence[Source]) -> dict[str, Any]:
    """Return the `name` and the `fingerprint` of the data that `predictions` are for; `None` where unknown.

    The name is that which a run among `sources` has for it.

    Raises:
        RunError: a run is damaged.
    """
    fingerprint = predictions.provenance.get("data")
    known = (source.run.data() for source in sources if source.run is not None)
    names = (data["name"] for data in known if data["fingerprint"] == fingerprint)
    return {"name": next(names, None), "fingerprint": fingerprint}


def training_of(source: Source, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the network of `source` was trained, or those of its ensemble.

    Returns:
        `recipe` (its name), `seed`, `pretrained` and `command`, `None` where unknown; of a file of predictions, what
        their `provenance` states. Of an ensemble `pretrained`, whether any is, and the `members` that differ in this.

    Raises:
        RunError: the run is damaged.
    """
    return _stated(provenance) if source.run is None else training_of_run(source.run)


def training_of_run(run: RunDirectory) -> dict[str, Any]:
    """Return the same of a run.

    Raises:
        RunError: it is damaged.
    """
    recipe = run.recipe()
    facts = {"recipe": recipe.name, "seed": recipe.seed, "pretrained": recipe.model.pretrained}
    return {**facts, "command": run.sessions()[0]["command"]}


def any_pretrained(trained: Sequence[Mapping[str, Any]]) -> bool | None:
    """Return whether any of networks is pretrained, by what `training_of` returned; `None` where that is not known."""
    said = [one["pretrained"] for one in trained]
    return True if True in said else None if None in said else False


def _stated(provenance: Mapping[str, Any]) -> dict[str, Any]:
    if "members" not in provenance:
        return {key: provenance.get(key) for key in ("recipe", "seed", "pretrained", "command")}
    members: list[dict[str, Any]] = []
    for one in provenance["members"]:
        stated = _stated(one)
        members += [] if stated in members else [stated]
    return {"pretrained": any_pretrained(members), "members": members}
