"""Figures of a study, and what a row's line says of a record, for tests of verdicts."""

from thumbnet.records import Measurement, Record
from thumbnet.workflows.reproduction.lines import row_line
from thumbnet.workflows.reproduction.measured import Measured

ENSEMBLE = {
    "top1": 0.525,
    "top1_interval": [0.515, 0.535],
    "size": 7,
    "selected_on": "val",
    "single": {"top1": 0.48},
}
STUDY = {"ensemble": ENSEMBLE, "epochs": 30, "seconds": 7200.0}


def measured(record: Record | Measurement) -> Measured:
    """What the line of a record's row says of it."""
    found = row_line(record.name, record).measured
    assert found is not None
    return found
