"""Schedules against torch's own, step by step, and what is refused."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from thumbnet.errors import RecipeError
from thumbnet.optim import build_schedule, schedule_names
from thumbnet.recipe import Length, Schedule, epochs, iterations

PER_EPOCH, TOTAL = 7, 42


def torch_rates(make: Callable[[torch.optim.Optimizer], LRScheduler], steps: int = TOTAL) -> list[float]:
    """Return the learning rates that torch's schedule gives to the steps, for a learning rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return rates


def our_rates(schedule: Schedule, steps: int = TOTAL) -> list[float]:
    factor = build_schedule(schedule, steps, PER_EPOCH)
    return [factor(step) for step in range(steps)]


def test_constant() -> None:
    assert our_rates(Schedule()) == [1.0] * TOTAL


@pytest.mark.parametrize(("every", "stride"), [("2 epochs", 14), ("5 iterations", 5)])
def test_step(every: str, stride: int) -> None:
    ours = our_rates(Schedule("step", options={"every": every, "gamma": 0.3}))
    assert ours == pytest.approx(torch_rates(lambda o: lr_scheduler.StepLR(o, stride, gamma=0.3)), rel=1e-9)


def test_exponential_agrees_at_each_epoch_and_is_even_in_between() -> None:
    ours = our_rates(Schedule("exponential", options={"every": "1 epochs", "gamma": 0.8}))
    theirs = torch_rates(lambda o: lr_scheduler.ExponentialLR(o, gamma=0.8), TOTAL // PER_EPOCH)
    assert ours[::PER_EPOCH] == pytest.approx(theirs, rel=1e-9)
    ratios = [after / before for before, after in itertools.pairwise(ours)]
    assert ratios == pytest.approx([0.8 ** (1 / PER_EPOCH)] * len(ratios), rel=1e-9)


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine(final: float) -> None:
    ours = our_rates(Schedule("cosine", options={"final": final}))
    theirs = torch_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL, eta_min=final))
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_linear() -> None:
    ours = our_rates(Schedule("linear", options={"final": 0.2}))
    theirs = torch_rates(lambda o: lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=0.2, total_iters=TOTAL))
    assert ours == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("peak_at", [0.1, 0.3, 0.5])
def test_one_cycle(peak_at: float) -> None:
    ours = our_rates(Schedule("one_cycle", options={"peak_at": peak_at}))
    assert ours == pytest.approx(torch_rates_of_one_cycle(peak_at), abs=1e-9)


def torch_rates_of_one_cycle(peak_at: float) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=TOTAL, pct_start=peak_at, cycle_momentum=False
    )
    rates = []
    for step in range(TOTAL):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if step < TOTAL - 1:
            schedule.step()
    return rates


@pytest.mark.parametrize("warmup", [iterations(5), epochs(1)])
def test_warm_up_rises_in_a_line_and_is_part_of_the_length(warmup: Length) -> None:
    steps = 5 if warmup == iterations(5) else PER_EPOCH
    ours = our_rates(Schedule("cosine", warmup=warmup))
    rising = torch_rates(lambda o: lr_scheduler.LinearLR(o, start_factor=1 / steps, total_iters=steps - 1), steps)
    falling = torch_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL - steps), TOTAL - steps)
    assert ours == pytest.approx(rising + falling, abs=1e-9)


@pytest.mark.parametrize("name", ["constant", "cosine", "linear", "one_cycle"])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_short_schedules_stay_in_range(name: str, total: int) -> None:
    factor = build_schedule(Schedule(name), total, 1)
    assert all(0 <= factor(step) <= 1 for step in range(total))


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (Schedule("cosin"), r"schedule 'cosin' is unknown; did you mean cosine"),
        (Schedule("cosine", options={"finale": 0.1}), r"unknown option 'finale'; did you mean final"),
        (Schedule("cosine", options={"final": 2}), r"schedule.final: 2.0 is not in 0 to 1"),
        (Schedule("step"), r"schedule step: the option 'every' is missing"),
        (Schedule("step", options={"every": 3}), r"3 is not a length; write '20 epochs'"),
        (Schedule("step", options={"every": "0.01 epochs"}), r"0.01 epochs is no whole iteration; lengthen it"),
        (Schedule("step", options={"every": "1 epochs", "gamma": -0.1}), r"schedule.gamma: -0.1 is not a positive"),
        (Schedule("step", options={"every": "1 epochs", "gamma": 0}), r"schedule.gamma: 0.0 is not a positive"),
        (Schedule("exponential", options={"every": "1 epochs", "gamma": -0.9}), r"schedule.gamma: -0.9 is not a pos"),
        (Schedule("exponential", options={"every": "1 epochs", "gamma": 0}), r"schedule.gamma: 0.0 is not a positive"),
        (Schedule("one_cycle", options={"peak_at": -0.1}), r"schedule.peak_at: -0.1 is not in 0 to 1"),
        (Schedule("constant", warmup=epochs(6)), r"schedule.warmup: 6 epochs leaves nothing of 42 iterations"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(schedule: Schedule, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build_schedule(schedule, TOTAL, PER_EPOCH)


def test_the_table_is_whole() -> None:
    assert schedule_names() == ["constant", "cosine", "exponential", "linear", "one_cycle", "step"]
