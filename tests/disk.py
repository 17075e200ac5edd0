"""The disk is not waited for: no test cuts the power, and what a killed process wrote stays in the page cache.

It takes effect where this module is imported: in pytest, and in the processes of `tests.stopping`, which preload it.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.MonkeyPatch().setattr(os, "fsync", lambda _: None)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[int | str]:
    """What makes files durable, in order: the inode of what is flushed, and the new name of what is renamed."""
    calls: list[int | str] = []
    replace: Callable[..., None] = os.replace

    def record_then_replace(source: Any, target: Any) -> None:
        calls.append(Path(target).name)
        replace(source, target)

    monkeypatch.setattr(os, "fsync", lambda descriptor: calls.append(os.fstat(descriptor).st_ino))
    monkeypatch.setattr(os, "replace", record_then_replace)
    return calls
