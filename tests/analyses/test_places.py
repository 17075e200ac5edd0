"""Analyses in a run: found there, and refused where they are of other weights or data."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks import made_analyses as made

from tests.helpers import copy_of
from thumbnet import analyses
from thumbnet.errors import RunError
from thumbnet.predictions import Predictions
from thumbnet.run import RunDirectory


@pytest.fixture
def run(short_run: RunDirectory, tmp_path: Path) -> RunDirectory:
    """A copy of a run, to store in."""
    return copy_of(short_run, tmp_path / "my run")


def predictions(run: RunDirectory) -> Predictions:
    classes = tuple(info["id"] for info in run.data()["classes"])
    logits = np.random.default_rng(1).normal(size=(3, len(classes))).astype(np.float32)
    return Predictions("train", ("a", "b", "c"), logits, np.array([0, 1, 1]), classes, {"cross_fitted": {}})


def test_all_are_stored_and_found(run: RunDirectory) -> None:
    origin = analyses.current_origin(run)
    assert [analyses.read(run, kind) for kind in analyses.KINDS.values()] == [None] * 5
    assert analyses.read_cross_fitted(run) is None
    for one in made.every_kind(origin):
        analyses.save_analysis(run, one)
    analyses.save_cross_fitted(run, predictions(run), origin)
    for one in made.every_kind(origin):
        found = analyses.read(run, type(one))
        assert found is not None
        assert found.origin == origin
    stored = analyses.read_cross_fitted(run)
    assert stored is not None
    np.testing.assert_array_equal(stored.logits, predictions(run).logits)


def refused(part: str, run: RunDirectory) -> str:
    command = re.escape(f"thumbnet analyze '{run.path}' --only {part} --again")
    return f"'{part}' was made from other weights; make it again with: {command}$"


def test_those_of_other_weights_are_refused(run: RunDirectory) -> None:
    origin = analyses.current_origin(run)
    for one in made.every_kind(origin):
        analyses.save_analysis(run, one)
    analyses.save_cross_fitted(run, predictions(run), origin)
    with run.weights_path("last").open("ab") as file:
        file.write(b"0")
    for part, kind in analyses.KINDS.items():
        with pytest.raises(RunError, match=refused(part, run)):
            analyses.read(run, kind)
    with pytest.raises(RunError, match=refused("crossfit", run)):
        analyses.read_cross_fitted(run)


def test_those_of_other_data_are_refused(run: RunDirectory) -> None:
    other = replace(analyses.current_origin(run), data="0" * 64)
    for one in made.every_kind(other):
        analyses.save_analysis(run, one)
        with pytest.raises(RunError, match="was made from other data"):
            analyses.read(run, type(one))


def test_without_weights_the_data_decides(run: RunDirectory) -> None:
    analyses.save_analysis(run, made.maps(analyses.current_origin(run)))
    run.weights_path("last").unlink()
    assert analyses.read(run, analyses.Maps) is not None


def test_damaged_cross_fitted_predictions_are_refused(run: RunDirectory) -> None:
    analyses.save_cross_fitted(run, predictions(run), analyses.current_origin(run))
    path = run.analysis_path("crossfit")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RunError, match=r"damaged or not ours; .* '.*/my run' --only crossfit --again$"):
        analyses.read_cross_fitted(run)
    predictions(run).save(path)
    with pytest.raises(RunError, match="damaged or not ours"):
        analyses.read_cross_fitted(run)


def test_a_damaged_part_is_made_again_alone(run: RunDirectory) -> None:
    run.make_analysis_folder()
    run.analysis_path("maps").write_bytes(b"PK")
    with pytest.raises(RunError, match=r"is damaged or not ours; .* '.*/my run' --only maps --again$"):
        analyses.read(run, analyses.Maps)


def test_a_part_has_a_plain_name(run: RunDirectory) -> None:
    with pytest.raises(RunError, match="not a plain name"):
        run.analysis_path("../maps")


def test_leftovers_of_a_killed_writer_go(run: RunDirectory) -> None:
    analyses.save_analysis(run, made.maps(analyses.current_origin(run)))
    leftover = run.analysis_path("maps").with_name(".maps.npz.abc.tmp")
    leftover.write_bytes(b"half")
    with run.lock():
        assert not leftover.exists()
    assert analyses.read(run, analyses.Maps) is not None


def test_why_parts_are_impossible_is_kept(run: RunDirectory) -> None:
    origin = analyses.current_origin(run)
    assert analyses.read_impossible(run) == {}
    analyses.save_impossible(run, {}, origin)
    analyses.save_impossible(run, {"maps": "no map", "layers": "no layer"}, origin)
    assert analyses.read_impossible(run) == {"maps": "no map", "layers": "no layer"}
    with run.weights_path("last").open("ab") as file:
        file.write(b"0")
    # What is impossible for other weights may be possible for these.
    assert analyses.read_impossible(run) == {}


@pytest.mark.parametrize("content", ["{", "3", "[1]", '{"maps": "no map"}', '{"maps": {"reason": "none"}}'])
def test_damaged_reasons_are_refused(content: str, run: RunDirectory) -> None:
    run.make_analysis_folder()
    run.impossible_path.write_text(content)
    with pytest.raises(RunError, match=r"impossible\.json: is damaged or not ours; remove it"):
        analyses.read_impossible(run)
