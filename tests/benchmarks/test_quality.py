"""What is measured of wrong labels and duplicates is what the product finds, also in small data."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import quality
from benchmarks.flips import flip_labels
from scipy.special import softmax
from sklearn.metrics import precision_score, recall_score

from thumbnet import analysis
from thumbnet.analysis import CrossFit
from thumbnet.packed import PackedDataset
from thumbnet.quality.confident import suspects
from thumbnet.run import RunDirectory
from thumbnet.watch import silent

CPU = torch.device("cpu")
QUICK = CrossFit(folds=3, steps=60, batch_size=32, lr=0.05)


def test_flipped_training_labels_are_searched_by_heads_that_are_fitted_to_them(
    run: RunDirectory, dataset: PackedDataset, tmp_path: Path
) -> None:
    predictions = run.predictions("val")
    rows, labels = quality.train_features(run, dataset, CPU, tmp_path)
    np.testing.assert_array_equal(labels, dataset.split("train").labels)
    assert rows.shape[0] == len(labels)
    found = quality.measure_train_flips(predictions, (rows, labels), QUICK, seed=3)
    shares = ("0.02", "0.05", "0.1")
    assert list(found) == [f"{share} to {kind}" for kind in ("any class", "similar classes") for share in shares]
    weights = np.ones((6, 6))
    flipped = flip_labels(labels, 0.1, np.random.default_rng(3), weights)
    assert (flipped != labels).sum() == round(0.1 * len(labels))
    logits = analysis.crossfit.cross_fitted_logits(
        rows, torch.from_numpy(flipped), 6, QUICK, seed=3, device=CPU, watch=silent
    )
    mask = suspects(softmax(logits.numpy().astype(np.float64), axis=1), flipped).mask()
    one = found["0.1 to any class"]
    assert one["suspects"] == mask.sum() > 0
    assert one["precision"] == pytest.approx(precision_score(flipped != labels, mask))
    assert one["recall"] == pytest.approx(recall_score(flipped != labels, mask))
    # The network has learned its training images, so that most of the flips are found.
    assert one["recall"] > 0.5
    assert all(0 <= value <= 1 for figures in found.values() for name, value in figures.items() if name != "suspects")


def test_all_is_measured_on_small_data(
    run: RunDirectory,
    dataset: PackedDataset,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(quality, "measure_train_flips", partial(quality.measure_train_flips, how=QUICK))
    places = [str(run.path), str(dataset.path), "--cache", str(tmp_path), "--threads", "1"]
    monkeypatch.setattr("sys.argv", ["quality", *places])
    quality.main()
    printed = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert {"flipped", "flipped_train", "duplicates", "retouched"} <= set(printed)
