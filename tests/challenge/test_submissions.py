"""What becomes of a file: scored right, stored first, limited, recognised."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score
from sqlalchemy import func, select

from tests.challenge.world import TRUTH, World, answers, count, known_right
from thumbnet.challenge import board
from thumbnet.challenge.database.schema import scores, submissions, teams
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.state import Challenge, set_phase
from thumbnet.challenge.submissions.intake import submit


def test_the_score_is_the_accuracy(both: World) -> None:
    anna = both.join("anna")
    right = known_right(1, 0.6)
    both.send(anna, answers(right))
    stated = [line.split()[1] for line in answers(right).decode().splitlines()]
    private = both.challenge.labels(1).private
    with both.challenge.database.read() as connection:
        row = connection.execute(select(scores)).one()
        (point,) = board.history(both.challenge, connection, anna.team_id or 0)
    expected = accuracy_score(np.array(TRUTH)[~private], np.array(stated)[~private])
    assert point.public.top1 == pytest.approx(expected)
    assert point.public.images == 20
    assert point.private is None
    hidden = accuracy_score(np.array(TRUTH)[private], np.array(stated)[private], normalize=False)
    assert row.private_correct == hidden


def test_a_second_file_has_to_wait_and_is_told_until_when(both: World) -> None:
    anna = both.join("anna")
    first = both.send(anna, answers(10))
    with pytest.raises(RefusalError, match="may submit again at") as refused:
        both.send(anna, answers(11))
    assert refused.value.code == "cooldown"
    assert refused.value.next_allowed == first.next_allowed
    assert 7190 <= (refused.value.retry_after or 0) <= 7200
    assert count(both) == (1, 1, 1)
    # What was refused left no file.
    assert both.challenge.files.digests() == {hashlib.sha256(answers(10)).hexdigest()}
    both.send(both.join("bert"), answers(12))


def test_the_cooldown_rolls(both: World) -> None:
    anna = both.join("anna")
    first = both.send(anna, answers(1))
    both.pass_time(anna, 7_000_000)
    with pytest.raises(RefusalError) as refused:
        both.send(anna, answers(2))
    assert (refused.value.code, refused.value.next_allowed) == ("cooldown", first.next_allowed - 7_000_000)
    both.pass_time(anna, 200_000)
    second = both.send(anna, answers(2))
    with both.challenge.database.read() as connection:
        times = connection.execute(select(submissions.c.received_at).order_by(submissions.c.id)).scalars().all()
        now = both.challenge.database.now(connection)
    assert times[0] + 7_200_000 == first.next_allowed
    assert times[1] + 7_200_000 == second.next_allowed
    # The database's clock is this machine's, in UTC.
    assert abs(now - time.time() * 1000) < 5000


def test_a_team_shares_one_cooldown(both: World) -> None:
    from thumbnet.challenge.people import teams as team_rules

    anna = both.join("anna")
    code = team_rules.new_code(both.challenge.database, anna.team_id or 0)
    bert = both.join("bert", team_code=code.lower().replace("-", " "))
    assert bert.team_id == anna.team_id
    both.send(anna, answers(10))
    with pytest.raises(RefusalError, match="your team may submit again"):
        both.send(bert, answers(11))


@pytest.mark.parametrize(
    "same",
    [
        lambda content: content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: b"".join(reversed(content.splitlines(keepends=True))),
    ],
)
def test_the_same_answers_are_recognised_and_cost_nothing(same: Callable[[bytes], bytes], world: World) -> None:
    anna = world.join("anna")
    first = world.send(anna, answers(10))
    again = world.send(anna, same(answers(10)))
    assert (again.submission, again.is_new, again.next_allowed) == (first.submission, False, first.next_allowed)
    world.end_cooldown(anna)
    assert not world.send(anna, same(answers(10))).is_new
    # Nothing was counted, so another file may come at once.
    assert world.send(anna, answers(11)).is_new
    # Another team is told nothing of it.
    assert world.send(world.join("bert"), answers(10)).is_new


def test_invalid_files_use_their_own_limit_alone(database: str, tmp_path: Path) -> None:
    settings = Settings(
        folder=tmp_path / "c", sign_up="open", database=database, invalid_limit=3, invalid_window_seconds=600
    )
    strict = World(settings)
    anna = strict.join("anna")
    bad = answers(10).replace(b"test_3.JPEG", b"test_99.JPEG")
    for _ in range(3):
        with pytest.raises(RefusalError, match=r"line 24: image 'test_99\.JPEG' is unknown") as refused:
            strict.send(anna, bad)
        assert (refused.value.code, refused.value.line) == ("invalid_submission", 24)
    for content in (bad, answers(10)):
        with pytest.raises(RefusalError, match="too many invalid files") as refused:
            strict.send(anna, content)
        assert 590 < (refused.value.retry_after or 0) <= 600
    strict.pass_time(anna, 590_000)
    with pytest.raises(RefusalError, match="too many invalid files"):
        strict.send(anna, answers(10))
    strict.pass_time(anna, 10_000)
    assert strict.send(anna, answers(10)).is_new
    assert count(strict) == (1, 1, 1)
    strict.challenge.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\x00" * 1000, "NUL byte"),
        (b"PK\x03\x04" + bytes(range(256)), "not UTF-8"),
        (b"\x1f\x8b\x08\x00" + b"\xff" * 50, "not UTF-8"),
        (b"../../etc/passwd n01\n", "is unknown"),
        (b"=cmd|'/C calc'!A0 n01\n", "line 1: more than two fields"),
        (answers(40) + b"test_0.JPEG n01\n", "stands on line 1 already"),
        (answers(40)[:-1].rsplit(b"\n", 1)[0], "39 lines where 40 are needed"),
        (answers(40).replace(b"n01", b"<b>x</b>"), "class '<b>x</b>' is unknown"),
        (answers(40).decode().encode("utf-16"), "UTF-16"),
        (b"a" * 5_000_000, "more than the limit"),
    ],
)
def test_hostile_files_are_refused_and_leave_nothing(content: bytes, message: str, world: World) -> None:
    anna = world.join("anna")
    with pytest.raises(RefusalError, match=message) as refused:
        world.send(anna, content)
    assert "\n" not in str(refused.value)
    assert count(world) == (0, 0, 0)
    assert not world.challenge.files.folder.exists()
    assert world.send(anna, answers(10)).is_new


def test_a_closed_challenge_takes_nothing(both: World) -> None:
    anna = both.join("anna")
    set_phase(both.challenge, "closed")
    with pytest.raises(RefusalError, match="closed"):
        both.send(anna, answers(10))
    set_phase(both.challenge, "open")
    assert both.send(anna, answers(10)).is_new
    with pytest.raises(RefusalError, match="close it before"):
        set_phase(both.challenge, "revealed")
    set_phase(both.challenge, "closed")
    assert set_phase(both.challenge, "revealed").phase == "revealed"
    with pytest.raises(RefusalError, match="stays as it is"):
        set_phase(both.challenge, "open")


def test_a_lost_answer_is_told_again_after_the_end(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = both.join("anna")
    first = both.send(anna, answers(10))
    for phase in ("closed", "revealed"):
        set_phase(both.challenge, phase)
        # The same answers in another file too.
        for content in (answers(10), answers(10).replace(b"\n", b"\r\n")):
            again = both.send(anna, content)
            assert (again.submission, again.is_new) == (first.submission, False)
        for content in (answers(11), b"nonsense"):
            with pytest.raises(RefusalError, match="closed"):
                both.send(anna, content)
    # A file that is known is not read, and counts nowhere, however often it comes.
    monkeypatch.setattr("thumbnet.challenge.submissions.intake.read_answers", lambda *_: 1 / 0)
    for _ in range(70):
        assert not both.send(anna, answers(10)).is_new


def test_a_team_sends_sixty_files_an_hour(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    anna, bert = both.join("anna"), both.join("bert")
    both.send(anna, answers(1))
    for number in range(59):
        with pytest.raises(RefusalError, match="may submit again"):
            both.send(anna, answers(2, variant=number))
    with monkeypatch.context() as patch:
        # Whatever is refused from here on is refused unread.
        patch.setattr("thumbnet.challenge.submissions.intake.read_answers", lambda *_: 1 / 0)
        with pytest.raises(RefusalError, match="60 files within an hour") as refused:
            both.send(anna, answers(3))
        assert (refused.value.code, refused.value.status) == ("too_many_files", 429)
        assert 3500 < (refused.value.retry_after or 0) <= 3600
    assert both.send(bert, answers(3)).is_new
    later = time.monotonic() + 3601
    monkeypatch.setattr("thumbnet.challenge.people.limits.time.monotonic", lambda: later)
    with pytest.raises(RefusalError, match="may submit again"):
        both.send(anna, answers(3))


def test_closes_at_ends_it_in_any_time_zone(world: World) -> None:
    from zoneinfo import ZoneInfo

    anna = world.join("anna")
    zone = ZoneInfo("Asia/Kolkata")
    for moment, is_open in ((timedelta(minutes=1), True), (timedelta(minutes=-1), False)):
        ends = replace(world.settings, closes_at=(datetime.now(UTC) + moment).astimezone(zone))
        challenge = Challenge(ends, world.challenge.database)
        if is_open:
            assert submit(challenge, anna, answers(10)).is_new
        else:
            with pytest.raises(RefusalError, match="closed"):
                submit(challenge, anna, answers(11))
            with pytest.raises(RefusalError, match="closes_at"):
                set_phase(challenge, "open")


def test_an_admin_has_no_team_to_submit_for(world: World) -> None:
    from thumbnet.challenge.people import accounts

    world.admin_token()
    with pytest.raises(RefusalError, match="no team"):
        world.send(accounts.find_account(world.challenge, "admin"), answers(10))
    with world.challenge.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(teams)).scalar_one() == 0
