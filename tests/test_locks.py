"""Locks of files: one holder at a time, also where the file is removed, and a wait that can be stopped."""

import fcntl
from pathlib import Path

import pytest

from thumbnet import files
from thumbnet.errors import StorageError


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who held the lock removes its file, and ends, after another one has opened the file and before it locks it."""
    file, seized = tmp_path / ".lock", fcntl.flock
    waited: list[str] = []

    def remove_first(descriptor: int, operation: int) -> None:
        if not waited:
            file.unlink(missing_ok=True)
        seized(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    in_use = StorageError("in use")
    with files.locked(file, lambda: waited.append("waited")):
        assert waited == ["waited"]
        with pytest.raises(StorageError, match="in use"), files.locked(file, in_use):
            pass
    with files.locked(file, in_use):
        assert file.exists()
    assert file.exists()


def test_who_waits_for_a_lock_may_stop(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with (
        files.locked(tmp_path / ".lock", StorageError("in use")),
        pytest.raises(KeyboardInterrupt),
        files.locked(tmp_path / ".lock", stop),
    ):
        pass
