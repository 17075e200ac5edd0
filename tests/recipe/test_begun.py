"""A recipe as asked for and as its run states it."""

from dataclasses import replace
from typing import Any

import pytest

from tests.helpers import short_recipe
from thumbnet.errors import RecipeError
from thumbnet.recipe import (
    Evaluation,
    InitialWeights,
    Model,
    Normalization,
    Phase,
    Recipe,
    assign,
    epochs,
    same_recipe,
    start_from,
)

HALF = Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def asked() -> Recipe:
    phases = (Phase(epochs(1)), Phase(epochs(2), image_size=64))
    model = Model("resnet18", weights="imagenet")
    return short_recipe(model=model, phases=phases, preprocessing="network", evaluation=Evaluation())


def begun() -> Recipe:
    one, other = asked().phases
    return replace(
        asked(),
        phases=(replace(one, image_size=224), other),
        evaluation=Evaluation(image_size=224),
        normalization=HALF,
        interpolation="bicubic",
        preprocessing="recipe",
    )


def test_what_was_filled_in_is_no_difference() -> None:
    assert same_recipe(asked(), asked())
    assert same_recipe(begun(), asked())
    assert same_recipe(begun(), begun())
    assert not same_recipe(asked(), begun())


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 8},
        {"phases": begun().phases[:1]},
        {"phases": (begun().phases[0], Phase(epochs(2), image_size=48))},
        {"model": Model("resnet34", weights="imagenet")},
    ],
    ids=str,
)
def test_any_other_difference_is_one(changes: dict[str, Any]) -> None:
    assert not same_recipe(replace(begun(), **changes), asked())


def test_the_digest_of_weights_is_no_difference_where_none_was_asked_for() -> None:
    def starting(path: str = "x.pt", **init: Any) -> Recipe:
        return short_recipe(model=Model("small", init=InitialWeights(path, **init)))

    assert same_recipe(starting(sha256="1", pretrained=False), starting())
    assert same_recipe(starting(sha256="1"), starting(sha256="1"))
    assert not same_recipe(starting(sha256="1"), starting(sha256="2"))
    assert not same_recipe(starting(sha256="1"), starting(path="y.pt"))
    assert not same_recipe(short_recipe(), starting())


def test_start_from_takes_the_place_of_other_weights() -> None:
    assert start_from(asked(), "x.pt").model == Model("resnet18", init=InitialWeights("x.pt"))
    drawn = short_recipe(model=Model("small", initialization={"linear": "he"}))
    with pytest.raises(RecipeError, match=r"model.initialization: weights to start from would be drawn anew"):
        start_from(drawn, "x.pt")


def test_init_is_a_setting() -> None:
    found = assign(short_recipe(), {"model.init": '{"path": "runs/first"}'})
    assert found.model.init == InitialWeights("runs/first")
    with pytest.raises(RecipeError, match=r"model.init.path: names no file"):
        assign(short_recipe(), {"model.init": '{"path": ""}'})
