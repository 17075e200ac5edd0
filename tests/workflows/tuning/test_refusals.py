"""What a search refuses, in one line and before anything is written."""

import contextlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers import QUIET
from tests.workflows.tuning.searches import RATES, rates, search, tiny
from thumbnet import train
from thumbnet.errors import RecipeError, RunError, StorageError, TrainingError
from thumbnet.files import sha256
from thumbnet.packed import PackedDataset
from thumbnet.recipe import Evaluation, start_from
from thumbnet.studies import Search, make_search
from thumbnet.workflows.tuning import searching
from thumbnet.workflows.tuning.searching import run_search

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (make_search(tiny(batch_size=8), RATES, 2), "recipe"),
        (make_search(tiny(), ["optimizer.lr=1e-4..1:log"], 2), "space"),
        (make_search(tiny(batch_size=8), RATES, 2, fraction=0.5), "recipe and fraction"),
    ],
)
def test_a_study_of_something_else_is_refused(
    other: Search, what: str, dataset: PackedDataset, tmp_path: Path
) -> None:
    search(rates(1), dataset, tmp_path, final=False)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RunError, match=f"holds a study called tiny-tune of another {what}; choose another name"):
        search(other, dataset, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_study_of_other_data_is_refused(dataset: PackedDataset, tmp_path: Path) -> None:
    search(rates(1), dataset, tmp_path, final=False)
    with pytest.raises(RunError, match="of another data; choose another name"):
        search(rates(1), replace(dataset, fingerprint="0" * 64), tmp_path)


def test_other_weights_under_the_same_name_are_refused(dataset: PackedDataset, tmp_path: Path) -> None:
    run = train.start(tiny(), dataset, tmp_path / "run", QUIET)
    weights = tmp_path / "weights.pt"
    shutil.copy(run.weights_path("first"), weights)
    recipe = start_from(tiny(), str(weights))
    chosen = make_search(recipe, RATES, 1)
    result = search(chosen, dataset, tmp_path, final=False)
    assert result.search.recipe.model.init is not None
    assert result.search.recipe.model.init.sha256 == sha256(weights)
    assert search(chosen, dataset, tmp_path).trials == result.trials
    shutil.copy(run.weights_path("last"), weights)
    with pytest.raises(RunError, match="of another recipe"):
        search(chosen, dataset, tmp_path)


def test_weights_that_saw_the_holdout_are_refused_by_their_file_too(dataset: PackedDataset, tmp_path: Path) -> None:
    seen = train.start(
        tiny(train_on="all", evaluation=Evaluation(splits=("val",), train_images=0)), dataset, tmp_path / "seen", QUIET
    )
    for path in (seen.path, seen.weights_path("last")):
        chosen = make_search(start_from(tiny(), str(path)), RATES, 1)
        with pytest.raises(RecipeError, match="was trained on the holdout"):
            search(chosen, dataset, tmp_path / "searches")
        assert not (tmp_path / "searches").exists()


def test_a_folder_of_something_else_is_refused(dataset: PackedDataset, tmp_path: Path) -> None:
    train.start(tiny(), dataset, tmp_path / "taken", QUIET)
    with pytest.raises(RunError, match="taken: holds a run or a study, not a search"):
        search(rates(1, name="taken"), dataset, tmp_path)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optimizer.name=adamw,adma", "search tiny-tune: optimizer 'adma' is unknown"),
        ("model.options.width=4,wide", "search tiny-tune: model small.width: 'wide'"),
        ("phases.0.image_size=8..2000:int", "image_size: 2000 is not in 8 to 1024"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    setting: str, message: str, dataset: PackedDataset, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError) as caught:
        search(make_search(tiny(), [setting], 3), dataset, tmp_path)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_device_that_is_not_there_is_refused_first(dataset: PackedDataset, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="device 'cuda:99' cannot be used here"):
        run_search(rates(1), dataset, tmp_path, train.Options(device="cuda:99"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("shared.db", "--storage shared.db: not the URL of a database; write sqlite:///FILE"),
        (
            "postgresql+psycopg://user:secret@host:PORT/x",
            "--storage postgresql+psycopg://user:***@host:PORT/x: not the",
        ),
        ("postgresql+psycopg//user:secret@host/x", "--storage postgresql+psycopg//user:***@host/x: not the URL"),
        ("nosuch://user:{secret@host/name", "nosuch://user:***@host/name: the study cannot be read or written"),
        ("nosuch://user:secret@host/name", "nosuch://user:***@host/name: the study cannot be read or written"),
        ("sqlite:////no/such/folder/x.db", "sqlite:////no/such/folder/x.db: the study cannot be read or written"),
        ("mysql+nosuch://user:secret@host/name", "mysql+nosuch://user:***@host/name: "),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_line(
    storage: str, message: str, dataset: PackedDataset, tmp_path: Path
) -> None:
    with pytest.raises(StorageError) as caught:
        search(rates(1), dataset, tmp_path, storage=storage)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_driver_that_is_missing_is_named(
    dataset: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(StorageError, match=r"the driver of this database is not installed"):
        search(rates(1), dataset, tmp_path, storage="postgresql+psycopg2://user:secret@localhost/name")


def test_a_study_that_another_process_made_meanwhile_stays(
    dataset: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes find no folder; the other, of another search, is first to make the study there."""
    search(make_search(tiny(batch_size=8), RATES, 1), dataset, tmp_path / "elsewhere", final=False)
    making = searching._made

    @contextlib.contextmanager
    def made(folder: Path) -> Iterator[None]:
        with making(folder):
            shutil.copytree(tmp_path / "elsewhere" / "tiny-tune", folder, dirs_exist_ok=True)
            yield

    monkeypatch.setattr(searching, "_made", made)
    with pytest.raises(RunError, match="recipe"):
        search(rates(1), dataset, tmp_path / "here")
    assert (tmp_path / "here" / "tiny-tune" / "study.db").exists()


def test_a_damaged_study_is_one_line(dataset: PackedDataset, tmp_path: Path) -> None:
    (tmp_path / "tiny-tune").mkdir()
    (tmp_path / "tiny-tune" / "study.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StorageError, match=r"study\.db: the study cannot be read or written \(file is not a database"):
        search(rates(1), dataset, tmp_path)
    assert (tmp_path / "tiny-tune" / "study.db").exists()
