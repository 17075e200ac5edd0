"""The tables that pages take from records and registries."""

from tools.tables.experiments import comparisons, ensembles, searches, studies, zero_shots
from tools.tables.program import measurements
from tools.tables.registries import names

__all__ = ["comparisons", "ensembles", "measurements", "names", "searches", "studies", "zero_shots"]
