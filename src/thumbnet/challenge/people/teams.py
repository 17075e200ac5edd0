"""Teams: they share one cooldown, one limit of invalid files and one place on the board."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from thumbnet.challenge.database import Database
from thumbnet.challenge.database.schema import accounts, teams
from thumbnet.challenge.people import names, secrets
from thumbnet.challenge.refusals import RefusalError, conflict


@dataclass(frozen=True)
class Team:
    """A team as its members and admins see it.

    Attributes:
        id: its number.
        name: its name.
        pseudonym: its name on a pseudonymous board.
        members: account names of its members.
        next_allowed: when it may submit again, in milliseconds since 1970.
    """

    id: int
    name: str
    pseudonym: str
    members: Sequence[str]
    next_allowed: int


def enter(connection: Connection, now: int, size: int, *, name: str, code: str = "", roster: bool = False) -> int:
    """Return the number of the team that a new account belongs to, and count it as a member.

    Args:
        connection: within a write.
        now: the time.
        size: the most members that a team may have.
        name: of the team; one that is not there yet is made.
        code: of a team that is there; `name` is not used then.
        roster: whether the roster names the team, so that one which is there may be entered without its code.

    Raises:
        RefusalError: the name is bad or taken, the code is unknown, or the team is full.
    """
    if code:
        chosen = teams.c.code_digest == secrets.code_digest(code)
        found = connection.execute(select(teams.c.id).where(chosen)).scalar()
        if found is None:
            raise RefusalError("this team code is unknown; ask your team for it", code="bad_code", status=403)
        return _join(connection, found, size)
    name = names.check_text(name, "team name")
    found = connection.execute(select(teams.c.id).where(teams.c.name_key == names.key(name))).scalar()
    if found is None:
        return _join(connection, _make(connection, name, now), size)
    if not roster:
        raise conflict("this team name is taken; choose another one, or ask the team for its code")
    # The roster decides who is in its teams, and how many.
    return _join(connection, found, 1_000_000)


def new_code(database: Database, team: int) -> str:
    """Return a new code by which others can join `team`; one that was there no longer works."""
    code = secrets.new_code()
    with database.write() as connection:
        connection.execute(update(teams).where(teams.c.id == team).values(code_digest=secrets.code_digest(code)))
    return code


def find(connection: Connection, team: int) -> Team:
    """Return the team of this number, which is there."""
    row = connection.execute(select(teams).where(teams.c.id == team)).one()
    members = connection.execute(select(accounts.c.name).where(accounts.c.team_id == team).order_by(accounts.c.id))
    return Team(row.id, row.name, row.pseudonym, members.scalars().all(), row.next_allowed_at)


def list_all(connection: Connection) -> Sequence[Team]:
    """Return all teams, oldest first."""
    members: dict[int, list[str]] = {}
    chosen = select(accounts.c.team_id, accounts.c.name).where(accounts.c.team_id.is_not(None)).order_by(accounts.c.id)
    for row in connection.execute(chosen):
        members.setdefault(row.team_id, []).append(row.name)
    rows = connection.execute(select(teams).order_by(teams.c.id))
    return [Team(row.id, row.name, row.pseudonym, members.get(row.id, []), row.next_allowed_at) for row in rows]


def _make(connection: Connection, name: str, now: int) -> int:
    taken = set(connection.execute(select(teams.c.pseudonym)).scalars())
    values = {"name": name, "name_key": names.key(name), "pseudonym": names.draw_pseudonym(taken), "created_at": now}
    return int(connection.execute(insert(teams).values(**values).returning(teams.c.id)).scalar_one())


def _join(connection: Connection, team: int, size: int) -> int:
    """Count a new member, in one write, so that members at once cannot fill a team beyond its size."""
    joined = update(teams).where(teams.c.id == team, teams.c.members < size).values(members=teams.c.members + 1)
    if connection.execute(joined.returning(teams.c.id)).first() is None:
        raise conflict(f"this team has {size} members, as many as a team may have; join another one")
    return team
