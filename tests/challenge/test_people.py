"""Accounts, codes, teams, names and the door's patience."""

import json
import re
import statistics
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tests.challenge.world import PASSWORD, World, answers
from thumbnet.challenge import keeping
from thumbnet.challenge.database.schema import accounts as accounts_table
from thumbnet.challenge.database.schema import invites, ledger, metadata, teams, tokens
from thumbnet.challenge.database.schema import throttle as throttle_table
from thumbnet.challenge.people import accounts, names, roster, secrets, throttle
from thumbnet.challenge.people import teams as team_rules
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.submissions.limits import give_turn, times_ahead

ROSTER = "name,id,team\nAnna Ansel,s1,Owls\nBert Bär,s2,Owls\nCleo Castor,s3,\n"


def test_signing_in_needs_the_password(both: World) -> None:
    anna = both.join("Anna")
    assert accounts.sign_in(both.challenge, "anna", PASSWORD, "192.0.2.1") == anna
    for name, password in (("Anna", "wrong horse"), ("nobody", PASSWORD), ("Anna", "")):
        with pytest.raises(RefusalError, match="do not fit") as refused:
            accounts.sign_in(both.challenge, name, password, "192.0.2.1")
        assert refused.value.status == 401


def test_a_refusal_takes_as_long_without_an_account(world: World) -> None:
    world.join("anna")

    def seconds(name: str, place: int) -> float:
        start = time.process_time()
        with pytest.raises(RefusalError):
            accounts.sign_in(world.challenge, name, "wrong horse", f"192.0.2.{place}")
        return time.process_time() - start

    there = statistics.median(seconds("anna", place) for place in range(15))
    absent = statistics.median(seconds(f"nobody{place}", place) for place in range(15))
    assert 0.5 < there / absent < 2


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


def test_no_secret_is_stored(both: World) -> None:
    anna = both.join("anna")
    session = accounts.make_session(both.challenge, anna)
    token = both.token(anna)
    code = team_rules.new_code(both.challenge.database, anna.team_id or 0)
    (invited, *_) = roster.invite(both.challenge, roster.parse(ROSTER)).made
    kept = []
    with both.challenge.database.read() as connection:
        for table in metadata.sorted_tables:
            kept += [str(value) for row in connection.execute(select(table)) for value in row]
    text = "\n".join(kept)
    for secret in (PASSWORD, session, token, code, invited.code, code.replace("-", ""), invited.code.replace("-", "")):
        assert secret not in text
    assert re.search(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$", text)
    assert secrets.digest(token) in text


def test_tokens_and_sessions_are_no_substitutes_and_end(both: World) -> None:
    anna, bert = both.join("anna"), both.join("bert")
    session, token = accounts.make_session(both.challenge, anna), both.token(anna)
    assert accounts.find_by_secret(both.challenge, session, "session") == anna
    assert accounts.find_by_secret(both.challenge, token, "api") == anna
    assert accounts.find_by_secret(both.challenge, token, "session") is None
    assert accounts.find_by_secret(both.challenge, session, "api") is None
    with both.challenge.database.read() as connection:
        (kept,) = accounts.list_tokens(connection, anna)
    with pytest.raises(RefusalError, match="no token of this number"):
        accounts.remove_token(both.challenge, bert, kept.id)
    accounts.remove_token(both.challenge, anna, kept.id)
    assert accounts.find_by_secret(both.challenge, token, "api") is None
    other = both.token(anna)
    accounts.change_password(both.challenge, anna, "another horse")
    assert accounts.find_by_secret(both.challenge, session, "session") is None
    assert accounts.find_by_secret(both.challenge, other, "api") is None
    assert accounts.sign_in(both.challenge, "anna", "another horse", "192.0.2.1") == anna


def test_a_session_ends_by_itself(world: World) -> None:
    anna = world.join("anna")
    session = accounts.make_session(world.challenge, anna)
    with world.challenge.database.write() as connection:
        connection.execute(tokens.update().values(expires_at=world.challenge.database.now(connection) - 1))
    assert accounts.find_by_secret(world.challenge, session, "session") is None


def test_a_roster_gives_codes_that_work_once(both: World) -> None:
    strict = both.challenge.__class__(both.changed(sign_up="invite"), both.challenge.database)
    with pytest.raises(RefusalError, match="needs the invite code"):
        accounts.sign_up(strict, "eve", PASSWORD, address="x")
    invited = roster.invite(strict, roster.parse(ROSTER)).made
    assert [one.person.name for one in invited] == ["Anna Ansel", "Bert Bär", "Cleo Castor"]
    # Once more, with one person more: only that one gets a code.
    again = roster.invite(strict, roster.parse(f"{ROSTER}Dora Dohle,s4,Owls\n")).made
    assert [one.person.id for one in again] == ["s4"]
    people = [
        accounts.sign_up(strict, f"p{number}", PASSWORD, code=one.code, address="x")
        for number, one in enumerate([*invited, *again])
    ]
    assert people[0].team_id == people[1].team_id == people[3].team_id != people[2].team_id
    with pytest.raises(RefusalError, match="unknown or used already"):
        accounts.sign_up(strict, "eve", PASSWORD, code=invited[0].code, address="x")
    with both.challenge.database.read() as connection:
        rows = connection.execute(select(accounts_table).order_by(accounts_table.c.id)).all()
        used = connection.execute(select(invites.c.account_id).order_by(invites.c.id)).scalars().all()
    assert [(row.person, row.person_id) for row in rows[:2]] == [("Anna Ansel", "s1"), ("Bert Bär", "s2")]
    assert used == [person.id for person in people]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the first line names the columns"),
        ("name,mail\n", "line 1: column 'mail' is unknown"),
        ("id,team\n", "line 1: the first line names the columns"),
        ("name,id\nAnna\n", "line 2: 1 fields under 2 columns"),
        ("name\n\u202eanna\n", "line 2, name: give 1 to 100 visible characters"),
        ("name,id\nA,1\nB,1\n", "line 3: '1' is there twice"),
        ('name\n"Anna\n', "not CSV"),
    ],
)
def test_a_bad_roster_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(RefusalError, match=re.escape(message)):
        roster.parse(text)


