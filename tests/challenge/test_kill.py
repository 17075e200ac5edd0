"""A small run of `python -m benchmarks.challenge`, and how the server ends."""

import signal
from pathlib import Path

import pytest
from benchmarks.challenge import kill, load, race

from tests.challenge.processes import ServerProcess
from tests.challenge.world import World
from thumbnet.challenge.settings import Settings


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_what_was_acknowledged_survives_a_kill(database: str) -> None:
    found = kill.measure(database, 3, seed=5, starting=0, rest=0)
    assert kill.passed(found), found
    assert (found["checks"], found["good_checks"]) == (4, 4)
    assert found["acknowledged"] > 3


def test_a_class_at_a_deadline_loses_nothing() -> None:
    plan = load.Plan(clients=12, readers=20, window=2, poll=0.5)
    found = load.measure("sqlite", plan, seed=1)
    assert load.passed(found), found
    assert found["accepted"] == 12
    assert found["exit_status"] == 0
    assert found["board"]["requests"] >= 60
    assert not load.passed(found | {"doubled": 1})
    assert not load.passed(found | {"accepted": 11})


def test_one_of_the_posts_at_the_same_moment_gets_in() -> None:
    found = race.measure("sqlite", posts=20, rounds=2, seed=1)
    assert race.passed(found), found
    assert found["1 processes"]["statuses"] == {"201": 2, "429": 38}


@pytest.mark.parametrize(("how", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_the_server_ends_as_it_is_told(how: signal.Signals, status: int, tmp_path: Path) -> None:
    World(Settings(folder=tmp_path / "challenge")).challenge.close()
    server = ServerProcess(tmp_path / "challenge")
    server.wait_until_ready()
    assert server.end(how) == status
    assert "Traceback" not in server.printed()
