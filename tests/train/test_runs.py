"""What a run stores, each figure computed again by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.helpers import QUIET, evaluations_of, iterations_of, short_recipe, stored_files
from tests.train.helpers import trainer_of
from thumbnet import metrics, train
from thumbnet.augment import normalize
from thumbnet.data import training_subsets
from thumbnet.models import build_model
from thumbnet.packed import PackedDataset, subset_indices
from thumbnet.predictions import Predictions
from thumbnet.recipe import Checkpointing, Evaluation, Model, Normalization, Optimizer, Phase, epochs, iterations
from thumbnet.run import RunDirectory

CPU = torch.device("cpu")


def logits_of(run: RunDirectory, tag: str, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> torch.Tensor:
    """Return the logits of stored weights for packed images, without any of thumbnet's own evaluation."""
    recipe = run.recipe()
    network = build_model(recipe.model, len(run.data()["classes"]), run.data()["image_size"])
    network.load_state_dict(torch.load(run.weights_path(tag), weights_only=True))
    images = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()).float() / 255
    with torch.no_grad():
        logits: torch.Tensor = network.eval()(normalize(images, recipe.normalization.mean, recipe.normalization.std))
    return logits


def test_the_files_of_a_run(short_run: RunDirectory) -> None:
    assert stored_files(short_run) == [
        ".lock",
        "checkpoints/best.pt",
        "checkpoints/epoch-0001.pt",
        "checkpoints/first.pt",
        "checkpoints/last.pt",
        "data.json",
        "environment.json",
        "filters/epoch-0001.npy",
        "filters/initial.npy",
        "filters/last.npy",
        "metrics.jsonl",
        "predictions/holdout.npz",
        "predictions/test.npz",
        "predictions/val.npz",
        "recipe.json",
        "result.json",
        "status.json",
    ]
    assert short_run.status()["state"] == "complete"


def test_every_step_has_its_loss_and_learning_rate(short_run: RunDirectory) -> None:
    rows = iterations_of(short_run)
    assert [row["step"] for row in rows] == list(range(1, 9))
    assert [row["epoch"] for row in rows] == [step / 4 for step in range(1, 9)]
    assert {row["lr"] for row in rows} == {0.05}
    assert all(row["loss"] > 0 for row in rows)
    assert [row["step"] for row in evaluations_of(short_run)] == [4, 8]


def test_every_step_has_its_phase(shapes: PackedDataset, out: Path) -> None:
    phases = (Phase(iterations(3)), Phase(epochs(1)), Phase(iterations(2)))
    rows = iterations_of(train.start(short_recipe(phases=phases), shapes, out, QUIET))
    assert [row["phase"] for row in rows] == [1] * 3 + [2] * 4 + [3] * 2


def test_losses_and_running_figures_are_those_of_the_steps(shapes: PackedDataset, short_run: RunDirectory) -> None:
    recipe = short_run.recipe()
    trainer = trainer_of(recipe, shapes)
    losses, hits, counts = [], [], []
    for step in range(4):
        trainer.enter(step)
        images, labels = trainer.batch(step)
        logits = trainer.state.model(images)
        loss = functional.cross_entropy(logits, labels)
        trainer.update(loss)
        losses.append(float(loss.detach()))
        hits.append(int((logits.argmax(-1) == labels).sum()))
        counts.append(len(labels))
    assert counts == [16, 16, 16, 8]
    assert [row["loss"] for row in iterations_of(short_run)[:4]] == pytest.approx(losses, rel=1e-4)
    row = evaluations_of(short_run)[0]
    assert row["running_train_top1"] == pytest.approx(sum(hits) / 56)
    expected = sum(loss * count for loss, count in zip(losses, counts, strict=True)) / 56
    assert row["running_train_loss"] == pytest.approx(expected, rel=1e-4)


def test_evaluations_are_those_of_the_stored_weights(shapes: PackedDataset, short_run: RunDirectory) -> None:
    train_split, val = shapes.split("train"), shapes.split("val")
    first, last = evaluations_of(short_run)
    for row, tag in ((first, "epoch-0001"), (last, "last")):
        holdout = subset_indices(train_split, "holdout")
        for name, pixels, labels in (
            ("val", val.images, val.labels),
            ("holdout", train_split.images[holdout], train_split.labels[holdout]),
        ):
            logits = logits_of(short_run, tag, pixels)
            truth = torch.from_numpy(np.asarray(labels))
            assert row[f"{name}_top1"] == pytest.approx(float((logits.argmax(-1) == truth).double().mean()))
            assert row[f"{name}_loss"] == pytest.approx(float(functional.cross_entropy(logits, truth)), rel=1e-4)
            assert row[f"{name}_top5"] == 1.0  # of four classes


def test_eval_mode_training_accuracy_is_that_of_training_images(
    shapes: PackedDataset, short_run: RunDirectory
) -> None:
    probe = training_subsets(shapes, CPU, short_run.recipe())["train_eval"]
    assert set(probe.positions.tolist()) <= set(subset_indices(shapes.split("train"), "fit").tolist())
    logits = logits_of(short_run, "last", shapes.split("train").images[probe.positions.numpy()])
    row = evaluations_of(short_run)[-1]
    assert row["eval_train_top1"] == pytest.approx(float((logits.argmax(-1) == probe.labels).double().mean()))
    assert row["eval_train_loss"] == pytest.approx(float(functional.cross_entropy(logits, probe.labels)), rel=1e-4)