def test_names_are_taken_once_however_they_are_written(both: World) -> None:
    both.join("anna", team="Die Müller")
    for name, team in (("ANNA", "x"), ("bert", "DIE MÜLLER"), ("bert", "Die Mu\u0308ller"), ("bert", "Die  Müller ")):
        with pytest.raises(RefusalError, match="taken"):
            both.join(name, team=team)
    with pytest.raises(RefusalError, match="team code is unknown"):
        both.join("bert", team_code="AAAA-BBBB-CCCC-DDDD")


@pytest.mark.parametrize("name", ["", "a b", "-a", "=a", "a" * 65, "anna\n", "ann\u0430", "<b>", "a/../b"])
def test_bad_account_names_are_refused(name: str, world: World) -> None:
    with pytest.raises(RefusalError, match="account name"):
        world.join(name)


@pytest.mark.parametrize("team", ["a\u202eb", "a\x00b", "x" * 65, "\ud800", "\u200b"])
def test_bad_team_names_are_refused(team: str, world: World) -> None:
    with pytest.raises(RefusalError, match="team name: give 1 to 64 visible"):
        world.join("anna", team=team)


@given(st.text(max_size=60))
def test_a_checked_name_stays_as_it_is_and_shows_on_one_line(text: str) -> None:
    try:
        clean = names.check_text(text, "team name")
    except RefusalError:
        return
    assert names.check_text(clean, "team name") == clean
    assert clean.isprintable()
    assert clean == unicodedata.normalize("NFC", clean)


@pytest.mark.parametrize("password", ["", "short", "x" * 201])
def test_bad_passwords_are_refused(password: str, world: World) -> None:
    with pytest.raises(RefusalError, match="password: give 8 to 200"):
        accounts.sign_up(world.challenge, "anna", password, address="x")


def test_a_full_team_takes_nobody(world: World) -> None:
    anna = world.join("anna")
    code = team_rules.new_code(world.challenge.database, anna.team_id or 0)
    for number in range(3):
        world.join(f"b{number}", team_code=code)
    with pytest.raises(RefusalError, match="has 4 members"):
        world.join("eve", team_code=code)
    newer = team_rules.new_code(world.challenge.database, anna.team_id or 0)
    assert newer != code
    with world.challenge.database.read() as connection:
        assert team_rules.find(connection, anna.team_id or 0, 0).members == ["anna", "b0", "b1", "b2"]


