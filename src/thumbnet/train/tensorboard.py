"""Metrics for TensorBoard, beside the run's own: an optional extra."""

import contextlib
import importlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from thumbnet.errors import TrainingError
from thumbnet.files import storage_errors
from thumbnet.run import RunDirectory

Mirror = Callable[[Sequence[Mapping[str, Any]]], None]
"""Takes rows of metrics as they are written."""


def require_tensorboard() -> None:
    """Check that the optional extra is installed, before anything is written.

    Raises:
        TrainingError: it is not.
    """
    try:
        importlib.import_module("torch.utils.tensorboard")
    except ImportError as error:
        raise TrainingError("TensorBoard is not installed; pip install 'thumbnet[tensorboard]'") from error


@contextlib.contextmanager
def open_writer(run: RunDirectory, wanted: bool) -> Iterator[Mirror]:
    """Yield a mirror that writes each number of a row under `kind/name`, or one that does nothing.

    A run that began with TensorBoard goes on with it. The run's own metrics are written again then: TensorBoard's
    writer keeps events for minutes before it writes them, so a killed run has lost some.
    """
    if not wanted and not run.tensorboard_path.exists():
        yield lambda _: None
        return
    from torch.utils.tensorboard import SummaryWriter

    with storage_errors(run.tensorboard_path):
        if run.tensorboard_path.exists():
            shutil.rmtree(run.tensorboard_path)
    with contextlib.closing(SummaryWriter(str(run.tensorboard_path))) as writer:

        def mirror(rows: Sequence[Mapping[str, Any]]) -> None:
            for row in rows:
                for key, value in row.items():
                    if isinstance(value, float) and key != "epoch":
                        writer.add_scalar(f"{row['kind']}/{key}", value, row["step"])

        mirror(run.metrics.read())
        yield mirror
