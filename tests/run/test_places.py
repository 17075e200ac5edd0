"""The names of a run's files, and tags."""

import pytest

from thumbnet.errors import RunError
from thumbnet.run import KeptEpoch, RunDirectory, epoch_tag, is_selected


def test_names_of_files(run: RunDirectory) -> None:
    assert run.metrics.path == run.path / "metrics.jsonl"
    assert run.state_path == run.path / "checkpoints" / "state.pt"
    assert run.weights_path("last") == run.path / "checkpoints" / "last.pt"
    assert run.weights_path(epoch_tag(7)) == run.path / "checkpoints" / "epoch-0007.pt"
    assert run.filters_path("initial") == run.path / "filters" / "initial.npy"
    assert run.filters_path(epoch_tag(12345)) == run.path / "filters" / "epoch-12345.npy"
    assert run.predictions_path("val") == run.path / "predictions" / "val.npz"
    assert run.predictions_path("val", views=True) == run.path / "predictions" / "views.val.npz"
    assert run.tensorboard_path == run.path / "tensorboard"
    for path in (run.state_path, run.filters_path("last"), run.predictions_path("test")):
        assert path.parent.is_dir()


def test_unknown_tags_and_splits_are_refused(run: RunDirectory) -> None:
    with pytest.raises(
        RunError, match=r"tag 'state' .*; use first, last, best, an epoch such as epoch-0007, or a snapshot"
    ):
        run.weights_path("state")
    with pytest.raises(RunError, match="tag 'best' is unknown; use initial, last"):
        run.filters_path("best")
    with pytest.raises(RunError, match=r"split '\.\./x' is not a plain name"):
        run.predictions_path("../x")


def test_tags_of_stored_weights_are_in_order(run: RunDirectory) -> None:
    for tag in ("last", "epoch-0010", "epoch-0002", "epoch-10000", "first"):
        run.weights_path(tag).touch()
    run.state_path.touch()
    assert run.weights_tags() == ["first", "epoch-0002", "epoch-0010", "epoch-10000", "last"]
    assert run.kept_epochs() == [KeptEpoch(2), KeptEpoch(10), KeptEpoch(10000)]
    assert run.predictions_path("val", KeptEpoch(2)) == run.path / "predictions" / "epoch-0002.val.npz"


def test_weights_that_an_evaluation_selected_are_known_by_their_tags() -> None:
    tags = ["first", "epoch-0002", "snapshot-0000012", "best", "last"]
    assert [tag for tag in tags if is_selected(tag)] == ["snapshot-0000012", "best"]
