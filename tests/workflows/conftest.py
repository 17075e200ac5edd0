from tests.workflows.runs import dataset, denormal_numbers, run, shapes

__all__ = ["dataset", "denormal_numbers", "run", "shapes"]
