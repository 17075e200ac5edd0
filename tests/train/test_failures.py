"""Runs that cannot go on: one clear line each, nothing half-written, and what was good is kept."""

import resource
import signal
import threading
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers import FLIP, QUIET, assert_same_results, copy_of, iterations_of, mtimes, short_recipe, stored_files
from tests.packing import write_packed
from tests.shapes import make_tiny_imagenet
from tests.stopping import EVERY_STEP, IN_A_CHECKPOINT, go_on_in_a_process, killed_run
from thumbnet import train
from thumbnet.errors import DataError, RecipeError, RunError, StorageError, TrainingError
from thumbnet.files import read_json, write_json
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Checkpointing, Evaluation, Model, Optimizer, Phase, Recipe, epochs, iterations, operation
from thumbnet.run import RunDirectory
from thumbnet.sources.pack import pack
from thumbnet.train.hardware import choose_device, memory_advice, prepare_cpu
from thumbnet.train.loop import save_filters
from thumbnet.train.results import finish
from thumbnet.train.tensorboard import Mirror, open_writer


def diverging(**changes: object) -> Recipe:
    """A phase that trains well, then one whose learning rate destroys the weights at its first step."""
    destroyed = Phase(iterations(4), optimizer=Optimizer("sgd", lr=1e30), carry_optimizer=False)
    return short_recipe(phases=(Phase(epochs(1)), destroyed), **changes)


def test_a_loss_that_is_not_finite_stops_with_advice(out: Path, shapes: PackedDataset) -> None:
    advice = (
        r"the loss is (nan|inf) at iteration \d .*; the last good checkpoint is kept; lower optimizer.lr, set clip"
    )
    with pytest.raises(TrainingError, match=advice) as caught:
        train.start(diverging(), shapes, out, QUIET)
    assert "\n" not in str(caught.value)
    run = RunDirectory.open(out)
    assert run.status()["state"] == "failed"
    assert run.status()["message"] == str(caught.value)
    state = torch.load(run.state_path, weights_only=True)
    assert state["step"] == 4
    assert all(tensor.isfinite().all() for tensor in state["model"].values())
    assert [row["step"] for row in iterations_of(run)][:4] == [1, 2, 3, 4]
    assert all(row["loss"] is not None for row in iterations_of(run))


def test_a_failed_run_that_goes_on_is_running(
    out: Path, shapes: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TrainingError, match="the loss is"):
        train.start(diverging(), shapes, out, QUIET)
    run = RunDirectory.open(out)
    seen = []

    def look_then_open(*arguments: Any) -> AbstractContextManager[Mirror]:
        seen.append(run.status())
        return open_writer(*arguments)

    monkeypatch.setattr("thumbnet.train.session.open_writer", look_then_open)
    with pytest.raises(TrainingError, match="the loss is"):
        train.resume(run, shapes, QUIET)
    assert [(status["state"], status["step"], status["message"]) for status in seen] == [("running", 4, "")]
    assert run.status()["state"] == "failed"


def test_weights_that_are_not_finite_are_never_saved(out: Path, shapes: PackedDataset) -> None:
    with pytest.raises(TrainingError, match="the last good checkpoint is kept"):
        train.start(diverging(), shapes, out, EVERY_STEP)
    state = torch.load(RunDirectory.open(out).state_path, weights_only=True)
    assert all(tensor.isfinite().all() for tensor in state["model"].values())


def test_outputs_that_are_not_finite_stop_with_advice(out: Path, shapes: PackedDataset) -> None:
    recipe = short_recipe(
        optimizer=Optimizer("sgd", lr=1e38), evaluation=Evaluation(every=iterations(1), splits=("val",))
    )
    with pytest.raises(TrainingError, match=r"outputs for \w+ are not finite after iteration 1; .*lower optimizer.lr"):
        train.start(recipe, shapes, out, QUIET)
    assert RunDirectory.open(out).status()["state"] == "failed"


