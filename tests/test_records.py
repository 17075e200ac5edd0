"""Records: what is written comes back, rounded, and what is out of range is refused with its field."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thumbnet import records
from thumbnet.errors import StorageError
from thumbnet.metrics import accuracy_interval
from thumbnet.recipe import Model, Optimizer, Phase, Recipe, epochs, to_json
from thumbnet.records import Measurement, Peak, Plain, Record


def sample() -> Record:
    recipe = Recipe("m1", Model("m1"), Optimizer("adam", 0.00123456789), (Phase(epochs(20)),))
    return Record(
        name="mkrtchyan-m1",
        recipe=to_json(recipe),
        command="thumbnet train mkrtchyan-m1",
        commit=None,
        versions={"torch": "2.11.0", "timm": None},
        device={"type": "cpu", "name": "a processor", "cpus": 2},
        seed=0,
        split="val",
        images=10_000,
        top1=0.295,
        top5=0.55,
        top1_interval=accuracy_interval(2950, 10_000),
        nll=3.123456789,
        ece=0.1,
        views="none",
        pretrained=False,
        selected_on="val",
        fraction=1.0,
        epochs=20.0,
        train_seconds=1234.56789,
        images_per_second=1500.123456,
        peak_memory_bytes=1_234_567_891,
        history=({"epoch": 1, "loss": 1 / 3, "holdout": None},),
        peak=Peak(7.25, 0.3, accuracy_interval(3000, 10_000)),
    )


def measurement() -> Measurement:
    return Measurement("pack", "thumbnet bench", "abc", {"numpy": "2.0"}, {"type": "cpu"}, {"seconds": [1.23456789]})


def damage(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_record_comes_back_rounded(tmp_path: Path) -> None:
    path = records.write(sample(), tmp_path)
    assert path == tmp_path / "mkrtchyan-m1.json"
    loaded = records.load(path)
    assert isinstance(loaded, Record)
    assert loaded.nll == 3.12346
    assert loaded.train_seconds == 1234.57
    assert loaded.peak_memory_bytes == 1_234_567_891
    assert loaded.history == ({"epoch": 1, "loss": 0.333333, "holdout": None},)
    assert loaded.recipe == sample().recipe
    assert loaded.recipe["optimizer"]["lr"] == 0.00123456789
    low, high = accuracy_interval(3000, 10_000)
    assert loaded.peak == Peak(7.25, 0.3, (round(low, 6), round(high, 6)))


def test_a_record_that_is_read_and_written_again_is_the_same_bytes(tmp_path: Path) -> None:
    for record in (sample(), measurement()):
        path = records.write(record, tmp_path)
        before = path.read_bytes()
        records.write(records.load(path), tmp_path, replace=True)
        assert path.read_bytes() == before


def test_a_record_with_views_states_both_figures(tmp_path: Path) -> None:
    record = dataclasses.replace(sample(), views="ten-crop", plain=Plain(0.25, (0.2, 0.3)))
    loaded = records.load(records.write(record, tmp_path))
    assert isinstance(loaded, Record)
    assert (loaded.views, loaded.plain) == ("ten-crop", Plain(0.25, (0.2, 0.3)))
    with pytest.raises(StorageError, match=r"plain\.top1_interval"):
        records.write(dataclasses.replace(record, plain=Plain(0.1, (0.2, 0.3))), tmp_path, replace=True)
    with pytest.raises(StorageError, match=r"plain\.top1: 2 is not a fraction"):
        records.write(dataclasses.replace(record, plain=Plain(2, (0.2, 0.3))), tmp_path, replace=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(
    counts=st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    seconds=st.floats(0, 1e12),
    text=st.text(),
)
def test_any_valid_record_comes_back(tmp_path: Path, counts: tuple[int, int], seconds: float, text: str) -> None:
    top1, interval = counts[0] / counts[1], accuracy_interval(*counts)
    if not text.isascii():
        text = ascii(text)
    record = dataclasses.replace(
        sample(), top1=top1, top1_interval=interval, images=counts[1], train_seconds=seconds, command=text, peak=None
    )
    loaded = records.load(records.write(record, tmp_path, replace=True))
    assert isinstance(loaded, Record)
    assert loaded.command == text
    assert loaded.top1 == pytest.approx(top1, rel=1e-5)
    assert loaded.train_seconds == pytest.approx(seconds, rel=1e-5)


def test_a_record_is_not_replaced_by_accident(tmp_path: Path) -> None:
    path = records.write(sample(), tmp_path)
    before = path.read_bytes()
    changed = dataclasses.replace(sample(), seed=1)
    with pytest.raises(StorageError, match="exists already"):
        records.write(changed, tmp_path)
    assert path.read_bytes() == before
    records.write(changed, tmp_path, replace=True)
    assert path.read_bytes() != before


def test_a_folder_is_read_in_order_of_names(tmp_path: Path) -> None:
    records.write(measurement(), tmp_path)
    records.write(sample(), tmp_path)
    (tmp_path / "notes.txt").touch()
    loaded = records.load_all(tmp_path)
    assert [record.name for record in loaded] == ["mkrtchyan-m1", "pack"]
    assert isinstance(loaded[1], Measurement)
    assert loaded[1].figures == {"seconds": [1.23457]}
    with pytest.raises(StorageError, match="no such folder of records"):
        records.load_all(tmp_path / "none")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("top1", 29.5, r"top1: 29.5 is not a fraction in \[0, 1\]"),
        ("top5", math.nan, "record.top5: nan is not a number"),
        ("top1", "0.3", "record.top1: '0.3' is not a number"),
        ("top1_interval", [0.3, 0.4], "top1_interval: .* does not hold 0.295"),
        ("top1_interval", [0.3], "record.top1_interval: 1 values where 2 are needed"),
        ("images", -1, "images: -1 is not a number of 0 or more"),
        ("images", 1.5, "record.images: 1.5 is not a whole number"),
        ("selected_on", "test", "record.selected_on: 'test' is not one of"),
        ("selected_on", "none", "peak: given, though"),
        ("views", "flip", "plain: belongs to a record with test-time views, and each of those has it"),
        ("plain", {"top1": 0.3, "top1_interval": [0, 1]}, "plain: belongs to a record with test-time views"),
        ("peak", {"epoch": 1, "top1": 2, "top1_interval": [0, 1]}, "peak.top1: 2.0 is not a fraction"),
        ("peak", {"epoch": 1, "top1": 0, "top1_interval": [0.5, 1]}, "peak.top1_interval"),
        ("versions", [], r"record.versions: \[\] is not an object"),
        ("surprise", 1, "unknown key 'surprise'"),
        ("name", "other", "name: 'other' is not the file's name"),
    ],
)
def test_a_damaged_field_is_named(tmp_path: Path, field: str, value: object, message: str) -> None:
    path = records.write(sample(), tmp_path)
    damage(path, **{field: value})
    with pytest.raises(StorageError, match=message) as caught:
        records.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "3", "{}", '{"figures": {}}'])
def test_a_foreign_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(StorageError, match=r"x\.json"):
        records.load_all(tmp_path)


def test_what_is_not_finite_is_not_written(tmp_path: Path) -> None:
    diverged = dataclasses.replace(sample(), history=({"loss": math.nan},))
    with pytest.raises(StorageError, match=r"history\.0\.loss: nan is not finite"):
        records.write(diverged, tmp_path)
    with pytest.raises(StorageError, match="top5: 7 is not a fraction"):
        records.write(dataclasses.replace(sample(), top5=7), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "a b"])
def test_a_name_is_a_plain_file_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError, match="not a plain file name"):
        records.write(dataclasses.replace(measurement(), name=name), tmp_path)


@pytest.mark.parametrize("name", ["figures.txt", "figures", "a b.json", ".json", "folder.json"])
def test_a_measurements_file_is_checked_before_anything_is_measured(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(StorageError, match=r"not the file of a record; give FOLDER/NAME\.json"):
        records.check_place(tmp_path / name)


def test_the_folder_of_records_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "startup.json"
    records.check_place(path)
    about = {"commit": None, "versions": {}, "device": {"type": "cpu"}, "threads": 1}
    records.write_measurement(path, {"seconds": 1.5}, about, "a test")
    found = records.load(path)
    assert isinstance(found, records.Measurement)
    assert found.figures == {"seconds": 1.5}


def test_the_shipped_records_can_all_be_read() -> None:
    records.load_all(records.shipped_folder())


def test_the_shipped_folder_of_an_installed_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "__file__", str(tmp_path / "records.py"))
    monkeypatch.setattr(records, "checkout", lambda: None)
    with pytest.raises(StorageError, match="install thumbnet again"):
        records.shipped_folder()
    (tmp_path / "_records").mkdir()
    assert records.shipped_folder() == tmp_path / "_records"
