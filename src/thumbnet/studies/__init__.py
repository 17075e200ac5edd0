"""Studies: several runs with one thing varied. Those of the reports, and the user's own."""

from thumbnet.studies.registry import STUDIES, find_study
from thumbnet.studies.study import Ensemble, PlannedRun, Study, look_at
from thumbnet.studies.vary import vary

__all__ = ["STUDIES", "Ensemble", "PlannedRun", "Study", "find_study", "look_at", "vary"]