def test_the_best_is_the_best_on_the_split_that_selects(short_run: RunDirectory) -> None:
    rows = evaluations_of(short_run)
    top = max(row["holdout_top1"] for row in rows)
    first_best = next(row for row in rows if row["holdout_top1"] == top)
    best = short_run.result()["best"]
    assert (best["split"], best["top1"], best["step"]) == ("holdout", top, first_best["step"])
    tag = {4: "epoch-0001", 8: "last"}[best["step"]]
    expected = torch.load(short_run.weights_path(tag), weights_only=True)
    found = torch.load(short_run.weights_path("best"), weights_only=True)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_predictions_reproduce_the_recorded_accuracy(shapes: PackedDataset, short_run: RunDirectory) -> None:
    scores = short_run.result()["scores"]
    last = evaluations_of(short_run)[-1]
    for split in ("holdout", "val", "test"):
        predictions = Predictions.load(short_run.predictions_path(split))
        assert predictions.classes == tuple(info.id for info in shapes.classes)
        if split == "test":
            assert set(predictions.labels.tolist()) == {-1}
            assert predictions.image_ids == shapes.split("test").image_ids
            continue
        found = metrics.score(predictions.logits, predictions.labels)
        assert found.top1 == scores[split]["top1"] == last[f"{split}_top1"]
        assert found.nll == pytest.approx(last[f"{split}_loss"])
    assert set(scores) == {"holdout", "val"}
    val = Predictions.load(short_run.predictions_path("val"))
    np.testing.assert_allclose(
        val.logits, logits_of(short_run, "last", shapes.split("val").images), rtol=1e-3, atol=1e-4
    )


def test_filters_are_the_first_layers(short_run: RunDirectory) -> None:
    for filters, weights in (("initial", "first"), ("epoch-0001", "epoch-0001"), ("last", "last")):
        stored = torch.load(short_run.weights_path(weights), weights_only=True)["0.weight"]
        found = np.load(short_run.filters_path(filters))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, stored.numpy())


def test_epochs_are_kept_though_they_are_not_evaluated(shapes: PackedDataset, out: Path) -> None:
    recipe = short_recipe(
        phases=(Phase(epochs(3)),),
        evaluation=Evaluation(every=epochs(3), splits=("val",), train_images=0),
        checkpointing=Checkpointing(keep=(2,), filters=(1, 3, 9)),
    )
    run = train.start(recipe, shapes, out, QUIET)
    assert run.weights_tags() == ["first", "epoch-0002", "last"]
    assert sorted(path.name for path in (run.path / "filters").iterdir()) == [
        "epoch-0001.npy",
        "epoch-0003.npy",
        "initial.npy",
        "last.npy",
    ]
    assert [row["step"] for row in evaluations_of(run)] == [12]
    assert "eval_train_top1" not in evaluations_of(run)[0]


def test_a_quick_look_says_which_epochs_it_does_not_keep(
    shapes: PackedDataset, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = short_recipe(
        phases=(Phase(epochs(1.5)), Phase(epochs(2))),
        evaluation=Evaluation(splits=("val",), train_images=0),
        checkpointing=Checkpointing(keep=(1, 2, 3, 4), filters=()),
        fraction=0.5,
    )
    note = "note: checkpointing.keep: 0.5 of the full length ends with epoch 2, so these are not kept: 3, 4"
    run = train.start(recipe, shapes, out, replace(QUIET, quiet=False))
    assert run.weights_tags() == ["first", "epoch-0001", "epoch-0002", "last"]
    assert note in capsys.readouterr().err
    train.start(replace(recipe, fraction=1.0), shapes, out.with_name("whole"), replace(QUIET, quiet=False))
    assert "checkpointing.keep" not in capsys.readouterr().err


def test_the_result_says_what_was_done(short_run: RunDirectory) -> None:
    result = short_run.result()
    assert (result["steps"], result["epochs"], result["images_seen"]) == (8, 2, 112)
    assert result["images_per_second"] == pytest.approx(112 / result["train_seconds"])
    assert 0 < result["train_seconds"] <= result["total_seconds"]
    convolutions = 3 * 4 * 9 + 4 * 8 * 9 + 8 * 16 * 9
    assert result["parameters"] == convolutions + 2 * (4 + 8 + 16) + 16 * 4 + 4
    assert result["peak_memory_bytes"] > 10**8


def test_the_run_says_where_it_comes_from(shapes: PackedDataset, short_run: RunDirectory) -> None:
    assert short_run.data()["fingerprint"] == shapes.fingerprint
    assert short_run.recipe().normalization == Normalization()
    (session,) = short_run.sessions()
    assert session["command"] == "a test"
    assert session["threads"] == 1
    assert session["device"]["type"] == "cpu"


def test_a_small_network_learns_its_images_by_heart(shapes: PackedDataset, out: Path) -> None:
    recipe = short_recipe(
        model=Model("small", {"width": 16}),
        optimizer=Optimizer("adamw", lr=0.01),
        phases=(Phase(epochs(25)),),
        evaluation=Evaluation(every=epochs(25), splits=("val",), train_images=1000),
        checkpointing=Checkpointing(filters=()),
        train_on="all",
    )
    run = train.start(recipe, shapes, out, QUIET)
    assert evaluations_of(run)[-1]["eval_train_top1"] == 1.0
    losses = [row["loss"] for row in iterations_of(run)]
    assert losses[0] > 1.0
    assert losses[-1] < 0.1


def test_a_run_of_a_few_iterations(shapes: PackedDataset, out: Path) -> None:
    run = train.start(short_recipe(phases=(Phase(iterations(1)),)), shapes, out, QUIET)
    assert [row["kind"] for row in run.metrics.read()] == ["iteration", "evaluation"]
    assert run.result()["epochs"] == 0.25
