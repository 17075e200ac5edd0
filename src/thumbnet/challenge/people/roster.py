"""The roster of a class: a CSV of people, who each get an invite code."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from thumbnet.challenge.database.schema import invites
from thumbnet.challenge.people import names, secrets, teams
from thumbnet.challenge.refusals import bad_request, conflict, not_found
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
        line: of the roster.
    """

    name: str
    id: str
    team: str
    line: int

    @property
    def id_key(self) -> str | None:
        """What tells the id from others; `None` where there is none."""
        return names.key(self.id) if self.id else None

    @property
    def key(self) -> tuple[str, bool]:
        """What tells the person from others: the id, else the name."""
        return names.key(self.id or self.name), bool(self.id)


@dataclass(frozen=True)
class Invite:
    """A person with the code that lets them sign up once."""

    person: Person
    code: str


def parse(content: bytes) -> list[Person]:
    """Return the people in a CSV, in UTF-8, whose first line names the columns: 'name', where wanted 'id' and 'team'.

    Raises:
        RefusalError: another encoding, no such columns, or a line that is wrong, with its number.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_request("roster: not UTF-8 text; save it as UTF-8") from error
    lines = csv.reader(io.StringIO(text), strict=True)
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
    seen: set[tuple[str, bool]] = set()
    for person in people:
        if person.key in seen:
            who = person.id or person.name
            raise bad_request(f"roster, line {person.line}: {who!a} is there twice; give each person an id")
        seen.add(person.key)
    return people


@dataclass(frozen=True)
class Invited:
    """What became of a roster.

    Attributes:
        made: those who have a new code, in the order of the roster.
        left_out: those who were invited before, and have none.
    """

    made: Sequence[Invite]
    left_out: Sequence[Person]


def invite(challenge: Challenge, people: Sequence[Person], *, again: bool = False) -> Invited:
    """Invite those of `people` that are not invited yet; the codes are shown this one time.

    A person is known by the id, and by the name where no id was given before. What else the roster says of somebody
    who has not signed up yet is brought up to date.

    Args:
        challenge: the challenge.
        people: of the roster.
        again: give a new code to everyone on the roster whose code was not used; the old one no longer works.

    Raises:
        RefusalError: somebody could be one of several that were invited, or a team has the name that others chose.
    """

    def write(connection: Connection) -> Invited:
        # One import at a time, in every process.
        challenge.advance(connection)
        now = challenge.database.now(connection)
        known = _Known(connection.execute(select(invites)).all())
        made, left_out = [], []
        for person in people:
            row, code = known.find(person), secrets.new_code()
            coded = {"code_digest": secrets.code_digest(code)}
            is_made = row is None
            if row is None:
                values = _values(connection, person, now) | coded
                connection.execute(insert(invites).values(created_at=now, **values))
            elif row.used_at is None:
                values = _values(connection, person, now) | (coded if again else {})
                is_made = _renew(connection, row.id, values) and again
            if is_made:
                made.append(Invite(person, code))
            else:
                left_out.append(person)
        return Invited(made, left_out)

    return challenge.database.change(write)


def revoke(challenge: Challenge, who: str) -> None:
    """Void the unused invite of the person with the id, or else the name, `who`.

    Raises:
        RefusalError: there is none, there are several, or it was used.
    """
    with challenge.database.write() as connection:
        wanted = names.key(who)
        rows = connection.execute(select(invites).where(invites.c.id_key == wanted)).all()
        rows = rows or connection.execute(select(invites).where(invites.c.name_key == wanted)).all()
        if len(rows) != 1:
            raise not_found(f"{len(rows) or 'no'} people on the roster are called {who!a}; give the id of one")
        # Whoever is signing up at this moment may have used it since it was read.
        unused = delete(invites).where(invites.c.id == rows[0].id, invites.c.used_at.is_(None))
        if connection.execute(unused.returning(invites.c.id)).first() is None:
            raise conflict(f"{who!a} has signed up already; `thumbnet challenge password` takes the account away")


def _renew(connection: Connection, number: int, values: dict[str, Any]) -> bool:
    """Bring the invite `number` up to date where it is unused still, and return whether it is.

    Whoever is signing up at this moment may have used it since it was read.
    """
    unused = update(invites).where(invites.c.id == number, invites.c.used_at.is_(None))
    return connection.execute(unused.values(**values).returning(invites.c.id)).first() is not None


class _Known:
    """Those who were invited before."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._by_id = {row.id_key: row for row in rows if row.id_key is not None}
        self._by_name: dict[str, list[Any]] = {}
        for row in rows:
            self._by_name.setdefault(row.name_key, []).append(row)
        self._taken: set[int] = set()

    def find(self, person: Person) -> Any:
        """Return the row of `person`; `None` where there is none.

        Raises:
            RefusalError: it could be one of several, or is another person's of this roster.
        """
        row = self._by_id.get(person.id_key) if person.id_key else None
        if row is None:
            named = self._by_name.get(names.key(person.name), [])
            # With an id, the same name with another id is another person.
            found = [one for one in named if one.id_key is None] if person.id_key else named
            if len(found) > 1:
                raise bad_request(
                    f"roster, line {person.line}: {person.name!a} could be any of {len(found)} people who were "
                    "invited before; give the id that they were invited with"
                )
            row = found[0] if found else None
        if row is not None:
            if row.id in self._taken:
                raise bad_request(
                    f"roster, line {person.line}: {person.name!a} was invited before as somebody of an earlier line; "
                    "give each the id that they were invited with"
                )
            self._taken.add(row.id)
        return row


def _values(connection: Connection, person: Person, now: int) -> dict[str, Any]:
    """Return what is stored of a person; the team is made where it is not there."""
    team = None
    if person.team:
        team = teams.of_roster(connection, person.team, now)
        if team is None:
            raise bad_request(
                f"roster, line {person.line}: participants have made a team {person.team!a} already; give the "
                "roster's another name"
            )
    values = {"person": person.name, "person_id": person.id, "name_key": names.key(person.name)}
    return values | {"id_key": person.id_key, "team_id": team}


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
        names.check_name(team, f"{where}, team") if team else "",
        number,
    )
