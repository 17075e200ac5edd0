"""Studies as data: the reports' hold together, and a user's is the product of the values that were given."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thumbnet.errors import RecipeError
from thumbnet.optim import check_optimizer
from thumbnet.recipe import Recipe, assign, from_json, to_json
from thumbnet.recipes import RECIPES, ROWS, find_recipe
from thumbnet.studies import STUDIES, Ensemble, Study, find_study, look_at, vary
from thumbnet.studies.study import differing_keys
from thumbnet.studies.values import split_values
from thumbnet.workflows.study.panels import PANELS

OWN_LENGTH = ("hansen-solvers",)
"""Studies whose runs are no rows."""


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_holds_together(name: str) -> None:
    study = find_study(name)
    assert study.name == name
    assert study.text.endswith(".")
    assert study.source
    assert set(study.panels) <= set(PANELS)
    assert name not in RECIPES
    for recipe in study.runs.values():
        assert from_json(to_json(recipe)) == recipe
        check_optimizer(recipe.optimizer)
        if name not in OWN_LENGTH:
            assert RECIPES[recipe.name]() == recipe
    assert (study.ensemble is None) == (not {"snapshots", "ensemble"} & set(study.panels))


@pytest.mark.parametrize("name", STUDIES)
def test_what_varies_is_what_differs(name: str) -> None:
    study = STUDIES[name]
    different = set(differing_keys(list(study.runs.values()))) - {"name"}
    for claimed in study.varies:
        assert any(key == claimed or key.startswith(f"{claimed}.") for key in different)
    assert all(any(f"{key}.".startswith(f"{claimed}.") for claimed in study.varies) for key in different)
    assert bool(study.varies) == (len(study.runs) > 1)


def test_pairs_of_learning_rates_differ_in_nothing_else() -> None:
    runs = list(STUDIES["mkrtchyan-learning-rates"].runs.values())
    for high, low in zip(runs[::2], runs[1::2], strict=True):
        assert differing_keys([high, low]) == ["name", "optimizer.lr"]
        assert (high.optimizer.lr, low.optimizer.lr) == (1e-3, 1e-4)


def test_the_rows_that_name_a_study_have_it() -> None:
    named = {row.study for row in ROWS.values() if row.study is not None}
    assert named == {"hansen-ensemble", "milani-snapshots", "milani-snapshots-regularized"}
    assert STUDIES["hansen-ensemble"].ensemble == Ensemble("seeds", "logits")
    assert STUDIES["milani-snapshots"].ensemble == Ensemble("snapshots", "probabilities")
    for name in named:
        assert name in STUDIES
    for name in ("milani-snapshots", "milani-snapshots-regularized"):
        (recipe,) = STUDIES[name].runs.values()
        assert recipe.checkpointing.snapshots == 20


def test_runs_lie_where_rows_lie() -> None:
    assert [run.folder for run in STUDIES["ma-initialization"].planned()] == ["ma-init-default", "ma-init-xavier"]
    four = STUDIES["hansen-ensemble"].planned()
    name = "hansen-prelu-development"
    assert [run.folder for run in four] == [name, f"{name}-seed1", f"{name}-seed2", f"{name}-seed3"]
    assert [run.recipe.seed for run in four] == [0, 1, 2, 3]
    assert {run.recipe.name for run in four} == {name}


def test_an_unknown_study_gets_the_nearest() -> None:
    with pytest.raises(RecipeError, match="study 'ma-initialisation' is unknown; did you mean ma-initialization"):
        find_study("ma-initialisation")


def demo() -> Recipe:
    return find_recipe("demo")


def test_a_study_refuses_what_it_does_not_say() -> None:
    other = assign(demo(), {"name": "other", "batch_size": "7"})
    with pytest.raises(RecipeError, match="its runs differ in batch_size, which is not what it varies"):
        Study("s", "Text.", {"a": demo(), "b": other}, ("optimizer",), ())
    for name, seeds in (("demo", 1), ("demo-seed1", 2)):
        runs = {"a": demo(), "b": replace(demo(), name=name)}
        with pytest.raises(RecipeError, match=f"study s: two of its runs have the folder {name}; rename one"):
            Study("s", "Text.", runs, (), (), seeds)
    with pytest.raises(RecipeError, match="0 variants, 1 seeds; give at least one"):
        Study("s", "Text.", {}, (), ())


def test_shortened_studies_say_so_in_every_name() -> None:
    short = look_at(STUDIES["ma-initialization"], 0.25)
    assert short.name == "ma-initialization@0.25"
    assert [recipe.name for recipe in short.runs.values()] == [
        "ma-init-default@0.25",
        "ma-init-xavier@0.25",
    ]
    assert {recipe.fraction for recipe in short.runs.values()} == {0.25}
    assert look_at(STUDIES["ma-initialization"], 1.0) == STUDIES["ma-initialization"]
    for wrong in (0, -1, 1.5, float("nan")):
        with pytest.raises(RecipeError, match=r"fraction: .* is not in "):
            look_at(STUDIES["ma-initialization"], wrong)


def test_varied_values_are_multiplied() -> None:
    study = vary(demo(), ["optimizer.lr=1e-3,1e-4", "optimizer.name=sgd, adamw"], seeds=3)
    assert study.name == "demo-by-optimizer.lr-and-optimizer.name"
    assert list(study.runs) == [
        "optimizer.lr=0.001, optimizer.name=sgd",
        "optimizer.lr=0.001, optimizer.name=adamw",
        "optimizer.lr=0.0001, optimizer.name=sgd",
        "optimizer.lr=0.0001, optimizer.name=adamw",
    ]
    recipe = study.runs["optimizer.lr=0.0001, optimizer.name=sgd"]
    assert recipe.name == "demo,optimizer.lr=0.0001,optimizer.name=sgd"
    assert (recipe.optimizer.lr, recipe.optimizer.name) == (1e-4, "sgd")
    assert len(study.planned()) == 12
    assert study.planned()[4].folder == "demo,optimizer.lr=0.001,optimizer.name=sgd-seed1"


def test_values_may_be_json() -> None:
    study = vary(demo(), ['schedule={"name": "step", "options": {"every": "1 epochs"}},{"name": "cosine"}'])
    first, second = study.runs.values()
    assert (first.schedule.name, second.schedule.name) == ("step", "cosine")
    assert len({first.name, second.name}) == 2
    lengths = vary(demo(), ["phases.0.length=5 epochs,390 iterations"])
    assert [recipe.name for recipe in lengths.runs.values()] == [
        "demo,phases.0.length=5_epochs",
        "demo,phases.0.length=390_iterations",
    ]
    optional = vary(demo(), ['ema=null,{"decay": 0.99}'])
    assert [recipe.ema is None for recipe in optional.runs.values()] == [True, False]
    for one in (study, lengths, optional):
        for run in one.planned():
            assert re.fullmatch(r"[A-Za-z0-9._+,=-]+", run.folder)
            assert len(run.folder) < 100


def test_seeds_alone_may_vary() -> None:
    study = vary(demo(), [], seeds=3)
    assert (study.name, list(study.runs)) == ("demo-seeds", ["demo"])
    assert [run.folder for run in study.planned()] == ["demo", "demo-seed1", "demo-seed2"]


@pytest.mark.parametrize(
    ("varied", "message"),
    [
        ([], "nothing varies; add --vary KEY=VALUE,VALUE or --seeds 5"),
        (["optimizer.lr"], "not of the form KEY=VALUE,VALUE"),
        (["=1,2"], "not of the form KEY=VALUE,VALUE"),
        (["optimizer.lr=0.1"], "needs two values or more"),
        (["optimizer.lr=0.1,"], "needs two values or more, none empty"),
        (["optimizer.lr=0.001,1e-3"], "two values come to the same, optimizer.lr=0.001"),
        (["optimizer.lr=1,2", "optimizer.lr=3,4"], "the key is given twice"),
        (["name=a,b"], "runs are named by what varies"),
        (["optimizer.lrr=1,2"], "unknown key 'lrr'; did you mean lr"),
        (["optimizer.lr=0.1,fast"], "'fast' is not a number"),
        (["optimizer.lr=0.1,-1"], "-1.0 is not a positive number"),
        (["phases.3.length=1 epochs,2 epochs"], "'3' is not a position in a list of 1"),
    ],
)
def test_what_cannot_be_varied_is_refused_in_one_line(varied: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)) as caught:
        vary(demo(), varied)
    assert "\n" not in str(caught.value)


PLAIN = st.text("ab.0-", min_size=1, max_size=4)
VALUES = (
    PLAIN
    | PLAIN.map(lambda text: f'"{text},{text}"')
    | st.lists(PLAIN, max_size=3).map(lambda parts: "[" + ",".join(parts) + "]")
)


@settings(max_examples=60)
@given(values=st.lists(VALUES, min_size=1, max_size=4), space=st.sampled_from(["", " "]))
def test_commas_within_a_value_do_not_split_it(values: list[str], space: str) -> None:
    assert split_values(f",{space}".join(values)) == values


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1,2", ["1", "2"]),
        ('{"a": [1, 2], "b": {"c": 3}},4', ['{"a": [1, 2], "b": {"c": 3}}', "4"]),
        (r'"a\"b,c",d', [r'"a\"b,c"', "d"]),
        ("", [""]),
        ("a]b,c", ["a]b", "c"]),
    ],
)
def test_values_are_split_between_brackets(text: str, parts: list[str]) -> None:
    assert split_values(text) == parts
