"""Ensembles of saved predictions: averaged, grown one member at a time, chosen greedily, and kept in a folder."""

from thumbnet.ensemble.averaging import (
    OVER,
    Over,
    average,
    check_over,
    curve,
    growth,
    ranking,
)
from thumbnet.ensemble.folder import EnsembleFolder
from thumbnet.ensemble.selection import Selection, greedy

__all__ = [
    "OVER",
    "EnsembleFolder",
    "Over",
    "Selection",
    "average",
    "check_over",
    "curve",
    "greedy",
    "growth",
    "ranking",
]
