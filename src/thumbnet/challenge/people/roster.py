"""The roster of a class: a CSV of people, who each get an invite code."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select

from thumbnet.challenge.database.schema import invites
from thumbnet.challenge.people import names, secrets
from thumbnet.challenge.refusals import bad_request
from thumbnet.challenge.state import Challenge
from thumbnet.errors import nearest

_COLUMNS = ("name", "id", "team")


@dataclass(frozen=True)
class Person:
    """One line of a roster.

    Attributes:
        name: what the person is called; in grades only.
        id: number or address by which the school knows the person; in grades only. May be empty.
        team: name of the person's team; empty for one of their own.
    """

    name: str
    id: str
    team: str

    @property
    def key(self) -> str:
        """What tells the person from others: the id, else the name."""
        return names.key(self.id or self.name)


@dataclass(frozen=True)
class Invite:
    """A person with the code that lets them sign up once."""

    person: Person
    code: str


def parse(text: str) -> list[Person]:
    """Return the people in a CSV whose first line names the columns: 'name', and where wanted 'id' and 'team'.

    Raises:
        RefusalError: no such columns, or a line that is wrong, with its number.
    """
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        header = [column.strip().lower() for column in next(lines, [])]
        for column in header:
            if column not in _COLUMNS:
                raise bad_request(f"roster, line 1: column {column[:40]!a} is unknown; {nearest(column, _COLUMNS)}")
        if "name" not in header or len(set(header)) != len(header):
            raise bad_request("roster, line 1: the first line names the columns once each: name, id, team")
        people = [_person(header, fields, lines.line_num) for fields in lines if any(fields)]
    except csv.Error as error:
        raise bad_request(f"roster, line {lines.line_num}: not CSV ({error})") from error
    seen: set[str] = set()
    for person in people:
        if person.key in seen:
            raise bad_request(f"roster: {person.id or person.name!a} stands there twice; give each person an id")
        seen.add(person.key)
    return people


def invite(challenge: Challenge, people: Sequence[Person]) -> list[Invite]:
    """Invite those of `people` that are not invited yet, and return them with their codes, shown this one time."""
    with challenge.database.write() as connection:
        known = set(connection.execute(select(invites.c.person_key)).scalars())
        made = [Invite(person, secrets.new_code()) for person in people if person.key not in known]
        now = challenge.database.now(connection)
        rows = [
            {
                "code_digest": secrets.code_digest(one.code),
                "person": one.person.name,
                "person_id": one.person.id,
                "person_key": one.person.key,
                "team": one.person.team,
                "created_at": now,
            }
            for one in made
        ]
        if rows:
            connection.execute(insert(invites), rows)
    return made


def _person(header: Sequence[str], fields: Sequence[str], number: int) -> Person:
    if len(fields) != len(header):
        raise bad_request(f"roster, line {number}: {len(fields)} fields under {len(header)} columns")
    values = dict(zip(header, fields, strict=True))
    where = f"roster, line {number}"
    name = names.check_text(values["name"], f"{where}, name", 100)
    identity, team = values.get("id", "").strip(), values.get("team", "").strip()
    return Person(
        name,
        names.check_text(identity, f"{where}, id", 100) if identity else "",
        names.check_text(team, f"{where}, team") if team else "",
    )
