"""Filters that training recorded, and how far they went."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.helpers import copy_of
from thumbnet.analyses import filter_change, recorded_filters
from thumbnet.errors import RunError
from thumbnet.run import RunDirectory


def test_recorded_in_order(short_run: RunDirectory) -> None:
    found = recorded_filters(short_run)
    assert list(found) == ["initial", "epoch-0001", "last"]
    weights = torch.load(short_run.weights_path("last"), weights_only=True)
    np.testing.assert_array_equal(found["last"], next(iter(weights.values())).numpy())


def test_change_is_that_of_torch() -> None:
    random = np.random.default_rng(2)
    before, after = random.normal(size=(2, 6, 3, 5, 5)).astype(np.float32)
    found = filter_change(before, after)
    old, new = torch.from_numpy(before).flatten(1).double(), torch.from_numpy(after).flatten(1).double()
    np.testing.assert_allclose(found.distance, functional.pairwise_distance(old, new, eps=0), rtol=1e-6)
    np.testing.assert_allclose(found.cosine, functional.cosine_similarity(old, new), rtol=1e-6)
    np.testing.assert_allclose(found.relative, found.distance / old.norm(dim=1).numpy())
    assert (np.diff(found.distance[found.order]) <= 0).all()


def test_one_filter_moved() -> None:
    before = np.ones((4, 3, 3, 3), np.float32)
    after = before.copy()
    after[2] *= 2
    found = filter_change(before, after)
    assert found.order.tolist() == [2, 0, 1, 3]
    assert found.relative.tolist() == pytest.approx([0, 0, 1, 0])
    assert found.cosine.tolist() == pytest.approx([1, 1, 1, 1])


def test_filters_of_zeros_have_no_angle() -> None:
    zero, one = np.zeros((1, 3, 3, 3), np.float32), np.ones((1, 3, 3, 3), np.float32)
    found = filter_change(zero, one)
    assert np.isnan(found.cosine[0])
    assert np.isinf(found.relative[0])


def stored(save: Callable[..., None] = np.save) -> bytes:
    """Filters of another shape than the run's, as `save` writes them."""
    file = io.BytesIO()
    save(file, np.zeros((1, 3, 3, 3), np.float32))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"no array", stored(), stored().replace(b"}", b" "), stored(np.savez)],
    ids=["no array", "another shape", "an open bracket", "several arrays"],
)
def test_damaged_filters_are_refused(content: bytes, short_run: RunDirectory, tmp_path: Path) -> None:
    run = copy_of(short_run, tmp_path / "run")
    run.filters_path("last").write_bytes(content)
    with pytest.raises(RunError, match=r"last\.npy: these filters are"):
        recorded_filters(run)
