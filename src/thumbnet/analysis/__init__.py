"""Computing what explains a network: everything that `thumbnet analyze` stores in a run.

Each module computes one part from a `Subject`; what the parts hold is in `thumbnet.analyses`.
"""

from thumbnet.analysis.crossfit import CrossFit, cross_fit
from thumbnet.analysis.embedding import chosen_classes, embed, named_classes
from thumbnet.analysis.gradcam import find_maps
from thumbnet.analysis.layers import find_layers
from thumbnet.analysis.neighbours import find_neighbours
from thumbnet.analysis.robustness import judge_corrupted
from thumbnet.analysis.subject import Subject

__all__ = [
    "CrossFit",
    "Subject",
    "chosen_classes",
    "cross_fit",
    "embed",
    "find_layers",
    "find_maps",
    "find_neighbours",
    "judge_corrupted",
    "named_classes",
]
