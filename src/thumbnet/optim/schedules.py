"""Learning-rate schedules: pure functions of the step, in optimiser steps.

A schedule maps a step in `[0, total)` to the factor that multiplies the optimiser's learning rate. A new one is a
function and a line in `SCHEDULES`.
"""

import math
from collections.abc import Callable

from thumbnet.errors import RecipeError
from thumbnet.recipe import Length, Schedule
from thumbnet.registry import Registry

Factor = Callable[[int], float]
"""The factor at a step, counted from the first step that the schedule spans."""


def _fraction(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise RecipeError(f"schedule.{name}: {value} is not in 0 to 1")
    return value


def _positive(name: str, value: float) -> float:
    if value <= 0:
        raise RecipeError(f"schedule.{name}: {value} is not a positive number; 0.1 is usual")
    return value


def _positive_steps(every: Length, steps_per_epoch: int) -> int:
    steps = every.steps(steps_per_epoch)
    if steps < 1:
        raise RecipeError(f"schedule.every: {every} is no whole iteration; lengthen it")
    return steps


def constant(total: int, steps_per_epoch: int) -> Factor:
    """Return 1 throughout."""
    del total, steps_per_epoch
    return lambda _: 1.0


def step(total: int, steps_per_epoch: int, *, every: Length, gamma: float = 0.1) -> Factor:
    """Multiply by `gamma` after each stretch of length `every`."""
    del total
    _positive("gamma", gamma)
    stride = _positive_steps(every, steps_per_epoch)
    return lambda step: gamma ** (step // stride)


def exponential(total: int, steps_per_epoch: int, *, every: Length, gamma: float = 0.9) -> Factor:
    """Decay continuously, by `gamma` over each stretch of length `every`."""
    del total
    _positive("gamma", gamma)
    stride = _positive_steps(every, steps_per_epoch)
    return lambda step: gamma ** (step / stride)


def cosine(total: int, steps_per_epoch: int, *, final: float = 0.0) -> Factor:
    """Fall from 1 to `final` along half a cosine (Loshchilov and Hutter 2017, one period)."""
    del steps_per_epoch
    _fraction("final", final)
    return lambda step: final + (1 - final) * (1 + math.cos(math.pi * step / total)) / 2


def linear(total: int, steps_per_epoch: int, *, final: float = 0.0) -> Factor:
    """Fall from 1 to `final` in a straight line."""
    del steps_per_epoch
    _fraction("final", final)
    return lambda step: 1 - (1 - final) * step / total


def one_cycle(
    total: int, steps_per_epoch: int, *, peak_at: float = 0.3, start: float = 0.04, final: float = 4e-6
) -> Factor:
    """Rise from `start` to 1 at the fraction `peak_at`, then fall to `final`, along half cosines (Smith 2018).

    The defaults are those of torch's OneCycleLR; momentum does not cycle.
    """
    del steps_per_epoch
    for name, value in (("peak_at", peak_at), ("start", start), ("final", final)):
        _fraction(name, value)
    rise = peak_at * total - 1
    fall = total - 1 - rise

    def factor(step: int) -> float:
        if step <= rise:
            return _half_cosine(start, 1.0, step / rise if rise > 0 else 1.0)
        return _half_cosine(1.0, final, min(1.0, (step - rise) / fall) if fall > 0 else 1.0)

    return factor


def _half_cosine(first: float, last: float, progress: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


SCHEDULES: Registry[Factor] = Registry(
    "schedule",
    {
        "constant": constant,
        "cosine": cosine,
        "exponential": exponential,
        "linear": linear,
        "one_cycle": one_cycle,
        "step": step,
    },
)


def schedule_names() -> list[str]:
    """Return the names of all schedules, sorted."""
    return SCHEDULES.names()


def build_schedule(schedule: Schedule, total: int, steps_per_epoch: int) -> Factor:
    """Return the factor function of `schedule` over `total` steps, warm-up included.

    After a linear warm-up of `w` steps (factors 1/w, 2/w, ... 1) the named schedule runs over the other steps.

    Raises:
        RecipeError: an unknown schedule or option, or a warm-up that is longer than the schedule.
    """
    warmup = schedule.warmup.steps(steps_per_epoch)
    if warmup >= total > 0 and warmup > 0:
        raise RecipeError(f"schedule.warmup: {schedule.warmup} leaves nothing of {total} iterations; shorten it")
    factor = SCHEDULES.call(schedule.name, schedule.options, total - warmup, steps_per_epoch)
    if warmup == 0:
        return factor
    return lambda step: (step + 1) / warmup if step < warmup else factor(step - warmup)