def test_pseudonyms_differ_even_when_all_pairs_are_taken() -> None:
    drawn: set[str] = set()
    for _ in range(4000):
        drawn.add(names.draw_pseudonym(drawn))
    assert len(drawn) == 4000


def test_the_first_admin_is_made_once_and_a_token_can_be_made_anew(world: World) -> None:
    token = accounts.make_admin(world.challenge, "admin", only_first=True)
    assert token is not None
    assert accounts.make_admin(world.challenge, "admin", only_first=True) is None
    newer = world.admin_token()
    assert newer != token
    found = accounts.find_by_secret(world.challenge, newer, "api")
    assert found is not None
    assert (found.role, found.team_id) == ("admin", None)
    # An admin without a password cannot sign in with any.
    for password in ("", newer, "None"):
        with pytest.raises(RefusalError, match="do not fit"):
            accounts.sign_in(world.challenge, "admin", password, "x")
    world.join("anna")
    with pytest.raises(RefusalError, match="is a participant's"):
        accounts.make_admin(world.challenge, "anna")


def test_a_token_limit_holds(world: World) -> None:
    anna = world.join("anna")
    for _ in range(20):
        world.token(anna)
    with pytest.raises(RefusalError, match="you have 20 tokens"):
        world.token(anna)
    assert world.send(anna, answers(1)).is_new


def test_every_account_name_can_name_its_team(world: World) -> None:
    longest = "a" * 64
    assert world.join(longest).name == longest


def test_the_roster_decides_who_is_in_its_teams(both: World) -> None:
    invited = {one.person.name: one.code for one in roster.invite(both.challenge, roster.parse(ROSTER)).made}
    # The team is there before its first member, so its name cannot be taken, nor drawn.
    with pytest.raises(RefusalError, match="team name is taken"):
        both.join("eve", team="OWLS")
    eve = both.join("owls")
    anna = both.join("anna", code=invited["Anna Ansel"])
    assert eve.team_id != anna.team_id
    with both.challenge.database.read() as connection:
        assert team_rules.find(connection, eve.team_id or 0, 0).name == "owls 2"
        assert team_rules.find(connection, anna.team_id or 0, 0).members == ["anna"]
    # Whom the roster put into a team has no other way.
    code = team_rules.new_code(both.challenge.database, eve.team_id or 0)
    for chosen in ({"team": "Bert alone"}, {"team_code": code}, {"team": "Owls"}):
        with pytest.raises(RefusalError, match="the one that the roster names"):
            both.join("bert", code=invited["Bert Bär"], **chosen)
    assert both.join("bert", code=invited["Bert Bär"]).team_id == anna.team_id
    # Others choose.
    assert both.join("cleo", code=invited["Cleo Castor"], team_code=code).team_id == eve.team_id
    with pytest.raises(RefusalError, match="line 2: participants have made a team 'OWLS 2'"):
        roster.invite(both.challenge, roster.parse("name,team\nDora Dohle,OWLS 2\n"))


def test_an_admin_moves_people(both: World) -> None:
    anna, bert = both.join("anna", team="Owls"), both.join("bert", team="Bats")
    assert team_rules.move(both.challenge.database, "ANNA", "bats") == "Owls"
    assert accounts.find_account(both.challenge, "anna").team_id == bert.team_id
    with both.challenge.database.read() as connection:
        assert team_rules.find(connection, bert.team_id or 0, 0).members == ["anna", "bert"]
        assert connection.execute(select(teams.c.members).order_by(teams.c.id)).scalars().all() == [0, 2]
    for account, team, message in (
        ("anna", "Bats", "already"),
        ("eve", "Bats", "no participant"),
        ("anna", "Foxes", "no team is called"),
    ):
        with pytest.raises(RefusalError, match=message):
            team_rules.move(both.challenge.database, account, team)
    assert anna.team_id != bert.team_id


