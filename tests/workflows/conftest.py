from tests.workflows.runs import dataset, run, shapes

__all__ = ["dataset", "run", "shapes"]
