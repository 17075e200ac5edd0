"""Searches as data: the grammar of the space, what it refuses, and the recipes of trials."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import short_recipe
from thumbnet.errors import RecipeError
from thumbnet.recipe import Checkpointing, Evaluation, Optimizer, Phase, Recipe, Schedule, assign, epochs
from thumbnet.studies import Search, make_search
from thumbnet.studies.space import Choice, Parameter, Range, check_space, own_values, parse_space, settings_of

NUMBERS = st.floats(1e-12, 1e12)


def two_phases() -> Recipe:
    """A recipe whose phases have an optimiser each."""
    head, rest = (
        Phase(epochs(1), optimizer=Optimizer("sgd", lr=0.1)),
        Phase(epochs(1), optimizer=Optimizer("sgd", 0.1)),
    )
    return short_recipe(phases=(head, rest))


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("1e-4..1e-1:log", Range(1e-4, 0.1, log=True)),
        ("0..0.5", Range(0.0, 0.5)),
        (" -1.5 .. 2".replace(" ", ""), Range(-1.5, 2.0)),
        (".5..1.", Range(0.5, 1.0)),
        ("16..256:int", Range(16, 256, whole=True)),
        ("16..256:int:log", Range(16, 256, log=True, whole=True)),
        ("16..256:log:int", Range(16, 256, log=True, whole=True)),
        ("0.1,0.01", Choice(("0.1", "0.01"))),
        ("sgd, adamw", Choice(("sgd", "adamw"))),
        ('{"a": 1, "b": 2},{}', Choice(('{"a": 1, "b": 2}', "{}"))),
        ("../first,../second", Choice(("../first", "../second"))),
    ],
)
def test_the_grammar(text: str, domain: Range | Choice) -> None:
    assert parse_space([f"optimizer.lr={text}"]) == (Parameter(("optimizer.lr",), domain),)
    (again,) = parse_space([f"optimizer.lr={domain}"])
    assert again.domain == domain


@given(st.tuples(NUMBERS, NUMBERS).filter(lambda pair: pair[0] < pair[1]), st.booleans())
def test_a_range_is_read_as_it_is_written(ends: tuple[float, float], log: bool) -> None:
    domain = Range(*ends, log=log)
    assert parse_space([f"optimizer.lr={domain}"])[0].domain == domain
    low, high, inside = map(float, domain.samples())
    assert (low, high) == ends
    assert low <= inside <= high


def test_one_value_for_several_keys() -> None:
    (parameter,) = parse_space(["phases.0.optimizer.lr+phases.1.optimizer.lr=0.01..1:log"])
    assert parameter.name == "phases.0.optimizer.lr+phases.1.optimizer.lr"
    settings = settings_of([parameter], {parameter.name: "0.5"})
    assert settings == {"phases.0.optimizer.lr": "0.5", "phases.1.optimizer.lr": "0.5"}
    changed = assign(two_phases(), settings)
    assert [phase.optimizer.lr for phase in changed.phases if phase.optimizer is not None] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([], "nothing is searched; write --search optimizer.lr="),
        (["optimizer.lr"], "--search optimizer.lr: not of the form KEY="),
        (["=1..2"], "not of the form KEY="),
        (["batch_size+=1..2"], "not of the form KEY="),
        (["optimizer.lr="], "neither a range nor two values"),
        (["optimizer.lr=0.1"], "neither a range nor two values"),
        (["optimizer.lr=0.1,"], "neither a range nor two values"),
        (["optimizer.lr=0.1..high"], "neither a range nor two values"),
        (["optimizer.lr=0.1..0.01"], "0.1 is not below 0.01"),
        (["optimizer.lr=1..1"], "1 is not below 1"),
        (["optimizer.lr=1..1e999"], "1 is not below inf"),
        (["optimizer.lr=0..1:log"], "0 has no logarithm; begin above 0"),
        (["optimizer.lr=1..2:lgo"], "':lgo' behind a range; only :log and :int may follow"),
        (["optimizer.lr=1..2:log:log"], "behind a range"),
        (["optimizer.lr=1..2:"], "behind a range"),
        (["batch_size=1.5..2:int"], ":int needs whole numbers at both ends"),
        (["optimizer.lr=1..2", "optimizer.lr=1,2"], "searched twice, as optimizer.lr too"),
        (["optimizer.lr=1..2", "optimizer={},{}"], "--search optimizer: searched twice, as optimizer.lr too"),
        (["optimizer.lr+optimizer.lr=1..2"], "searched twice"),
        (["seed=1,2"], "--search seed: not to be searched: the best of several seeds is luck"),
        (["evaluation.splits=[],[]"], "judged on the holdout alone"),
        (["evaluation={},{}"], "not to be searched"),
        (["train_on=fit,all"], "not to be searched"),
        (["checkpointing.keep=[],[1]"], "not to be searched"),
    ],
)
def test_what_is_no_space_is_refused_in_one_line(settings: list[str], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_space(settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optimizer.rate=1..2", "unknown key 'rate'"),
        ("optimiser.lr=1..2", "unknown key 'optimiser'; did you mean optimizer"),
        ("optimizer.lr=-1..2", "-1.0 is not a positive number"),
        ("loss.label_smoothing=0..1", "1.0 is not in [0, 1)"),
        ("batch_size=16..64", "is not a whole number; for whole numbers write batch_size=16..64:int"),
        ("precision=fp32,fp8", "'fp8' is not one of"),
        ("batch_size=16,16.0", "two values come to the same; leave one out"),
        ("phases.0.optimizer.lr=1..2", "a plain value has no key 'lr'"),
        ("phases.3.image_size=16,32", "'3' is not a position in a list of 1"),
    ],
)
def test_what_the_recipe_cannot_take_is_refused(setting: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        check_space(parse_space([setting]), short_recipe())
    assert str(caught.value).startswith(f"--search {setting.partition('=')[0]}=")
    assert message in str(caught.value)


def test_own_values() -> None:
    recipe = replace(short_recipe(), schedule=Schedule("step", options={"every": "1 epochs", "gamma": 0.9}))

    def own(*settings: str) -> dict[str, str] | None:
        return own_values(parse_space(settings), recipe)

    assert own("optimizer.lr=0.01..0.1:log", "batch_size=8..16:int") == {"optimizer.lr": "0.05", "batch_size": "16"}
    assert own("optimizer.lr=0.06..0.1") is None
    assert own("optimizer.name=adamw,nesterov") == {"optimizer.name": "nesterov"}
    assert own("batch_size=16.0,32") == {"batch_size": "16.0"}
    assert own("optimizer.name=adamw,sgd") is None
    assert own("schedule.options.gamma=0.5..1") == {"schedule.options.gamma": "0.9"}
    assert own("schedule.options.gamma=0..1:int") is None
    assert own("model.options.absent=0..1") is None
    assert own("clip_norm=0.5..1") is None
    assert own_values(parse_space(["optimizer.lr+optimizer.weight_decay=0.01..0.1"]), recipe) is None


def test_a_trial_is_judged_on_the_holdout_alone_and_keeps_nothing() -> None:
    recipe = short_recipe(
        evaluation=Evaluation(every=epochs(0.5), splits=("holdout", "val"), train_images=16, batch_size=7),
        checkpointing=Checkpointing(keep=(1,), snapshots=3),
        selected_on="val",
        fraction=0.5,
        seed=3,
    )
    search = make_search(recipe, ["optimizer.lr=0.01..1:log", "batch_size=8,16"], 5, fraction=0.25)
    assert search.name == "short-tune"
    values = {"optimizer.lr": "0.02", "batch_size": "8"}
    trial, tuned = search.trial(values), search.tuned(values)
    assert trial == replace(
        recipe,
        name="short-trial",
        optimizer=replace(recipe.optimizer, lr=0.02),
        batch_size=8,
        evaluation=Evaluation(every=epochs(0.5), splits=("holdout",), train_images=0, batch_size=7),
        checkpointing=Checkpointing(filters=()),
        selected_on="none",
        fraction=0.125,
    )
    assert tuned == replace(recipe, name="short-tuned", optimizer=replace(recipe.optimizer, lr=0.02), batch_size=8)
    assert search.start_values() == {"optimizer.lr": "0.05", "batch_size": "16"}


def test_a_grid_is_every_combination() -> None:
    search = make_search(short_recipe(), ["batch_size=4..6:int", "optimizer.name=sgd,adamw"], 100, sampler="grid")
    assert search.wanted == search.combinations() == 6
    found = [tuple(values.values()) for values in search.grid()]
    assert found == [(size, name) for size in "456" for name in ("sgd", "adamw")]
    assert replace(search, trials=4).wanted == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 0}, "search short-tune: 0 trials; give at least one"),
        ({"fraction": 0.0}, "fraction: 0.0 is not in (0, 1]"),
        ({"name": "../elsewhere"}, "search '../elsewhere': not a plain name"),
        ({"sampler": "grid"}, "--search optimizer.lr=0.01..1.0:log: a grid needs values"),
        (
            {"recipe": short_recipe(train_on="all", evaluation=Evaluation(splits=("val",)))},
            "short trains on the holdout too, which must choose; add --set train_on=fit",
        ),
    ],
)
def test_impossible_searches_are_refused(changes: dict[str, Any], message: str) -> None:
    search = make_search(short_recipe(), ["optimizer.lr=0.01..1:log"], 5)
    with pytest.raises(RecipeError) as caught:
        replace(search, **changes)
    assert message in str(caught.value)


def test_identity_is_json_and_tells_searches_apart() -> None:
    search = make_search(short_recipe(), ["optimizer.lr=0.01..1:log"], 5)
    assert json.loads(json.dumps(search.identity())) == search.identity()
    same = make_search(short_recipe(), ["optimizer.lr=1e-2..1.0:log"], 50, sampler="random", seed=3)
    assert same.identity() == search.identity()
    others: list[Search] = [
        make_search(short_recipe(batch_size=8), ["optimizer.lr=0.01..1:log"], 5),
        make_search(short_recipe(), ["optimizer.lr=0.01..1"], 5),
        make_search(short_recipe(), ["optimizer.lr=0.01..1:log"], 5, fraction=0.5),
    ]
    assert all(other.identity() != search.identity() for other in others)
