"""Cross-fitted predictions: out of sample, reproducible, and as good as scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from tests.analysis.helpers import CPU
from thumbnet.analysis import CrossFit, Subject, cross_fit, crossfit
from thumbnet.analysis.crossfit import cross_fitted_logits, fit_head, fold_of
from thumbnet.watch import silent

CLASSES = 6

SHORT = CrossFit(steps=30)


def clusters(count: int = 1500, spread: float = 1.6) -> tuple[Tensor, Tensor]:
    """Features of overlapping clusters, one a class, of very different scales."""
    random = np.random.default_rng(0)
    centres, labels = random.normal(size=(CLASSES, 10)), random.integers(0, CLASSES, count)
    rows = (centres[labels] + spread * random.normal(size=(count, 10))) * np.logspace(-3, 3, 10) + 5
    return torch.from_numpy(rows.astype(np.float32)), torch.from_numpy(labels)


def fit(rows: Tensor, labels: Tensor, how: CrossFit = SHORT, seed: int = 1) -> Tensor:
    return cross_fitted_logits(rows, labels, CLASSES, how, seed=seed, device=CPU, watch=silent)


def test_as_good_as_scikit_learn() -> None:
    rows, labels = clusters()
    found = fit(rows, labels, CrossFit())
    scaled = StandardScaler().fit_transform(rows.numpy())
    expected = cross_val_predict(LogisticRegression(max_iter=500), scaled, labels.numpy(), method="predict_log_proba")
    theirs, ours = torch.from_numpy(expected), found.double().log_softmax(1)
    accuracy = [float((one.argmax(1) == labels).float().mean()) for one in (ours, theirs)]
    assert accuracy[1] > 0.4
    assert accuracy[0] == pytest.approx(accuracy[1], abs=0.01)
    loss = [float(-one.gather(1, labels[:, None]).mean()) for one in (ours, theirs)]
    assert loss[0] == pytest.approx(loss[1], abs=0.01)


def test_one_head_is_that_of_scikit_learn() -> None:
    rows, labels = clusters()
    scaled = StandardScaler().fit_transform(rows.numpy()).astype(np.float32)
    weight, bias = fit_head(torch.from_numpy(scaled), labels, CLASSES, CrossFit(penalty=20.0), 1)
    oracle = LogisticRegression(C=1 / 20, max_iter=1000, tol=1e-8).fit(scaled, labels.numpy())
    expected = torch.from_numpy(oracle.predict_log_proba(scaled))
    found = (torch.from_numpy(scaled) @ weight.T + bias).double().log_softmax(1)
    assert float((found - expected).abs().max()) < 0.1
    assert float((found - expected).abs().mean()) < 0.02


def test_no_image_is_judged_by_what_it_taught(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels = clusters(300)
    how = CrossFit(folds=3, steps=12)
    folds = fold_of(labels, 3, 1)
    # The folds follow from the labels; here they stay as they are, so that labels of one of them can change.
    monkeypatch.setattr(crossfit, "fold_of", lambda *_: folds)
    before = fit(rows, labels, how)
    changed = torch.nonzero(folds == 1)[:20, 0]
    rows_other, labels_other = rows.clone(), labels.clone()
    rows_other[changed] += 100
    labels_other[changed] = (labels[changed] + 1) % CLASSES
    untouched = torch.ones(300, dtype=torch.bool)
    untouched[changed] = False
    same = (folds == 1) & untouched
    for after in (fit(rows_other, labels, how), fit(rows, labels_other, how)):
        torch.testing.assert_close(after[same], before[same], rtol=0, atol=0)
        assert not torch.equal(after[folds == 0], before[folds == 0])
    # Their own labels do not show either, where their features stay.
    torch.testing.assert_close(fit(rows, labels_other, how)[changed], before[changed], rtol=0, atol=0)


def test_folds_hold_as_many_of_each_class() -> None:
    labels = torch.randint(0, 7, (997,), generator=torch.Generator().manual_seed(0))
    folds = fold_of(labels, 5, 3)
    sizes = folds.bincount(minlength=5)
    assert int(sizes.max() - sizes.min()) <= 1
    for label in range(7):
        of_class = folds[labels == label].bincount(minlength=5)
        assert int(of_class.max() - of_class.min()) <= 1
    assert not torch.equal(fold_of(labels, 5, 4), folds)


def test_the_same_each_time() -> None:
    rows, labels = clusters(300)
    torch.testing.assert_close(fit(rows, labels), fit(rows, labels), rtol=0, atol=0)
    assert not torch.equal(fit(rows, labels), fit(rows, labels, seed=2))


def test_a_constant_feature_and_a_class_of_one_image() -> None:
    rows, labels = clusters(60)
    rows[:, 0] = 3.0
    labels[labels == 5] = 0
    labels[7] = 5
    assert bool(fit(rows, labels, SHORT).isfinite().all())


def test_predictions_of_a_run(subject: Subject) -> None:
    found = cross_fit(subject, ("a", "b", "c", "d"), CrossFit(folds=4, steps=50))
    assert found.split == "train"
    assert found.image_ids == subject.train.image_ids
    assert found.labels.tolist() == subject.train.labels.tolist()
    assert found.provenance["cross_fitted"]["folds"] == 4
    assert found.scores().images == 64
