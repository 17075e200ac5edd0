"""Durations of training, in epochs or in iterations."""

import math
import re
from dataclasses import dataclass
from typing import Literal, Self

from thumbnet.errors import RecipeError
from thumbnet.recipe.checking import require

_LENGTH = re.compile(r"\s*(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s+(epochs?|iterations?)\s*")


@dataclass(frozen=True)
class Length:
    """A duration of training: a number of epochs (fractions allowed) or of iterations."""

    amount: float
    unit: Literal["epochs", "iterations"]

    def __post_init__(self) -> None:
        require(math.isfinite(self.amount) and self.amount >= 0, f"length: {self.amount} is not a number of 0 or more")
        if self.unit == "iterations":
            require(self.amount == int(self.amount), f"length: {self.amount} iterations is not a whole number")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the length that `text` states, such as '20 epochs' or '390 iterations'.

        Raises:
            RecipeError: `text` has another form.
        """
        match = _LENGTH.fullmatch(text)
        if match is None:
            raise RecipeError(f"length: {text!r} is not a length; write '20 epochs' or '390 iterations'")
        unit: Literal["epochs", "iterations"] = "epochs" if match[2].startswith("epoch") else "iterations"
        return cls(float(match[1]), unit)

    def __str__(self) -> str:
        # Exact, so that a recipe that is written and read again is the same recipe.
        whole = self.amount == int(self.amount)
        return f"{int(self.amount) if whole else repr(float(self.amount))} {self.unit}"

    def steps(self, steps_per_epoch: int) -> int:
        """Return the length in optimiser steps, rounded to the nearest one."""
        return round(self.amount * steps_per_epoch) if self.unit == "epochs" else int(self.amount)


def epochs(amount: float) -> Length:
    """Return a length of `amount` epochs."""
    return Length(amount, "epochs")


def iterations(amount: int) -> Length:
    """Return a length of `amount` iterations (optimiser steps)."""
    return Length(amount, "iterations")