def test_ctrl_c_ends_cleanly_and_the_run_goes_on(out: Path, shapes: PackedDataset) -> None:
    reference = train.start(short_recipe(), shapes, out.with_name("reference"), QUIET)
    status = go_on_in_a_process(out, short_recipe(), shapes.path, EVERY_STEP, number=signal.SIGINT, **IN_A_CHECKPOINT)
    assert status == 1
    run = RunDirectory.open(out)
    assert run.status()["state"] == "interrupted"
    assert 0 < run.status()["step"] < 8
    train.resume(run, shapes, QUIET)
    assert_same_results(run, reference)
    assert len(run.sessions()) == 2


def test_interrupted_says_how_to_resume(out: Path, shapes: PackedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt_then_save(*arguments: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        save_filters(*arguments)

    monkeypatch.setattr("thumbnet.train.session.save_filters", interrupt_then_save)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(train.Interrupted, match=rf"go on with: thumbnet resume {out}"):
        train.start(short_recipe(), shapes, out, QUIET)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_insists() -> None:
    with train.stop_on_signals() as request:
        request.heed("not asked yet")
        signal.raise_signal(signal.SIGINT)
        assert request.requested
        with pytest.raises(train.Interrupted, match="asked"):
            request.heed("asked")
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_a_request_to_an_inner_block_stays_with_the_outer_one() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with train.stop_on_signals() as outer:
        with train.stop_on_signals() as inner:
            pass
        assert not outer.requested
        with train.stop_on_signals() as inner:
            signal.raise_signal(signal.SIGTERM)
        assert inner is outer
        assert outer.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    with train.stop_on_signals() as another:
        assert not another.requested


def test_ctrl_c_after_the_last_step_ends_a_complete_run_and_is_told(
    out: Path, shapes: PackedDataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt_then_finish(*arguments: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        finish(*arguments)

    monkeypatch.setattr("thumbnet.train.session.finish", interrupt_then_finish)
    with train.stop_on_signals() as request:
        run = train.start(short_recipe(), shapes, out, replace(QUIET, quiet=False))
        assert request.requested
    assert run.is_complete
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == f"note: asked to stop after the last iteration; {out} is complete"


def test_training_works_in_a_thread(out: Path, shapes: PackedDataset) -> None:
    runs: list[RunDirectory] = []
    thread = threading.Thread(target=lambda: runs.append(train.start(short_recipe(), shapes, out, QUIET)))
    thread.start()
    thread.join()
    assert runs[0].is_complete


@pytest.fixture(scope="module")
def killed(shapes: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run that was killed after a few of its steps; shared, so it must not be changed."""
    return killed_run(tmp_path_factory.mktemp("killed"), short_recipe(), shapes.path, EVERY_STEP)


@pytest.fixture
def unfinished(killed: RunDirectory, out: Path) -> RunDirectory:
    """A killed run at `out`."""
    return copy_of(killed, out)


def test_other_data_is_refused(unfinished: RunDirectory, shapes: PackedDataset, tmp_path: Path) -> None:
    run = unfinished
    same_classes = make_tiny_imagenet(tmp_path / "source", classes=4, train=16, val=5, test=2, size=32, seed=1)
    other = pack(same_classes, tmp_path / "other", size=32)
    with pytest.raises(DataError, match=r"other: other data than the run's \(its fingerprint differs\).*--data"):
        train.resume(run, other, QUIET)
    assert len(run.sessions()) == 1
    assert train.load_run_data(run, None).fingerprint == shapes.fingerprint
    assert train.load_own_data(run, None).fingerprint == shapes.fingerprint
    assert train.load_run_data(run, tmp_path / "other").fingerprint == other.fingerprint
    with pytest.raises(DataError, match=r"other: other data than the run's \(its fingerprint differs\).*--data"):
        train.load_own_data(run, tmp_path / "other")
    fewer = pack(make_tiny_imagenet(tmp_path / "few", classes=3, size=32), tmp_path / "fewer", size=32)
    with pytest.raises(DataError, match=r"its 3 classes are not the run's 4; give data of the same classes"):
        train.load_run_data(run, fewer.path)


def test_an_existing_run_directory_is_refused(shapes: PackedDataset, short_run: RunDirectory) -> None:
    before = stored_files(short_run)
    with pytest.raises(StorageError, match="exists already and is never overwritten"):
        train.start(short_recipe(), shapes, short_run.path, QUIET)
    assert stored_files(short_run) == before


def test_two_processes_do_not_train_in_one_run(unfinished: RunDirectory, out: Path, shapes: PackedDataset) -> None:
    with unfinished.lock():
        assert go_on_in_a_process(out, short_recipe(), shapes.path) == 1
    assert len(unfinished.sessions()) == 1
    assert unfinished.status()["state"] == "running"
    assert go_on_in_a_process(out, short_recipe(), shapes.path) == 0


def test_another_environment_is_recorded_and_warned_of(
    unfinished: RunDirectory, shapes: PackedDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    run, path = unfinished, unfinished.path / "environment.json"
    written = read_json(path)
    written["sessions"][0]["versions"]["numpy"] = "1.0"
    write_json(path, written)
    train.resume(run, shapes, replace(QUIET, quiet=False))
    line = f"versions.numpy: 1.0 before, {np.__version__} now"
    assert run.sessions()[1]["differences"] == [line]
    assert f"note: the environment differs from the run's first: {line}" in capsys.readouterr().err


def test_a_resumed_run_keeps_its_threads(unfinished: RunDirectory, shapes: PackedDataset) -> None:
    train.resume(unfinished, shapes, replace(QUIET, threads=None))
    assert [session["threads"] for session in unfinished.sessions()] == [1, 1]


def test_a_disk_that_fills_while_saving_keeps_the_old_checkpoint(out: Path, shapes: PackedDataset) -> None:
    recipe = short_recipe(model=Model("small", {"width": 64}))
    assert go_on_in_a_process(out, recipe, shapes.path, EVERY_STEP, **IN_A_CHECKPOINT) == -signal.SIGKILL
    run = RunDirectory.open(out)
    before = run.state_path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores the signal of this limit, so a write beyond it fails as one on a full disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(StorageError, match=r"state.pt") as caught:
            train.resume(run, shapes, EVERY_STEP)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert run.state_path.read_bytes() == before
    assert list(run.path.rglob("*.tmp")) == []
    reference = train.start(recipe, shapes, out.with_name("reference"), QUIET)
    assert_same_results(train.resume(run, shapes, QUIET), reference)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_is_one_line(
    unfinished: RunDirectory, shapes: PackedDataset, content: bytes | None
) -> None:
    whole = unfinished.state_path.read_bytes()
    unfinished.state_path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(RunError, match=r"state.pt: the checkpoint is damaged \(.*\); train again") as caught:
        train.resume(unfinished, shapes, QUIET)
    assert "\n" not in str(caught.value)


WRONG = [
    ({"model": Model("resnet81")}, "model 'resnet81' is unknown"),
    ({"optimizer": Optimizer("sdg", 0.1)}, "optimizer 'sdg' is unknown; did you mean sgd"),
    ({"phases": (Phase(epochs(1), ((operation("flop"),),)),)}, "operation 'flop' is unknown"),
    ({"phases": (Phase(epochs(1)), Phase(epochs(1), ((operation("random_crop", size=60),),)))}, "60"),
    (
        {"phases": (Phase(epochs(1)), Phase(epochs(1), (FLIP, (operation("random_crop", size=24),))))},
        r"phases.1.policies.1: gives images of 24 pixels, while the data has 32 .* set phases.1.image_size=24, or 32",
    ),
    ({"phases": (Phase(epochs(1)), Phase(epochs(1), trainable=("fc.*",)))}, r"'fc.\*' matches no parameter"),
    ({"phases": (Phase(epochs(1)), Phase(iterations(1), optimizer=Optimizer("adan", 0.1)))}, "'adan' is unknown"),
    ({"evaluation": Evaluation(policy=(operation("horizontal_flip"),))}, "'horizontal_flip' is random"),
    (
        {"model": Model("m1"), "evaluation": Evaluation(image_size=48)},
        r"m1: cannot take images of 48 pixels \(.*\); set evaluation.image_size",
    ),
    (
        {"model": Model("m1"), "phases": (Phase(epochs(1)), Phase(epochs(1), image_size=16))},
        r"m1: cannot take images of 16 pixels \(.*\); set phases.1.image_size",
    ),
    ({"phases": (Phase(epochs(0.1)),)}, "phases.0.length: 0.1 epochs comes to no iteration"),
    (
        {"phases": (Phase(epochs(1.5)), Phase(epochs(1))), "checkpointing": Checkpointing(keep=(3, 4, 9))},
        "checkpointing.keep: there is no epoch 4, for the last is 3; name epochs of 1 to 3",
    ),
    (
        {"model": Model("timm/test_resnet"), "train_count": 33, "phases": (Phase(iterations(2)), Phase(epochs(1)))},
        r"phases.1: a batch has one image, on which model .* \(Expected more .*\); choose another batch_size",
    ),
    (
        {"model": Model("timm/test_resnet"), "batch_size": 1, "phases": (Phase(iterations(2)),)},
        r"phases.0: a batch has one image",
    ),
]


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_does_not_fit_is_refused_before_anything_is_written(
    out: Path, shapes: PackedDataset, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        train.start(short_recipe(**changes), shapes, out, QUIET)
    assert "\n" not in str(caught.value)
    assert list(out.parent.iterdir()) == []


TRAINED = [
    {"phases": (Phase(iterations(2)),)},
    {"phases": (Phase(epochs(1), trainable="head"),)},
    {"phases": (Phase(epochs(1), trainable="head", cached_features=1),)},
    {"phases": (Phase(epochs(1), image_size=64),)},
    {"phases": (Phase(epochs(1), ((), ())),)},
    {"model": Model("small", {"width": 4})},
]


@pytest.mark.parametrize("changes", TRAINED)
def test_a_last_batch_of_one_image_is_trained_on_where_that_can_be(
    out: Path, shapes: PackedDataset, changes: dict[str, Any]
) -> None:
    """It does not come up, or the batch norms are frozen, or have more than one value a channel."""
    recipe = short_recipe(**{"model": Model("timm/test_resnet"), "train_count": 33, **changes})
    assert train.start(recipe, shapes, out, QUIET).is_complete


def test_a_policy_may_change_the_size_where_the_phase_states_one(out: Path, shapes: PackedDataset) -> None:
    phase = Phase(iterations(2), ((operation("random_crop", size=24),),), image_size=32)
    assert train.start(short_recipe(phases=(phase,)), shapes, out, QUIET).is_complete


def without(split: str, data: PackedDataset, folder: Path) -> PackedDataset:
    """Return `data` in `folder` without one of its splits."""
    names = [name for name in data.split_names if name != split]
    kept = {name: data.split(name) for name in names}
    splits = {name: (one.images, one.labels, None) for name, one in kept.items()}
    return write_packed(folder / "packed", data.classes, splits)


def test_a_split_that_the_data_lacks_is_not_predicted(out: Path, shapes: PackedDataset, tmp_path: Path) -> None:
    run = train.start(short_recipe(), without("test", shapes, tmp_path), out, QUIET)
    assert sorted(path.name for path in (run.path / "predictions").iterdir()) == ["holdout.npz", "val.npz"]


@pytest.mark.parametrize(
    ("split", "changes", "error", "message"),
    [
        ("val", {"selected_on": "val"}, RecipeError, "selected_on: the data has no split 'val'; use 'holdout' or "),
        ("train", {}, DataError, "packed: the data has no split to train on; pack data that has one"),
    ],
)
def test_a_split_that_the_data_lacks_neither_selects_nor_trains(
    shapes: PackedDataset, tmp_path: Path, split: str, changes: dict[str, object], *, error: type, message: str
) -> None:
    dataset, before = without(split, shapes, tmp_path), mtimes(tmp_path)
    with pytest.raises(error, match=message):
        train.start(short_recipe(**changes), dataset, tmp_path / "run", QUIET)
    assert mtimes(tmp_path) == before


def test_memory_that_runs_out_becomes_advice() -> None:
    with (
        pytest.raises(TrainingError, match=r"memory ran out at batch size 64; try --set batch_size=32"),
        memory_advice(64),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
    with pytest.raises(TrainingError, match="memory ran out"), memory_advice(64):
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="something else"), memory_advice(64):
        raise RuntimeError("something else")


def test_a_device_that_is_not_there_is_refused() -> None:
    for name in ("cudda", "meta"):
        with pytest.raises(TrainingError, match=rf"device '{name}' cannot be used here .*use --device cpu or auto"):
            choose_device(name)
    with pytest.raises(TrainingError, match="threads: 0 is not a positive number"):
        prepare_cpu(0)
