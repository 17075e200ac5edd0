"""The plan of a run: every length of the recipe converted to optimiser steps, once."""

from dataclasses import dataclass

from thumbnet.errors import RecipeError
from thumbnet.optim import Factor, build_schedule
from thumbnet.recipe import Phase, Recipe


@dataclass(frozen=True)
class PhasePlan:
    """A phase in steps: it covers the steps `start` to `start + steps - 1`, counted from 0 over the whole run.

    `full_steps` is its full length, of which a shortened recipe trains a part; `schedule` counts in full steps.
    """

    index: int
    phase: Phase
    start: int
    steps: int
    full_steps: int
    steps_per_epoch: int
    first_epoch: int
    image_size: int
    schedule: Factor
    schedule_start: int

    @property
    def end(self) -> int:
        """The first step after the phase."""
        return self.start + self.steps

    def factor(self, step: int) -> float:
        """Return what multiplies the learning rate at `step` of the run."""
        position = (step - self.start) * self.full_steps // self.steps
        return self.schedule(position + self.schedule_start)

    def locate(self, step: int) -> tuple[int, int]:
        """Return the epoch within the phase and the batch within that epoch, both from 0, of `step` of the run."""
        return divmod(step - self.start, self.steps_per_epoch)


@dataclass(frozen=True)
class Plan:
    """All phases of a run; `milestones` are the step counts after which the splits are evaluated."""

    phases: tuple[PhasePlan, ...]
    milestones: frozenset[int]

    @property
    def total_steps(self) -> int:
        """Number of optimiser steps of the whole run."""
        return self.phases[-1].end

    @property
    def epochs(self) -> int:
        """Number of the last epoch, from 1; one that is broken off where its phase ends counts as one."""
        last = self.phases[-1]
        return last.first_epoch + -(-last.steps // last.steps_per_epoch)

    def phase_at(self, step: int) -> PhasePlan:
        """Return the phase that `step` (from 0) belongs to."""
        for phase in self.phases:
            if step < phase.end:
                return phase
        raise IndexError(f"step {step} is past the run's {self.total_steps}")

    def epochs_done(self, steps: int) -> float:
        """Return how many epochs have passed after `steps` steps, as a number with a fraction."""
        if steps == 0:
            return 0.0
        phase = self.phase_at(steps - 1)
        return phase.first_epoch + (steps - phase.start) / phase.steps_per_epoch

    def epoch_ended(self, steps: int) -> int | None:
        """Return the number (from 1) of the epoch that ends after `steps` steps, or `None` when none does."""
        phase = self.phase_at(steps - 1)
        done, rest = divmod(steps - phase.start, phase.steps_per_epoch)
        if rest and steps != phase.end:
            return None
        return phase.first_epoch + done + (1 if rest else 0)


def make_plan(recipe: Recipe, images: int, image_size: int) -> Plan:
    """Return the plan of `recipe` for `images` training images of side `image_size`.

    Raises:
        RecipeError: a phase that comes to no step, or a schedule that does not fit.
    """
    lengths = [_phase_steps(recipe, phase, images, number) for number, phase in enumerate(recipe.phases)]
    shared = _shared_schedule(recipe, lengths)
    phases: list[PhasePlan] = []
    start = first_epoch = position = 0
    for index, (phase, (full_steps, per_epoch)) in enumerate(zip(recipe.phases, lengths, strict=True)):
        own = phase.schedule
        schedule = shared if own is None else build_schedule(own, full_steps, per_epoch)
        steps = max(1, round(full_steps * recipe.fraction))
        size = phase.image_size or image_size
        at = position if own is None else 0
        phases.append(PhasePlan(index, phase, start, steps, full_steps, per_epoch, first_epoch, size, schedule, at))
        start += steps
        first_epoch += -(-steps // per_epoch)
        position += full_steps if own is None else 0
    return Plan(tuple(phases), _milestones(recipe, phases))


def _shared_schedule(recipe: Recipe, lengths: list[tuple[int, int]]) -> Factor:
    """Return the recipe's schedule over all phases that have none of their own.

    Its lengths in epochs are epochs of the first of these phases (phases differ in this by their policies).
    """
    spanned = [length for phase, length in zip(recipe.phases, lengths, strict=True) if phase.schedule is None]
    if not spanned:
        return lambda _: 1.0
    return build_schedule(recipe.schedule, sum(steps for steps, _ in spanned), spanned[0][1])


def _phase_steps(recipe: Recipe, phase: Phase, images: int, number: int) -> tuple[int, int]:
    per_epoch = -(-images * len(phase.policies) // recipe.batch_size)
    steps = phase.length.steps(per_epoch)
    if steps < 1:
        raise RecipeError(f"phases.{number}.length: {phase.length} comes to no iteration here; lengthen it")
    return steps, per_epoch


def _milestones(recipe: Recipe, phases: list[PhasePlan]) -> frozenset[int]:
    milestones: set[int] = set()
    for phase in phases:
        # Where a part of an epoch comes to no iteration, as on few images, each iteration is followed by one.
        every = max(1, recipe.evaluation.every.steps(phase.steps_per_epoch))
        milestones.update(range(phase.start + every, phase.end, every))
        milestones.add(phase.end)
    return frozenset(milestones)
