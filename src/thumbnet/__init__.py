"""thumbnet: train, judge and explain classifiers of small images.

The names below are loaded when they are first used, so that importing the package costs nothing. The functions are
named by verb and object, because `thumbnet.train`, `thumbnet.recipe` and `thumbnet.evaluate` are modules.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thumbnet.api.judging import (
        analyze_run,
        compare_runs,
        evaluate_run,
        make_ensemble,
        make_soup,
        predict_images,
        report_runs,
    )
    from thumbnet.api.training import load_data, make_recipe, open_run, pack_data, resume_run, train_recipe
    from thumbnet.errors import ThumbnetError

__version__ = "0.1.0"

__all__ = [
    "ThumbnetError",
    "__version__",
    "analyze_run",
    "compare_runs",
    "evaluate_run",
    "load_data",
    "make_ensemble",
    "make_recipe",
    "make_soup",
    "open_run",
    "pack_data",
    "predict_images",
    "report_runs",
    "resume_run",
    "train_recipe",
]

_HOMES = ("thumbnet.errors", "thumbnet.api.training", "thumbnet.api.judging")


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in map(importlib.import_module, _HOMES):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
