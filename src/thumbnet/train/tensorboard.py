"""Metrics for TensorBoard, beside the run's own: an optional extra."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from thumbnet.errors import TrainingError
from thumbnet.run import RunDirectory

Mirror = Callable[[Sequence[Mapping[str, Any]]], None]
"""Takes rows of metrics as they are written."""


@contextlib.contextmanager
def open_writer(run: RunDirectory, step: int, wanted: bool) -> Iterator[Mirror]:
    """Yield a mirror that writes each number of a row under `kind/name`, or one that does nothing.

    A run that began with TensorBoard goes on with it; events after `step` are purged.

    Raises:
        TrainingError: the extra is not installed.
    """
    if not wanted and not run.tensorboard_path.exists():
        yield lambda _: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError("TensorBoard is not installed; pip install 'thumbnet[tensorboard]'") from error
    with contextlib.closing(SummaryWriter(str(run.tensorboard_path), purge_step=step + 1)) as writer:

        def mirror(rows: Sequence[Mapping[str, Any]]) -> None:
            for row in rows:
                for key, value in row.items():
                    if isinstance(value, float) and key != "epoch":
                        writer.add_scalar(f"{row['kind']}/{key}", value, row["step"])

        yield mirror
