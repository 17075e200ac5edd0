"""Studies: several runs with one thing varied, those of the reports and the user's own; and searches."""

from thumbnet.studies.registry import STUDIES, find_study
from thumbnet.studies.search import Search, make_search
from thumbnet.studies.study import Ensemble, PlannedRun, Study, look_at
from thumbnet.studies.vary import vary

__all__ = ["STUDIES", "Ensemble", "PlannedRun", "Search", "Study", "find_study", "look_at", "make_search", "vary"]
