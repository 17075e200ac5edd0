"""The folder of an ensemble: written whole, read back, and refused when it is something else."""

from pathlib import Path

import numpy as np
import pytest

from tests.ensemble.made import some
from thumbnet.ensemble import EnsembleFolder, average
from thumbnet.errors import PredictionError, StorageError

ABOUT = {"over": "logits", "members": [], "classes": [{"id": "n0", "name": "zero"}]}


def test_it_comes_back(tmp_path: Path) -> None:
    made = average(some(3), "logits")
    folder = EnsembleFolder.create(tmp_path / "e", ABOUT, {"val": made})
    assert EnsembleFolder.is_at(folder.path)
    again = EnsembleFolder.open(tmp_path / "e")
    assert again.about() == ABOUT
    assert again.splits() == ["val"]
    np.testing.assert_array_equal(again.predictions("val").logits, made.logits)
    (tmp_path / "link").symlink_to(tmp_path / "none")
    for taken in (tmp_path / "e", tmp_path / "link"):
        with pytest.raises(StorageError, match="never overwritten"):
            EnsembleFolder.create(taken, ABOUT, {})


def test_what_is_missing_or_damaged_is_told(tmp_path: Path) -> None:
    with pytest.raises(PredictionError, match="not the folder of an ensemble"):
        EnsembleFolder.open(tmp_path)
    folder = EnsembleFolder.create(tmp_path / "e", ABOUT, {"val": average(some(1))})
    for split in ("test", "../val"):
        with pytest.raises(PredictionError, match=r"no predictions for .*; it has val, the splits that its members"):
            folder.predictions(split)
    (folder.path / "ensemble.json").write_text("{")
    with pytest.raises(PredictionError, match="not valid JSON"):
        folder.about()
    (folder.path / "ensemble.json").write_text("{}")
    with pytest.raises(PredictionError, match="a field is missing"):
        folder.about()


def test_nothing_is_left_of_what_could_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        EnsembleFolder.create(tmp_path / "e", {"over": object()}, {"val": average(some(1))})
    assert list(tmp_path.iterdir()) == []
