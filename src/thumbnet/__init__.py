"""thumbnet: train, judge and explain classifiers of small images.

The names below are loaded when they are first used, so that importing the package costs nothing. The functions are
named by verb and object, because `thumbnet.train`, `thumbnet.recipe` and `thumbnet.evaluate` are modules.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thumbnet.api import (
        analyze_run,
        compare_runs,
        evaluate_run,
        load_data,
        make_ensemble,
        make_recipe,
        make_soup,
        open_run,
        pack_data,
        predict_images,
        report_runs,
        resume_run,
        train_recipe,
    )
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


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "thumbnet.errors" if name == "ThumbnetError" else "thumbnet.api"
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
