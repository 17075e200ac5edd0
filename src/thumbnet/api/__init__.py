"""The Python API: the steps of the command line as plain calls, for notebooks and programs.

    import thumbnet

    data = thumbnet.pack_data("digits", "digits")
    recipe = thumbnet.make_recipe("demo", {"phases.0.length": "4 epochs"})
    run = thumbnet.train_recipe(recipe, data, "runs/first")
    print(thumbnet.evaluate_run(run).top1)

Every error that the caller can mend is a `thumbnet.ThumbnetError` with one line that says what to do.
"""

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

__all__ = [
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
