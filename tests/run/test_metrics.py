"""Metrics: every row comes back, or one line says what is damaged."""

import json
import math
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thumbnet.errors import RunError, StorageError
from thumbnet.run import RunDirectory, evaluations, iterations

ROWS = st.lists(
    st.fixed_dictionaries(
        {"step": st.integers(0, 20)}, optional={"loss": st.floats(allow_nan=False, allow_infinity=False)}
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(rows=ROWS, step=st.integers(0, 20), torn=st.sampled_from([b"", b"{", b'{"step": 1}', b"\xff"]))
def test_metrics_come_back_and_are_cut_at_a_step(
    run: RunDirectory, rows: list[dict[str, float]], step: int, torn: bytes
) -> None:
    run.metrics.path.unlink(missing_ok=True)
    run.metrics.append(rows[:3])
    run.metrics.append(rows[3:])
    run.metrics.sync()
    with run.metrics.path.open("ab") as handle:
        handle.write(torn)
    assert run.metrics.read() == rows
    run.metrics.truncate(step)
    kept = [row for row in rows if row["step"] <= step]
    assert run.metrics.read() == kept
    run.metrics.append([{"step": step + 1}])
    assert run.metrics.read() == [*kept, {"step": step + 1}]


def test_metrics_that_are_not_finite_are_null(run: RunDirectory) -> None:
    run.metrics.append([{"step": 1, "loss": math.nan, "lr": math.inf}])
    assert run.metrics.read() == [{"step": 1, "loss": None, "lr": None}]


def test_rows_without_a_step_are_kept(run: RunDirectory) -> None:
    run.metrics.append([{"note": "x"}, {"step": 5}])
    run.metrics.truncate(2)
    assert run.metrics.read() == [{"note": "x"}]


def test_rows_are_told_apart_by_their_kind() -> None:
    rows: list[dict[str, object]] = [{"step": 1}]
    rows += [{"kind": kind, "step": step} for step in (1, 2) for kind in ("iteration", "evaluation")]
    assert (iterations(rows), evaluations(rows)) == ([rows[1], rows[3]], [rows[2], rows[4]])


def test_metrics_that_do_not_exist_can_be_cut(run: RunDirectory) -> None:
    run.metrics.truncate(0)
    assert not run.metrics.path.exists()


@pytest.mark.parametrize("line", ["{", "", "3", '{"step": "x"}', "\0"])
def test_a_damaged_line_is_named(run: RunDirectory, line: str) -> None:
    run.metrics.path.write_text(json.dumps({"step": 1}) + f"\n{line}\n" + json.dumps({"step": 3}) + "\n")
    with pytest.raises(RunError, match=r"metrics.jsonl, line 2: not a row of metrics"):
        run.metrics.read()
    with pytest.raises(RunError, match=r"metrics.jsonl, line 2: not a row of metrics"):
        run.metrics.truncate(1)


def test_a_full_disk_leaves_no_part_of_the_rows(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    run.metrics.append([{"step": 1}])
    before = run.metrics.path.read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, block: write(descriptor, block[:5]))
    with pytest.raises(StorageError, match="disk is full"):
        run.metrics.append([{"step": 2}])
    assert run.metrics.path.read_bytes() == before
