from tests.workflows.runs import dataset, run, runs, shapes

__all__ = ["dataset", "run", "runs", "shapes"]
