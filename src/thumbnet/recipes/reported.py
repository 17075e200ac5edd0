"""What the reports say that their rows reached."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Reported:
    """A report's figure for a row: its best val top-1 as a fraction, and where it stands."""

    top1: float
    source: str


_MA = "Ma 2017, section 5.4"
_MKRTCHYAN = "Mkrtchyan 2022, figure"

REPORTED: Mapping[str, Reported] = {
    "ma-scratch": Reported(0.40, _MA),
    "ma-scratch-64": Reported(0.40, _MA),
    "mkrtchyan-m1": Reported(0.295, f"{_MKRTCHYAN} 3"),
    "mkrtchyan-m1-lr1e-4": Reported(0.228, f"{_MKRTCHYAN} 4"),
    "mkrtchyan-m1-set1": Reported(0.22, f"{_MKRTCHYAN} 2"),
    "mkrtchyan-m4": Reported(0.359, f"{_MKRTCHYAN} 6"),
}
"""By the name of the recipe that runs the row."""
