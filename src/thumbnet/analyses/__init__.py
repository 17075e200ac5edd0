"""What `thumbnet analyze` stores in a run, read and written without torch.

`storage` has the form of the files, `results` what each of them holds, `corruptions` what those of robustness are,
`places` where they lie in a run and whether they are of its weights and data, and `filters` what the filters of a run
say without any file of an analysis.
"""

from thumbnet.analyses.filters import FilterChange, filter_change, recorded_filters
from thumbnet.analyses.places import (
    KINDS,
    PARTS,
    Part,
    current_origin,
    read,
    read_cross_fitted,
    read_impossible,
    save_analysis,
    save_cross_fitted,
    save_impossible,
)
from thumbnet.analyses.results import Embedding, Layers, Maps, Neighbours, Robustness
from thumbnet.analyses.storage import Analysis, Origin

__all__ = [
    "Analysis",
    "Embedding",
    "FilterChange",
    "KINDS",
    "Layers",
    "Maps",
    "Neighbours",
    "Origin",
    "PARTS",
    "Part",
    "Robustness",
    "current_origin",
    "filter_change",
    "read",
    "read_cross_fitted",
    "read_impossible",
    "recorded_filters",
    "save_analysis",
    "save_cross_fitted",
    "save_impossible",
]
