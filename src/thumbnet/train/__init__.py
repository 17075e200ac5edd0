"""Training: phases, the loop, checkpoints, and runs that resume exactly."""

from thumbnet.train.begin import has_head_for
from thumbnet.train.checks import check_recipe
from thumbnet.train.interrupt import Interrupted, stop_on_signals
from thumbnet.train.session import Options, load_own_data, load_run_data, resume, start

__all__ = [
    "Interrupted",
    "Options",
    "check_recipe",
    "has_head_for",
    "load_own_data",
    "load_run_data",
    "resume",
    "start",
    "stop_on_signals",
]
