"""The recipe's parts: values out of range and impossible combinations are refused at construction."""

import dataclasses
import math
from collections.abc import Callable
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
    Loss,
    Model,
    Normalization,
    Operation,
    Optimizer,
    Phase,
    Recipe,
    epochs,
    iterations,
    operation,
)


def sample() -> Recipe:
    return Recipe("tiny", Model("m1"), Optimizer("adam", 0.001), (Phase(epochs(2)),))


@given(
    st.builds(epochs, st.floats(0, allow_infinity=False, allow_nan=False))
    | st.builds(iterations, st.integers(0, 10**9))
)
def test_a_length_and_its_text_are_the_same(length: Length) -> None:
    assert Length.parse(str(length)) == length


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("20 epochs", epochs(20)),
        ("1 epoch", epochs(1)),
        ("0.5 epochs", epochs(0.5)),
        (" 390  iterations ", iterations(390)),
        ("1000000 iterations", iterations(10**6)),
    ],
)
def test_lengths_are_read(text: str, length: Length) -> None:
    assert Length.parse(text) == length


def test_lengths_read_well() -> None:
    assert str(epochs(20)) == "20 epochs"
    assert str(epochs(0.5)) == "0.5 epochs"
    assert str(iterations(7_820_000)) == "7820000 iterations"


@pytest.mark.parametrize(
    "text", ["20", "epochs", "-1 epochs", "2 weeks", "1.5 iterations", "", "inf epochs", "1e999 epochs"]
)
def test_other_texts_are_no_lengths(text: str) -> None:
    with pytest.raises(RecipeError, match=r"^length: "):
        Length.parse(text)


def test_lengths_in_steps() -> None:
    assert epochs(2.5).steps(391) == round(2.5 * 391)
    assert iterations(7).steps(391) == 7


def test_an_operation_in_one_call() -> None:
    assert operation("rotate", degrees=10) == Operation("rotate", {"degrees": 10})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Length(-1, "epochs"), "length: -1"),
        (lambda: Length(math.nan, "epochs"), "length: nan"),
        (lambda: Length(1.5, "iterations"), "length: 1.5 iterations"),
        (lambda: Optimizer("sgd", 0), "optimizer.lr: 0"),
        (lambda: Optimizer("sgd", math.inf), "optimizer.lr: inf"),
        (lambda: Optimizer("sgd", 1, weight_decay=-1), "optimizer.weight_decay: -1"),
        (lambda: Phase(epochs(0)), "phase.length"),
        (lambda: Phase(epochs(1), policies=()), "phase.policies"),
        (lambda: Phase(epochs(1), image_size=7), "phase.image_size: 7"),
        (lambda: Loss(1.0), "loss.label_smoothing: 1.0"),
        (lambda: Ema(decay=1), "ema.decay: 1"),
        (lambda: Ema(every=0), "ema.every: 0"),
        (lambda: Normalization(std=(1, 0, 1)), "normalization.std"),
        (lambda: Normalization(std=(1, math.inf, 1)), "normalization.std"),
        (lambda: Normalization(mean=(1, math.nan, 1)), "normalization.mean"),
        (lambda: Evaluation(every=epochs(0)), "evaluation.every"),
        (lambda: Evaluation(train_images=-1), "evaluation.train_images: -1"),
        (lambda: Evaluation(batch_size=0), "evaluation.batch_size: 0"),
        (lambda: Evaluation(splits=("val", "holdout", "val")), "evaluation.splits: names a split twice"),
        (lambda: Evaluation(image_size=0), "evaluation.image_size: 0"),
        (lambda: Checkpointing(keep=(1, 0)), "checkpointing.keep: 0 is no epoch"),
        (lambda: Checkpointing(filters=(-2, 3)), "checkpointing.filters: -2 is no epoch"),
        (lambda: Checkpointing(snapshots=-1), "checkpointing.snapshots: -1"),
        (lambda: dataclasses.replace(sample(), phases=()), "phases: "),
        (lambda: dataclasses.replace(sample(), batch_size=0), "batch_size: 0"),
        (lambda: dataclasses.replace(sample(), seed=-1), "seed: -1"),
        (lambda: dataclasses.replace(sample(), seed=2**63), "seed: "),
        (lambda: dataclasses.replace(sample(), clip_norm=0.0), "clip_norm: 0.0"),
        (lambda: dataclasses.replace(sample(), clip_norm=math.inf), "clip_norm: inf"),
    ],
)
def test_values_out_of_range_are_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        build()
    assert "\n" not in str(caught.value)


def test_nothing_is_chosen_or_measured_on_a_holdout_that_is_trained_on() -> None:
    evaluation = Evaluation(splits=("holdout", "val"))
    with pytest.raises(RecipeError, match="train_on: 'all' trains on the holdout too"):
        dataclasses.replace(sample(), train_on="all", evaluation=evaluation)
    with pytest.raises(RecipeError, match="train_on: 'all' trains on the holdout too"):
        dataclasses.replace(sample(), train_on="all", selected_on="holdout")
    recipe = dataclasses.replace(sample(), train_on="fit", evaluation=evaluation, selected_on="holdout")
    assert recipe.selected_on == "holdout"


def test_what_selects_is_evaluated() -> None:
    with pytest.raises(RecipeError, match="selected_on: 'holdout' is never evaluated"):
        dataclasses.replace(sample(), selected_on="holdout")


def test_a_recipe_is_frozen() -> None:
    recipe: Any = sample()
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.seed = 1
