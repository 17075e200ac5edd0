"""Saved predictions: what is written comes back, and what is damaged is refused."""

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thumbnet import metrics
from thumbnet.errors import PredictionError, StorageError
from thumbnet.predictions import Predictions

IDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


def sample() -> Predictions:
    logits = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    return Predictions(
        split="val",
        image_ids=tuple(f"val_{i}.JPEG" for i in range(6)),
        logits=logits,
        labels=np.array([0, 1, 2, 0, 1, 2]),
        classes=("n01443537", "n01629819", "n01641577"),
        provenance={"run": "r", "views": ["none"]},
    )


def assert_equal(left: Predictions, right: Predictions) -> None:
    np.testing.assert_array_equal(left.logits, right.logits)
    np.testing.assert_array_equal(left.labels, right.labels)
    assert (left.logits.dtype, left.labels.dtype) == (right.logits.dtype, right.labels.dtype)
    assert (left.split, left.image_ids, left.classes) == (right.split, right.image_ids, right.classes)
    assert left.provenance == right.provenance


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    images=st.lists(IDS, unique=True, max_size=8),
    classes=st.lists(IDS, unique=True, min_size=1, max_size=5),
    split=IDS,
    provenance=st.dictionaries(st.text(), st.integers() | st.text() | st.none(), max_size=3),
)
def test_what_is_saved_comes_back(
    tmp_path: Path, images: list[str], classes: list[str], split: str, provenance: dict[str, object]
) -> None:
    generator = np.random.default_rng(len(images))
    predictions = Predictions(
        split,
        tuple(images),
        generator.normal(size=(len(images), len(classes))).astype(np.float32),
        generator.integers(-1, len(classes), len(images)),
        tuple(classes),
        provenance,
    )
    predictions.save(tmp_path / "p.npz")
    assert_equal(Predictions.load(tmp_path / "p.npz"), predictions)


def test_the_same_predictions_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        sample().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "b"]


def test_views_of_the_logits() -> None:
    predictions = sample()
    np.testing.assert_allclose(predictions.probabilities().sum(axis=1), 1)
    np.testing.assert_array_equal(predictions.predicted(), predictions.logits.argmax(axis=1))
    assert predictions.predicted().dtype == np.int64
    assert predictions.scores() == metrics.score(predictions.logits, predictions.labels)


def test_unknown_labels_cannot_be_scored() -> None:
    unknown = dataclasses.replace(sample(), split="test", labels=np.full(6, -1))
    with pytest.raises(PredictionError, match=r"predictions for 'test': .*unknown"):
        unknown.scores()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"logits": np.zeros((6, 2), dtype=np.float32)}, "logits have the shape"),
        ({"logits": np.zeros((6, 3))}, "logits are float64"),
        ({"labels": np.zeros(5, dtype=np.int64)}, "labels have the shape"),
        ({"labels": np.zeros(6, dtype=np.int32)}, "labels are int32"),
        ({"labels": np.full(6, 3)}, "labels range from 3 to 3"),
        ({"labels": np.full(6, -2)}, "labels range from -2"),
        ({"classes": ("a", "b", "a")}, "classes hold 'a' twice"),
        ({"classes": ("a", "b", "c\0")}, "NUL"),
        ({"image_ids": ("x",) * 6}, "image_ids hold 'x' twice"),
    ],
)
def test_what_does_not_agree_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PredictionError, match=message):
        dataclasses.replace(sample(), **changes)


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(PredictionError, match="no such file"):
        Predictions.load(tmp_path / "none.npz")
    with pytest.raises(PredictionError, match="damaged"):
        Predictions.load(tmp_path)
    for name, content in (("empty", b""), ("text", b"hello"), ("pickle", pickle.dumps([1]))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PredictionError, match="damaged") as caught:
            Predictions.load(tmp_path / name)
        assert "\n" not in str(caught.value)
    np.save(tmp_path / "single.npy", np.zeros(3))
    with pytest.raises(PredictionError, match="a single array"):
        Predictions.load(tmp_path / "single.npy")
    np.savez(tmp_path / "other.npz", logits=np.zeros(3))
    with pytest.raises(PredictionError, match="'split' is missing"):
        Predictions.load(tmp_path / "other.npz")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("image_ids", np.array(["a", "b"], dtype=object), "damaged"),
        ("logits", np.array([None], dtype=object), "damaged"),
        ("image_ids", np.arange(6), "not a list of texts"),
        ("split", np.array(["val"]), "split is not a text"),
        ("provenance", np.array("{"), "not JSON"),
        ("provenance", np.array("[]"), "not an object"),
        ("labels", np.zeros((6, 1), dtype=np.int64), "labels have the shape"),
    ],
)
def test_wrong_contents_name_the_file(tmp_path: Path, key: str, value: np.ndarray, message: str) -> None:
    path = tmp_path / "p.npz"
    sample().save(path)
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, allow_pickle=True, **(arrays | {key: value}))
    with pytest.raises(PredictionError, match=message) as caught:
        Predictions.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_every_truncation_and_flipped_byte_is_refused_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    original = sample()
    original.save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(PredictionError):
            Predictions.load(path)
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            loaded = Predictions.load(path)
        except PredictionError:
            continue
        assert_equal(loaded, original)


def test_saving_to_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file or folder"):
        sample().save(tmp_path / "none" / "p.npz")


def test_unreadable_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    sample().save(tmp_path / "p.npz")
    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(PredictionError, match="permission denied"):
        Predictions.load(tmp_path / "p.npz")