def test_a_roster_read_again_invites_nobody_twice(both: World) -> None:
    first = roster.invite(both.challenge, roster.parse("name\nAnna Ansel\nBert Bär\n")).made
    both.join("bert", code=first[1].code)
    # An id was added, and a team, and a person.
    more = "name,id,team\nAnna Ansel,s1,Owls\nBert Bär,s2,Owls\nCleo Castor,s3,\n"
    again = roster.invite(both.challenge, roster.parse(more))
    assert [one.person.name for one in again.made] == ["Cleo Castor"]
    assert [person.name for person in again.left_out] == ["Anna Ansel", "Bert Bär"]
    with both.challenge.database.read() as connection:
        rows = connection.execute(select(invites).order_by(invites.c.id)).all()
        owls = team_rules.find_named(connection, "Owls")
    assert [(row.person_id, row.team_id) for row in rows] == [("s1", owls), ("", None), ("s3", None)]
    # Another person of one name has another id; by the name alone it cannot be told who is meant.
    both_annas = roster.invite(both.challenge, roster.parse("name,id\nAnna Ansel,s9\nANNA ANSEL,s1\n"))
    assert [one.person.id for one in both_annas.made] == ["s9"]
    for text, line in (("name\nCleo Castor\nAnna Ansel\n", 3), ("name,id\nAnna Ansel,\n", 2)):
        with pytest.raises(RefusalError, match=f"line {line}: 'Anna Ansel' could be any of 2"):
            roster.invite(both.challenge, roster.parse(text))
    with pytest.raises(RefusalError, match="line 3: 'Cleo Castor' was invited before as somebody"):
        roster.invite(both.challenge, roster.parse("name,id\nCleo Castor,s3\nCleo Castor,\n"))


def test_lost_codes_are_made_anew_and_old_ones_are_void(both: World) -> None:
    people = roster.parse(ROSTER)
    lost = roster.invite(both.challenge, people).made
    both.join("anna", code=lost[0].code)
    again = roster.invite(both.challenge, people, again=True)
    assert [one.person.id for one in again.made] == ["s2", "s3"]
    assert [person.id for person in again.left_out] == ["s1"]
    with pytest.raises(RefusalError, match="unknown or used"):
        both.join("bert", code=lost[1].code)
    both.join("bert", code=again.made[0].code)
    roster.revoke(both.challenge, "S3")
    with pytest.raises(RefusalError, match="unknown or used"):
        both.join("cleo", code=again.made[1].code)
    for who, message in (("s1", "has signed up already"), ("s3", "no people on the roster")):
        with pytest.raises(RefusalError, match=message):
            roster.revoke(both.challenge, who)


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
    people = roster.parse("name\n" + "".join(f"Person {number}\n" for number in range(25)))
    codes = [one.code for one in roster.invite(both.challenge, people).made]
    assert {join(40 + number, "2001:db8:1:2::1", code) for number, code in enumerate(codes)} == {"in"}
    wrong = [join(100, "192.0.2.9", "AAAA-BBBB-CCCC-DDDD") for _ in range(101)]
    assert wrong == ["bad_code"] * 100 + ["too_many_attempts"]


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


@pytest.mark.parametrize(
    ("team", "message"),
    [
        ("\u2800\u3164", "visible characters"),
        ("...", "at least one letter or digit"),
        ("\u041ewls", "mixes Latin letters"),
        ("Owl\u03bf", "mixes Latin letters"),
        ("\ufdfa" * 60, "stand for whole words"),
    ],
)
def test_names_that_deceive_are_refused(team: str, message: str, both: World) -> None:
    with pytest.raises(RefusalError, match=message):
        both.join("anna", team=team)
    assert both.join("anna", team="\u0421\u043e\u0432\u044b 7").team_id


@pytest.mark.parametrize("blank", ["\u2800", "\u3164", "\ufe0f", "\U000e0100", "\u034f", "\u115f", "\u180b"])
def test_what_is_not_seen_makes_no_other_name(blank: str, world: World) -> None:
    world.join("anna", team="Owls")
    with pytest.raises(RefusalError, match="team name is taken"):
        world.join("bert", team=f"Ow{blank}ls{blank}")
