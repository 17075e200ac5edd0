"""Arrays in files: what comes back, and one line for whatever is damaged."""

from pathlib import Path

import numpy as np
import pytest

from thumbnet import arrays


def test_arrays_come_back_and_nothing_else_does(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, one=np.arange(3), two=np.array("text"))
    found = arrays.read_arrays(path)
    assert {name: array.tolist() for name, array in found.items()} == {"one": [0, 1, 2], "two": "text"}
    content = path.read_bytes()
    for damaged in (b"", b"PK", content[:-40], content.replace(content[60:70], b"0123456789")):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"^[^\n]{1,160}$"):
            arrays.read_arrays(path)
    np.savez(path, one=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        arrays.read_arrays(path)
    with path.open("wb") as file:
        np.save(file, np.arange(3))
    with pytest.raises(ValueError, match="a single array"):
        arrays.read_arrays(path)
    with pytest.raises(FileNotFoundError):
        arrays.read_arrays(tmp_path / "none.npz")


def test_an_array_comes_back_and_nothing_else_does(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(3))
    assert arrays.read_array(path).tolist() == [0, 1, 2]
    content = path.read_bytes()
    for damaged in (b"", b"PK\x03\x04", content[:-1], content.replace(b"}", b" ")):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"^[^\n]{1,160}$"):
            arrays.read_array(path)
    np.save(path, np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        arrays.read_array(path)
    with pytest.raises(FileNotFoundError):
        arrays.read_array(tmp_path / "none.npy")
