"""Rows whose network installs offline stand in for those whose network does not."""

from dataclasses import replace

import pytest

from thumbnet.recipe import Model, Phase, Recipe
from thumbnet.recipes import ROWS

RESIZE = ("size", "interpolation")
"""Options of an operation that brings images to the network's size."""


def _without_resizes(recipe: Recipe, phase: Phase) -> Phase:
    """Return the phase without sizes and cached features, once its operations are found to resize as judging does."""
    policies = []
    for policy in phase.policies:
        for one in (one for one in policy if "size" in one.options):
            assert (one.options["size"], one.options["interpolation"]) == (phase.image_size, recipe.interpolation)
        bare = [{key: value for key, value in one.options.items() if key not in RESIZE} for one in policy]
        policies.append(tuple(replace(one, options=options) for one, options in zip(policy, bare, strict=True)))
    return replace(phase, policies=tuple(policies), image_size=None, cached_features=0)


@pytest.mark.parametrize("row", [name for name in ROWS if name.endswith(("-lite0", "-lite2"))])
def test_a_stand_in_differs_in_the_network_alone(row: str) -> None:
    name, _, size = row.rpartition("-")
    reported, ours = ROWS[name].recipe, ROWS[row].recipe
    assert reported is not None
    assert ours is not None
    theirs, stand_in = reported(), ours()
    assert stand_in.name == row
    assert stand_in.model == Model(f"timm/tf_efficientnet_{size}", weights="package", head=theirs.model.head)
    sizes = [phase.image_size for phase in stand_in.phases]
    copies = [phase.cached_features for phase in stand_in.phases]
    assert [_without_resizes(stand_in, phase) for phase in stand_in.phases] == [
        _without_resizes(theirs, phase) for phase in theirs.phases
    ]
    assert len(set(sizes)) == len(set(copies)) == 1
    assert theirs == replace(
        stand_in,
        name=name,
        model=theirs.model,
        phases=theirs.phases,
        normalization=theirs.normalization,
        interpolation=theirs.interpolation,
    )
    assert ROWS[row].reported == ROWS[name].reported
