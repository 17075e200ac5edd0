"""Teams: they share one cooldown, one limit of invalid files and one place on the board."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from thumbnet.challenge import ledger as log
from thumbnet.challenge.database import Database
from thumbnet.challenge.database.schema import accounts, teams
from thumbnet.challenge.moments import iso
from thumbnet.challenge.people import names, secrets
from thumbnet.challenge.people.limits import due
from thumbnet.challenge.refusals import RefusalError, conflict, not_found
from thumbnet.challenge.state import Challenge


@dataclass(frozen=True)
class Team:
    """A team as its members and admins see it.

    Attributes:
        id: its number.
        name: its name.
        pseudonym: its name on a pseudonymous board.
        members: account names of its members.
        next_allowed: when it may submit again, in milliseconds since 1970.
        from_roster: whether the roster named it, and so decides who is in it.
    """

    id: int
    name: str
    pseudonym: str
    members: Sequence[str]
    next_allowed: int
    from_roster: bool

    def waits_until(self, now: int) -> str | None:
        """Return when it may submit again, in ISO 8601; `None` where it may at `now`, in milliseconds since 1970."""
        return iso(self.next_allowed) if self.next_allowed > now else None


_ANY_SIZE = 1_000_000


def enter_by_code(connection: Connection, code: str, size: int) -> int:
    """Count a new account as a member of the team of `code`, which may have `size` members; return its number.

    Raises:
        RefusalError: the code is unknown, or the team is full.
    """
    chosen = (teams.c.code_digest == secrets.code_digest(code)) & ~teams.c.from_roster
    found = connection.execute(select(teams.c.id).where(chosen)).scalar()
    if found is None:
        raise RefusalError("this team code is unknown; ask your team for it", code="bad_code", status=403)
    return _join(connection, found, size)


def enter_new(connection: Connection, name: str, now: int) -> int:
    """Make a team with a new account as its one member, and return its number.

    Raises:
        RefusalError: the name is bad or taken.
    """
    name = names.check_name(name, "team name")
    if _find_named(connection, name) is not None:
        raise conflict("this team name is taken; choose another one, or ask the team for its code")
    return _join(connection, _make(connection, name, now), 1)


def enter_own(connection: Connection, account: str, now: int) -> int:
    """Make a team for a new account that chose no name: that of the account, with a number where it is taken."""
    name, number = account, 2
    while _find_named(connection, name) is not None:
        name, number = f"{account} {number}", number + 1
    return _join(connection, _make(connection, name, now), 1)


def enter_of_roster(connection: Connection, team: int) -> int:
    """Count a new account as a member of its team by the roster, which decides how many are in it."""
    return _join(connection, team, _ANY_SIZE)


def of_roster(connection: Connection, name: str, now: int) -> int | None:
    """Return the number of the roster's team `name`, made where it is not there.

    It is `None` where a team that is not the roster's has that name.
    """
    found = _find_named(connection, name)
    if found is None:
        return _make(connection, name, now, from_roster=True)
    is_roster = connection.execute(select(teams.c.from_roster).where(teams.c.id == found)).scalar_one()
    return found if is_roster else None


def move(challenge: Challenge, account: str, team: str) -> str:
    """Make `account` a member of another team, however many it has, log that, and return the name of the one it left.

    What was submitted stays with the team that it was submitted for.

    Raises:
        RefusalError: no such participant, no such team, or it is the same.
    """
    with challenge.database.write() as connection:
        chosen = (accounts.c.name_key == names.key(account)) & accounts.c.team_id.is_not(None)
        row = connection.execute(select(accounts.c.id, accounts.c.team_id).where(chosen)).first()
        if row is None:
            raise not_found(f"no participant has the account {account!a}")
        target = find_named(connection, team)
        if target == row.team_id:
            raise conflict(f"{account!a} is in the team {team!a} already")
        left = connection.execute(select(teams.c.name).where(teams.c.id == row.team_id)).scalar_one()
        # In one order everywhere, so that no two wait for each other.
        for number, change in sorted([(row.team_id, -1), (target, 1)]):
            connection.execute(update(teams).where(teams.c.id == number).values(members=teams.c.members + change))
        connection.execute(update(accounts).where(accounts.c.id == row.id).values(team_id=target))
        state = challenge.advance(connection)
        log.note(connection, {"moved": row.id, "from": row.team_id, "to": target, "moved_at": iso(state.now)})
    return str(left)


def find_named(connection: Connection, name: str) -> int:
    """Return the number of the team called `name`.

    Raises:
        RefusalError: there is none.
    """
    found = _find_named(connection, name)
    if found is None:
        raise not_found(f"no team is called {name!a}")
    return found


def give_turn(challenge: Challenge, team: str) -> None:
    """End the cooldown of the team called `team`, and log that.

    Raises:
        RefusalError: no team is called so.
    """
    with challenge.database.write() as connection:
        number = find_named(connection, team)
        connection.execute(update(teams).where(teams.c.id == number).values(next_allowed_at=0, last_taken_at=0))
        state = challenge.advance(connection)
        log.note(connection, {"turn": number, "given_at": iso(state.now)})


def times_ahead(challenge: Challenge) -> int:
    """Return how many teams took a turn that lies in the future by more than a minute, by the database's clock."""
    with challenge.database.read() as connection:
        latest = challenge.database.now(connection) + 60_000
        chosen = select(func.count()).select_from(teams).where(teams.c.last_taken_at > latest)
        return int(connection.execute(chosen).scalar_one())


