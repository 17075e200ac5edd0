"""A small run of `python -m benchmarks.challenge`, and when it passes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from benchmarks.challenge import kill, load, race
from benchmarks.challenge.__main__ import main
from benchmarks.challenge.classroom import Classroom, classroom
from benchmarks.challenge.traffic import Answer


@pytest.mark.parametrize(("database", "kills"), [("sqlite", 3), ("postgresql", 1)])
def test_what_was_acknowledged_survives_a_kill(database: str, kills: int) -> None:
    found = kill.measure(database, kills, seed=5, starting=0, rest=0)
    assert kill.passed(found), found
    assert (found["checks"], found["good_checks"]) == (kills + 1, kills + 1)
    assert found["acknowledged"] > 0
    assert not kill.passed(found | {"good_checks": kills})
    assert not kill.passed(found | {"statuses": {"201": 9, "500": 1}})


def test_leftovers_are_a_check_of_their_own() -> None:
    with classroom("sqlite", images=40, classes=4) as made:
        stored = made.challenge.files
        stored.put(hashlib.sha256(b"whole").hexdigest(), b"whole")
        found = kill.Found(checks=1, good=0, problems=["another"])
        kill.check_leftovers(made, found)
        assert (found.checks, found.good, found.problems) == (2, 1, ["another"])
        next(stored.folder.glob("??")).joinpath(".x.abc.tmp").touch()
        kill.check_leftovers(made, found)
        assert (found.checks, found.good) == (3, 1)
        assert found.problems == ["another", "unfinished files: .x.abc.tmp"]


def test_a_class_at_a_deadline_loses_nothing() -> None:
    plan = load.Plan(clients=12, readers=20, window=1, poll=0.5)
    found = load.measure("sqlite", plan, seed=1)
    assert load.passed(found), found
    assert found["accepted"] == 12
    assert found["exit_status"] == 0
    assert found["board"]["requests"] >= plan.readers
    assert not load.passed(found | {"doubled": 1})
    assert not load.passed(found | {"accepted": 11})


def test_a_doubled_submission_does_not_hide_a_lost_one(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = load.Plan(clients=3, readers=1, window=1, poll=1)
    answered = Answer(500, {}, b"", 0.1)
    monkeypatch.setattr(Classroom, "submissions_of_teams", lambda _: [2, 1])
    with classroom("sqlite", images=40, classes=4) as made:
        seen = load.Seen([(made.draw_file(np.random.default_rng(0)), answered)], board=[0.1])
        found = load._figures(made, plan, seen)
    assert (found["lost"], found["doubled"]) == (1, 1)


def test_a_record_that_cannot_be_written_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks.challenge", "race", "--record", str(tmp_path / "x.txt")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"argument --record: {tmp_path / 'x.txt'}: not the file of a record" in capsys.readouterr().err


RACE = {
    "posts": 20,
    "rounds": 2,
    "rounds_with_one_accepted": 2,
    "teams_with_one_submission": 2,
    "statuses": {"201": 2, "429": 38},
    "problems_of_verification": 0,
    "files_without_a_row": 3,
}


def test_a_race_passes_where_one_post_gets_in_and_nothing_is_wrong() -> None:
    found = {"1 processes": RACE, "2 processes": RACE}
    assert race.passed(found)
    one = "one of 20 posts got in, in 2 of 2 rounds"
    assert race.summary("sqlite", found) == f"sqlite: 1 processes: {one}; 2 processes: {one}"
    for wrong in ("rounds_with_one_accepted", "teams_with_one_submission", "problems_of_verification"):
        assert not race.passed(found | {"2 processes": RACE | {wrong: 1}}), wrong
