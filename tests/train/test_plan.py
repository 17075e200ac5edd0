"""The plan: lengths as steps, schedules over one phase or all, and when the splits are evaluated."""

from dataclasses import replace

import pytest

from tests.helpers import CROP, FLIP, short_recipe
from thumbnet.errors import RecipeError
from thumbnet.recipe import Evaluation, Phase, Schedule, epochs, iterations
from thumbnet.train.plan import make_plan

IMAGES, SIDE = 56, 32
"""With batches of 16 an epoch is 4 steps, the last one short; with two policies 7."""


def test_lengths_become_steps() -> None:
    recipe = short_recipe(phases=(Phase(epochs(2)), Phase(iterations(5), (FLIP, CROP)), Phase(epochs(1.5))))
    plan = make_plan(recipe, IMAGES, SIDE)
    assert [(p.start, p.steps, p.end, p.steps_per_epoch) for p in plan.phases] == [
        (0, 8, 8, 4),
        (8, 5, 13, 7),
        (13, 6, 19, 4),
    ]
    assert plan.total_steps == 19
    assert [plan.phase_at(step).index for step in range(19)] == [0] * 8 + [1] * 5 + [2] * 6
    with pytest.raises(IndexError, match="step 19 is past the run's 19"):
        plan.phase_at(19)


def test_a_shortened_recipe_runs_through_its_whole_schedule() -> None:
    phases = (Phase(epochs(10)), Phase(epochs(5)))
    schedule = Schedule("step", options={"every": "10 epochs", "gamma": 0.1})
    whole = make_plan(short_recipe(phases=phases, schedule=schedule), IMAGES, SIDE)
    part = make_plan(short_recipe(phases=phases, schedule=schedule, fraction=0.2), IMAGES, SIDE)
    assert [phase.steps for phase in whole.phases] == [40, 20]
    assert [phase.steps for phase in part.phases] == [8, 4]
    assert [part.phase_at(step).factor(step) for step in range(12)] == pytest.approx([1.0] * 8 + [0.1] * 4)
    one_cycle = short_recipe(phases=phases, schedule=Schedule("one_cycle"))
    curve = make_plan(one_cycle, IMAGES, SIDE)
    short = make_plan(replace(one_cycle, fraction=0.5), IMAGES, SIDE)
    expected = [curve.phase_at(2 * step).factor(2 * step) for step in range(30)]
    assert [short.phase_at(step).factor(step) for step in range(30)] == expected


def test_the_shortest_recipe_takes_one_step_a_phase() -> None:
    recipe = short_recipe(phases=(Phase(epochs(10)), Phase(epochs(5))), fraction=1e-6)
    assert make_plan(recipe, IMAGES, SIDE).total_steps == 2


def test_a_step_has_its_place_in_its_phase() -> None:
    plan = make_plan(short_recipe(phases=(Phase(epochs(2)), Phase(epochs(2)))), IMAGES, SIDE)
    assert [plan.phase_at(step).locate(step) for step in (0, 3, 4, 8, 15)] == [(0, 0), (0, 3), (1, 0), (0, 0), (1, 3)]


def test_epochs_are_counted_over_all_phases() -> None:
    plan = make_plan(short_recipe(phases=(Phase(iterations(6)), Phase(epochs(1)))), IMAGES, SIDE)
    # A phase that ends within an epoch has begun that epoch: the next phase begins one of its own.
    assert [plan.epoch_ended(steps) for steps in range(1, 11)] == [None, None, None, 1, None, 2, None, None, None, 3]
    assert [plan.epochs_done(steps) for steps in (0, 1, 4, 6, 8, 10)] == [0, 0.25, 1, 1.5, 2.5, 3]


def test_the_splits_are_evaluated_at_the_end_of_each_phase_and_in_between() -> None:
    recipe = short_recipe(
        phases=(Phase(epochs(2.5)), Phase(epochs(1))), evaluation=Evaluation(every=epochs(1), splits=("val",))
    )
    assert sorted(make_plan(recipe, IMAGES, SIDE).milestones) == [4, 8, 10, 14]
    recipe = short_recipe(phases=(Phase(epochs(2)),), evaluation=Evaluation(every=iterations(3), splits=("val",)))
    assert sorted(make_plan(recipe, IMAGES, SIDE).milestones) == [3, 6, 8]
    recipe = short_recipe(phases=(Phase(epochs(2)),), evaluation=Evaluation(every=epochs(0.5), splits=("val",)))
    assert sorted(make_plan(recipe, IMAGES, SIDE).milestones) == [2, 4, 6, 8]


def test_a_schedule_spans_all_phases_but_those_that_have_their_own() -> None:
    linear = Schedule("linear")
    recipe = short_recipe(
        phases=(Phase(iterations(4)), Phase(iterations(2), schedule=linear), Phase(iterations(4))), schedule=linear
    )
    plan = make_plan(recipe, IMAGES, SIDE)
    factors = [plan.phase_at(step).factor(step) for step in range(10)]
    assert factors == pytest.approx([1, 7 / 8, 6 / 8, 5 / 8, 1, 1 / 2, 4 / 8, 3 / 8, 2 / 8, 1 / 8])


def test_images_have_the_size_of_the_phase_or_of_the_data() -> None:
    plan = make_plan(short_recipe(phases=(Phase(epochs(1), image_size=24), Phase(epochs(1)))), IMAGES, SIDE)
    assert [phase.image_size for phase in plan.phases] == [24, 32]


def test_a_length_of_no_step_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"phases.1.length: 0.05 epochs comes to no iteration here; lengthen it"):
        make_plan(short_recipe(phases=(Phase(epochs(1)), Phase(epochs(0.05)))), IMAGES, SIDE)


def test_splits_are_evaluated_at_most_once_an_iteration() -> None:
    recipe = short_recipe(phases=(Phase(iterations(3)),), evaluation=Evaluation(every=epochs(0.05)))
    assert make_plan(recipe, IMAGES, SIDE).milestones == {1, 2, 3}