def new_code(database: Database, team: int) -> str:
    """Return a new code by which others can join `team`; one that was there no longer works.

    Raises:
        RefusalError: the roster decides who is in it.
    """
    code = secrets.new_code()
    chosen = update(teams).where(teams.c.id == team, ~teams.c.from_roster)
    with database.write() as connection:
        coded = connection.execute(chosen.values(code_digest=secrets.code_digest(code)).returning(teams.c.id))
        if coded.first() is None:
            raise conflict("your team is one of the roster, which decides who is in it; ask who runs the challenge")
    return code


def find(connection: Connection, team: int, now: int) -> Team:
    """Return the team of this number, which is there."""
    row = connection.execute(select(teams).where(teams.c.id == team)).one()
    members = connection.execute(select(accounts.c.name).where(accounts.c.team_id == team).order_by(accounts.c.id))
    return _team(row, members.scalars().all(), now)


def list_all(connection: Connection, now: int) -> Sequence[Team]:
    """Return all teams, oldest first."""
    members: dict[int, list[str]] = {}
    chosen = select(accounts.c.team_id, accounts.c.name).where(accounts.c.team_id.is_not(None)).order_by(accounts.c.id)
    for row in connection.execute(chosen):
        members.setdefault(row.team_id, []).append(row.name)
    rows = connection.execute(select(teams).order_by(teams.c.id))
    return [_team(row, members.get(row.id, []), now) for row in rows]


def _team(row: Any, members: Sequence[str], now: int) -> Team:
    return Team(row.id, row.name, row.pseudonym, members, due(row, now), row.from_roster)


def _find_named(connection: Connection, name: str) -> int | None:
    return connection.execute(select(teams.c.id).where(teams.c.name_key == names.key(name))).scalar()


def _make(connection: Connection, name: str, now: int, *, from_roster: bool = False) -> int:
    taken = set(connection.execute(select(teams.c.pseudonym)).scalars())
    values: dict[str, Any] = {
        "name": name,
        "name_key": names.key(name),
        "pseudonym": names.draw_pseudonym(taken),
        "created_at": now,
    }
    values["from_roster"] = from_roster
    return int(connection.execute(insert(teams).values(**values).returning(teams.c.id)).scalar_one())


def _join(connection: Connection, team: int, size: int) -> int:
    """Count a new member, in one write, so that members at once cannot fill a team beyond its size."""
    joined = update(teams).where(teams.c.id == team, teams.c.members < size).values(members=teams.c.members + 1)
    if connection.execute(joined.returning(teams.c.id)).first() is None:
        raise conflict(f"this team has {size} members, as many as a team may have; join another one")
    return team
