"""Files in the place of weights that hold something else, also code that is executed where it is unpickled."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch


class Trap:
    """Leaves a mark where a pickle of it is executed."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.mark, "executed")


def saved(value: object) -> bytes:
    """Return what torch.save writes."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def files_of_no_weights(mark: Path) -> dict[str, bytes]:
    """Return contents by kind; the traps among them would write `mark`."""
    whole = saved({"fc.weight": torch.zeros(9, 9)})
    return {
        "pickle": pickle.dumps(Trap(mark)),
        "trap": saved({"fc.weight": torch.zeros(1), "trap": Trap(mark)}),
        "unknown class": b"cno_such_module\nThing\n.",
        "list": saved([1, 2]),
        "numbers": saved({"fc.weight": 3}),
        "other tensors": whole,
        "cut off": whole[: len(whole) // 2],
        "empty": b"",
    }
