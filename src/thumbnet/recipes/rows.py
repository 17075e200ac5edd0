"""A row of a report: the recipe or the study that runs it, and what the report says that it reached."""

from collections.abc import Callable
from dataclasses import dataclass

from thumbnet.recipe import Recipe


@dataclass(frozen=True)
class Reported:
    """A report's figures for a row.

    Args:
        source: where they stand.
        train: training accuracy, as a fraction.
        val: best top-1 on the official validation split, as a fraction.
        test: top-1 on the unlabelled test split, which an evaluation server gave, as a fraction.
        iterations: optimiser steps to 100% training accuracy.
        about: whether the report gives `val` or `iterations` as about that.
        text: what the report says without a figure.
    """

    source: str
    train: float | None = None
    val: float | None = None
    test: float | None = None
    iterations: int | None = None
    about: bool = False
    text: str = ""


@dataclass(frozen=True)
class Row:
    """One row: a recipe to train, or the name of a study to run, and the report's figures."""

    reported: Reported
    recipe: Callable[[], Recipe] | None = None
    study: str | None = None
