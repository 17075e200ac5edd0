"""Recipes as JSON and as `KEY=VALUE`: what is written comes back, anything else is one line that names the place."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thumbnet.errors import RecipeError
from thumbnet.recipe import (
    Checkpointing,
    Ema,
    Evaluation,
    Length,
    Model,
    Optimizer,
    Phase,
    Recipe,
    Schedule,
    assign,
    epochs,
    from_json,
    iterations,
    operation,
    to_json,
)

LENGTHS = st.builds(epochs, st.floats(0.001, 1e6)) | st.builds(iterations, st.integers(1, 10**8))
OPTIONS = st.dictionaries(st.text(max_size=5), st.integers() | st.booleans() | st.text(max_size=5), max_size=3)
OPTIMIZERS = st.builds(Optimizer, st.text(max_size=5), st.floats(1e-9, 1e3), st.floats(0, 1), st.just("none"), OPTIONS)
OPERATIONS = st.builds(lambda name, options: operation(name, **options), st.text(max_size=5), OPTIONS)
PHASES = st.builds(
    Phase,
    LENGTHS,
    st.lists(st.lists(OPERATIONS, max_size=2).map(tuple), min_size=1, max_size=2).map(tuple),
    st.none() | st.integers(8, 1024),
    st.sampled_from(["all", "head"]) | st.lists(st.text(max_size=4), max_size=2).map(tuple),
    st.none() | OPTIMIZERS,
    st.none() | st.builds(Schedule, st.text(max_size=5), LENGTHS, OPTIONS),
)
RECIPES = st.builds(
    Recipe,
    name=st.text(max_size=5),
    model=st.builds(Model, st.text(max_size=5), OPTIONS),
    optimizer=OPTIMIZERS,
    phases=st.lists(PHASES, min_size=1, max_size=3).map(tuple),
    evaluation=st.just(Evaluation(splits=("holdout", "val"))),
    checkpointing=st.builds(Checkpointing, st.lists(st.integers(1, 99), max_size=2).map(tuple)),
    ema=st.none() | st.builds(Ema, st.floats(0.1, 0.9999)),
    clip_norm=st.none() | st.floats(1e-3, 1e3),
    precision=st.sampled_from(["fp32", "bf16", "fp16"]),
    selected_on=st.sampled_from(["none", "holdout", "val"]),
    seed=st.integers(0, 2**63 - 1),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def sample() -> Recipe:
    policy = (operation("flip"), operation("rotate", degrees=10))
    return Recipe("tiny", Model("m1"), Optimizer("adam", 0.001), (Phase(epochs(2), (policy, ())),))


def check_message(error: RecipeError) -> None:
    assert str(error)
    assert "\n" not in str(error)


def places(data: Any, prefix: str = "") -> list[str]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place for key, value in items for place in (f"{prefix}{key}", *places(value, f"{prefix}{key}."))]


@given(RECIPES)
def test_a_recipe_comes_back_from_its_json(recipe: Recipe) -> None:
    text = json.dumps(to_json(recipe), allow_nan=False)
    assert from_json(json.loads(text)) == recipe


def test_json_states_every_field() -> None:
    data = to_json(sample())
    assert set(data) == {field.name for field in dataclasses.fields(Recipe)}
    assert data["phases"][0]["length"] == "2 epochs"
    assert data["phases"][0]["policies"] == [
        [{"name": "flip", "options": {}}, {"name": "rotate", "options": {"degrees": 10}}],
        [],
    ]


def test_fields_that_are_left_out_take_their_defaults() -> None:
    data = {"name": "tiny", "model": {"name": "m1"}, "optimizer": {"name": "adam", "lr": 1}, "phases": []}
    assert from_json(data | {"phases": [{"length": "2 epochs"}]}).batch_size == 256


@given(st.sampled_from(places(to_json(sample()))), JSON)
def test_any_value_anywhere_is_right_or_a_recipe_error(place: str, value: object) -> None:
    data = to_json(sample())
    *path, last = place.split(".")
    target: Any = data
    for part in path:
        target = target[int(part) if isinstance(target, list) else part]
    target[int(last) if isinstance(target, list) else last] = value
    try:
        recipe = from_json(data)
    except RecipeError as error:
        check_message(error)
        return
    assert from_json(json.loads(json.dumps(to_json(recipe)))) == recipe


@given(st.text(max_size=12) | st.sampled_from(places(to_json(sample()))), st.text(max_size=8) | JSON.map(json.dumps))
def test_any_assignment_is_right_or_a_recipe_error(key: str, value: str) -> None:
    try:
        assign(sample(), {key: value})
    except RecipeError as error:
        check_message(error)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("optimizer.lr", "0.01", 0.01),
        ("optimizer.lr", "1", 1.0),
        ("batch_size", "64", 64),
        ("batch_size", "64.0", 64),
        ("phases.0.length", "5 epochs", Length(5, "epochs")),
        ("phases.0.length", '"5 epochs"', Length(5, "epochs")),
        ("phases.0.trainable", '["fc*"]', ("fc*",)),
        ("phases.0.trainable", "head", "head"),
        ("phases.0.policies.0.1.options.degrees", "20", 20),
        ("model.options.width", "2", 2),
        ("clip_norm", "null", None),
        ("ema", '{"decay": 0.9}', Ema(0.9)),
        ("compile", "true", True),
    ],
)
def test_values_are_assigned(key: str, value: str, expected: object) -> None:
    found: Any = assign(sample(), {key: value})
    for part in key.split("."):
        if isinstance(found, dict):
            found = found[part]
        else:
            found = found[int(part)] if part.isdecimal() else getattr(found, part)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("optimiser.lr", "1", "optimiser: unknown key 'optimiser'; did you mean optimizer"),
        ("optimizer.lrr", "1", "unknown key 'lrr'; did you mean lr"),
        ("phases.1.length", "1 epochs", "phases.1: '1' is not a position in a list of 1"),
        ("phases.x", "1", "'x' is not a position"),
        ("phases.²", "1", "'²' is not a position"),
        ("seed.x", "1", "a plain value has no key 'x'"),
        ("ema.decay", "0.9", "a plain value has no key 'decay'; set the whole value"),
        ("batch_size", "big", "recipe.batch_size: 'big' is not a whole number"),
        ("batch_size", "1.5", "recipe.batch_size: 1.5 is not a whole number"),
        ("batch_size", "true", "recipe.batch_size: True is not a whole number"),
        ("batch_size", "NaN", "recipe.batch_size: nan is not a whole number"),
        ("batch_size", "Infinity", "recipe.batch_size: inf is not a whole number"),
        ("clip_norm", "1e999", "recipe.clip_norm: inf is not a number"),
        ("clip_norm", "1" + "0" * 400, "recipe.clip_norm: 10+ is not a number"),
        ("compile", "yes", "recipe.compile: 'yes' is not true or false"),
        ("name", "3", "recipe.name: 3 is not text"),
        ("precision", "fp8", "recipe.precision: 'fp8' is not one of 'fp32', 'bf16', 'fp16'"),
        ("phases", "[]", "phases: a recipe needs at least one phase"),
        ("phases", "3", "recipe.phases: 3 is not a list"),
        ("phases.0", "3", "recipe.phases.0: 3 is not an object"),
        ("phases.0.length", "5", "recipe.phases.0.length: 5 is not a length"),
        ("phases.0.length", "5 weeks", "recipe.phases.0.length: .*'5 weeks'"),
        ("phases.0.trainable", "some", "recipe.phases.0.trainable: 'some' is not one of"),
        ("phases.0.trainable", "[1]", "recipe.phases.0.trainable.0: 1 is not text"),
        ("normalization.mean", "[0.5]", "recipe.normalization.mean: 1 values where 3 are needed"),
        ("model.options", "3", "recipe.model.options: 3 is not an object of options"),
        ("model", "{}", "recipe.model: the field 'name' is missing"),
        ("model", '{"name": "m1", "nam": 1}', "recipe.model: unknown key 'nam'; did you mean name"),
        ("optimizer.lr", "-1", "optimizer.lr: -1.0 is not a positive number"),
        ("", "1", "unknown key ''"),
        ("model.options.a.b", "1", "model.options.a: unknown key 'a'; it has none"),
    ],
)
def test_wrong_assignments_name_the_place(key: str, value: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        assign(sample(), {key: value})
    assert "\n" not in str(caught.value)


def test_later_assignments_see_earlier_ones() -> None:
    recipe = assign(sample(), {"ema": "{}", "ema.decay": "0.9"})
    assert recipe.ema == Ema(0.9)
    with pytest.raises(RecipeError, match=r"recipe\.ema: unknown key 'dcay'; did you mean decay"):
        assign(sample(), {"ema": "{}", "ema.dcay": "0.9"})
