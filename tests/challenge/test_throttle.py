"""The door's patience: guessing waits, others do not, and a wrong clock binds nobody."""

import json

import pytest
from benchmarks.challenge.processes import PASSWORD
from sqlalchemy import select

from tests.challenge.world import World, answers
from thumbnet.challenge import keeping
from thumbnet.challenge.database.schema import ledger, teams
from thumbnet.challenge.database.schema import throttle as throttle_table
from thumbnet.challenge.people import accounts, roster, throttle
from thumbnet.challenge.people import teams as team_rules
from thumbnet.challenge.people.teams import give_turn, times_ahead
from thumbnet.challenge.refusals import RefusalError


def test_guessing_has_to_wait_and_others_do_not(both: World) -> None:
    both.join("anna")
    both.join("bert")
    for _ in range(10):
        with pytest.raises(RefusalError, match="do not fit"):
            accounts.sign_in(both.challenge, "anna", "wrong horse", "192.0.2.1")
    with pytest.raises(RefusalError, match="too many attempts") as refused:
        accounts.sign_in(both.challenge, "ANNA", PASSWORD, "192.0.2.1")
    assert refused.value.status == 429
    assert 0 < (refused.value.retry_after or 0) <= 15 * 60
    assert accounts.sign_in(both.challenge, "bert", PASSWORD, "192.0.2.1").name == "bert"
    assert accounts.sign_in(both.challenge, "anna", PASSWORD, "192.0.2.2").name == "anna"


def test_one_address_locks_nobody_out(both: World) -> None:
    both.join("anna")

    def attempt(address: str, password: str = "wrong horse") -> str:
        try:
            accounts.sign_in(both.challenge, "anna", password, address)
        except RefusalError as error:
            return error.code
        return "in"

    assert [attempt("192.0.2.1") for _ in range(60)] == ["wrong_password"] * 10 + ["too_many_attempts"] * 50
    with both.challenge.database.read() as connection:
        key = throttle_table.c.key
        chosen = select(throttle_table).where(key.startswith("sign-in")).order_by(key)
        before = connection.execute(chosen).all()
    assert [tuple(row)[2] for row in before] == [10, 10, 10]
    assert attempt("192.0.2.1", PASSWORD) == "too_many_attempts"
    with both.challenge.database.read() as connection:
        assert connection.execute(chosen).all() == before
    assert attempt("192.0.2.2", PASSWORD) == "in"


def test_an_address_makes_few_accounts_and_a_class_with_codes_many(both: World) -> None:
    def join(number: int, address: str, code: str = "") -> str:
        try:
            accounts.sign_up(both.challenge, f"p{number}", PASSWORD, address=address, code=code)
        except RefusalError as error:
            return error.code
        return "in"

    # One customer has a whole /64.
    found = [join(number, f"2001:db8:1:2::{number:x}") for number in range(22)]
    assert found == ["in"] * 20 + ["too_many_attempts"] * 2
    assert join(30, "2001:db8:1:3::1") == "in"
    people = roster.parse(b"name\n" + b"".join(b"Person %d\n" % number for number in range(25)))
    codes = [one.code for one in roster.invite(both.challenge, people).made]
    assert {join(40 + number, "2001:db8:1:2::1", code) for number, code in enumerate(codes)} == {"in"}
    wrong = [join(100, "192.0.2.9", "AAAA-BBBB-CCCC-DDDD") for _ in range(101)]
    assert wrong == ["bad_code"] * 100 + ["too_many_attempts"]


def test_sign_ups_that_fail_use_up_no_account(both: World) -> None:
    both.join("taken", team="Owls")

    def join(name: str, password: str = PASSWORD, **more: str) -> str:
        try:
            accounts.sign_up(both.challenge, name, password, address="192.0.2.1", **more)
        except RefusalError as error:
            return error.code
        return "in"

    assert {join("taken") for _ in range(40)} == {"conflict"}
    assert {join("eve", team="OWLS") for _ in range(20)} == {"conflict"}
    assert {join("eve", "short") for _ in range(20)} == {"invalid_request"}
    assert {join("eve", team_code="AAAA") for _ in range(19)} == {"bad_code"}
    assert [join(f"p{number}") for number in range(21)] == ["in"] * 20 + ["too_many_attempts"]


def test_sign_ups_that_fail_are_limited_too(both: World) -> None:
    def guess(number: int) -> str:
        with pytest.raises(RefusalError) as refused:
            accounts.sign_up(both.challenge, "eve", PASSWORD, team_code=f"A{number}", address="192.0.2.1")
        return refused.value.code

    assert [guess(number) for number in range(102)] == ["bad_code"] * 100 + ["too_many_attempts"] * 2


def test_times_of_a_clock_that_was_ahead_bind_nobody(both: World) -> None:
    year = 365 * 86_400_000
    anna = both.join("anna")
    with both.challenge.database.write() as connection:
        ahead = both.challenge.database.now(connection) + year
        wrong = {"last_taken_at": ahead, "next_allowed_at": ahead + 7_200_000}
        connection.execute(teams.update().values(invalid_since=ahead, invalid_count=20, **wrong))
        connection.execute(throttle_table.insert().values(key="door", since=ahead, count=7))
    assert times_ahead(both.challenge) == 1
    with both.challenge.database.read() as connection:
        now = both.challenge.database.now(connection)
        assert team_rules.find(connection, anna.team_id or 0, now).next_allowed <= now
    with pytest.raises(RefusalError, match="empty"):
        both.send(anna, b"")
    throttle.take(both.challenge.database, [throttle.Limit("door", 7)], "attempts")
    assert both.send(anna, answers(1)).is_new
    assert times_ahead(both.challenge) == 0
    with pytest.raises(RefusalError, match="may submit again"):
        both.send(anna, answers(2))
    give_turn(both.challenge, "ANNA")
    assert both.send(anna, answers(2)).is_new
    assert keeping.verify(both.challenge).problems == []
    with both.challenge.database.read() as connection:
        entries = connection.execute(select(ledger.c.entry).order_by(ledger.c.sequence)).scalars().all()
    assert ["turn" in json.loads(entry) for entry in entries] == [False, False, True, False]
    with pytest.raises(RefusalError, match="no team is called"):
        give_turn(both.challenge, "nobody")
