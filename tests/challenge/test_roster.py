"""Who is expected: codes, and the teams that the roster makes."""

import json
import re
from pathlib import Path

import pytest
from benchmarks.challenge.postgres import Cluster
from benchmarks.challenge.processes import PASSWORD
from sqlalchemy import select

from tests.challenge.world import ROSTER, World, before
from thumbnet.challenge import keeping
from thumbnet.challenge.database.schema import accounts as accounts_table
from thumbnet.challenge.database.schema import invites, ledger, teams
from thumbnet.challenge.people import accounts, roster, secrets
from thumbnet.challenge.people import teams as team_rules
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.settings import Settings


def test_a_roster_gives_codes_that_work_once(both: World) -> None:
    strict = both.challenge.__class__(both.changed(sign_up="invite"), both.challenge.database)
    with pytest.raises(RefusalError, match="needs the invite code"):
        accounts.sign_up(strict, "eve", PASSWORD, address="x")
    invited = roster.invite(strict, roster.parse(ROSTER.encode())).made
    assert [one.person.name for one in invited] == ["Anna Ansel", "Bert Bär", "Cleo Castor"]
    # Once more, with one person more: only that one gets a code.
    again = roster.invite(strict, roster.parse(f"{ROSTER}Dora Dohle,s4,Owls\n".encode())).made
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
        roster.parse(text.encode())


def test_the_roster_decides_who_is_in_its_teams(both: World) -> None:
    invited = {one.person.name: one.code for one in roster.invite(both.challenge, roster.parse(ROSTER.encode())).made}
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
    # Nor is there a way in for others, whom the roster did not put there.
    assert anna.team_id is not None
    with pytest.raises(RefusalError, match="the roster, which decides who is in it"):
        team_rules.new_code(both.challenge.database, anna.team_id)
    with both.challenge.database.write() as connection:
        coded = teams.update().where(teams.c.id == anna.team_id)
        connection.execute(coded.values(code_digest=secrets.code_digest("AAAA")))
    with pytest.raises(RefusalError, match="team code is unknown"):
        both.join("dora", team_code="AAAA")
    # Others choose.
    assert both.join("cleo", code=invited["Cleo Castor"], team_code=code).team_id == eve.team_id
    with pytest.raises(RefusalError, match="line 2: participants have made a team 'OWLS 2'"):
        roster.invite(both.challenge, roster.parse(b"name,team\nDora Dohle,OWLS 2\n"))


def test_an_admin_moves_people(both: World) -> None:
    anna, bert = both.join("anna", team="Owls"), both.join("bert", team="Bats")
    assert team_rules.move(both.challenge, "ANNA", "bats") == "Owls"
    assert accounts.find_account(both.challenge, "anna").team_id == bert.team_id
    with both.challenge.database.read() as connection:
        assert team_rules.find(connection, bert.team_id or 0, 0).members == ["anna", "bert"]
        assert connection.execute(select(teams.c.members).order_by(teams.c.id)).scalars().all() == [0, 2]
        entries = connection.execute(select(ledger.c.entry).order_by(ledger.c.sequence)).scalars().all()
        entry = json.loads(entries[-1])
        assert (entry["moved"], entry["from"], entry["to"]) == (anna.id, anna.team_id, bert.team_id)
    for account, team, message in (
        ("anna", "Bats", "already"),
        ("eve", "Bats", "no participant"),
        ("anna", "Foxes", "no team is called"),
    ):
        with pytest.raises(RefusalError, match=message):
            team_rules.move(both.challenge, account, team)
    assert keeping.verify(both.challenge).problems == []
    assert anna.team_id != bert.team_id


def test_a_roster_read_again_invites_nobody_twice(both: World) -> None:
    first = roster.invite(both.challenge, roster.parse("name\nAnna Ansel\nBert Bär\n".encode())).made
    both.join("bert", code=first[1].code)
    # An id was added, and a team, and a person.
    more = "name,id,team\nAnna Ansel,s1,Owls\nBert Bär,s2,Owls\nCleo Castor,s3,\n"
    again = roster.invite(both.challenge, roster.parse(more.encode()))
    assert [one.person.name for one in again.made] == ["Cleo Castor"]
    assert [person.name for person in again.left_out] == ["Anna Ansel", "Bert Bär"]
    with both.challenge.database.read() as connection:
        rows = connection.execute(select(invites).order_by(invites.c.id)).all()
        owls = team_rules.find_named(connection, "Owls")
    assert [(row.person_id, row.team_id) for row in rows] == [("s1", owls), ("", None), ("s3", None)]
    # Another person of one name has another id; by the name alone it cannot be told who is meant.
    both_annas = roster.invite(both.challenge, roster.parse(b"name,id\nAnna Ansel,s9\nANNA ANSEL,s1\n"))
    assert [one.person.id for one in both_annas.made] == ["s9"]
    for text, line in (("name\nCleo Castor\nAnna Ansel\n", 3), ("name,id\nAnna Ansel,\n", 2)):
        with pytest.raises(RefusalError, match=f"line {line}: 'Anna Ansel' could be any of 2"):
            roster.invite(both.challenge, roster.parse(text.encode()))
    with pytest.raises(RefusalError, match="line 3: 'Cleo Castor' was invited before as somebody"):
        roster.invite(both.challenge, roster.parse(b"name,id\nCleo Castor,s3\nCleo Castor,\n"))


@pytest.mark.parametrize("act", ["revoke", "invite", "again"])
def test_a_code_that_is_used_meanwhile_stays_used(act: str, cluster: Cluster, tmp_path: Path) -> None:
    """Between the look at an invite and the write about it, its person signs up."""
    settings = Settings(folder=tmp_path / "c", database=cluster.new_database())
    world, other = World(settings), World(settings)
    people = roster.parse(ROSTER.encode())
    invited = roster.invite(world.challenge, people).made
    with before(world.challenge.database, ("UPDATE invites", "DELETE FROM invites")) as calls:
        calls.append(lambda: other.join("anna", code=invited[0].code))
        if act == "revoke":
            with pytest.raises(RefusalError, match="'s1' has signed up already"):
                roster.revoke(world.challenge, "s1")
        else:
            found = roster.invite(world.challenge, people, again=act == "again")
            assert [one.person.id for one in found.made] == (["s2", "s3"] if act == "again" else [])
            assert "s1" in [person.id for person in found.left_out]
    assert calls == []
    with other.challenge.database.read() as connection:
        row = connection.execute(select(invites).where(invites.c.id_key == "s1")).one()
    assert row.account_id == accounts.find_account(other.challenge, "anna").id
    assert row.code_digest == secrets.code_digest(invited[0].code)
    assert "s1" in [person.id for person in roster.invite(other.challenge, people).left_out]
    for one in (world, other):
        one.challenge.close()


def test_lost_codes_are_made_anew_and_old_ones_are_void(both: World) -> None:
    people = roster.parse(ROSTER.encode())
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
