"""Ensembles of saved predictions: averaged, grown one member at a time, chosen greedily, and kept in a folder."""

from thumbnet.ensemble.averaging import (
    Over,
    average,
    check_over,
    growth,
    ranking,
)
from thumbnet.ensemble.folder import EnsembleFolder
from thumbnet.ensemble.selection import greedy

__all__ = [
    "EnsembleFolder",
    "Over",
    "average",
    "check_over",
    "greedy",
    "growth",
    "ranking",
]
