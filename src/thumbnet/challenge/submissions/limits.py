"""The two limits of a team, each kept by one conditional write: whoever finds no row written comes too late.

The database takes such writes of a row one after the other and judges the condition by what the one before left, so
that requests at the same moment, in any number of processes, cannot pass together.
"""

from sqlalchemy import Connection, case, or_, select, update

from thumbnet.challenge.database.schema import teams
from thumbnet.challenge.moments import iso, seconds_until
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.settings import Settings


def take_turn(connection: Connection, team: int, now: int, settings: Settings) -> bool:
    """Use the team's right to submit, and start its cooldown; return whether it had that right at `now`."""
    until = now + round(settings.cooldown_seconds * 1000)
    taken = update(teams).where(teams.c.id == team, teams.c.next_allowed_at <= now).values(next_allowed_at=until)
    return connection.execute(taken.returning(teams.c.id)).first() is not None


def next_allowed(connection: Connection, team: int) -> int:
    """Return when the team may submit again, in milliseconds since 1970; a time that is over means now."""
    return int(connection.execute(select(teams.c.next_allowed_at).where(teams.c.id == team)).scalar_one())


def cooling(moment: int, now: int) -> RefusalError:
    """Return the refusal of a team that may submit at `moment`."""
    return RefusalError(
        f"your team may submit again at {iso(moment)}; wait until then",
        code="cooldown",
        status=429,
        retry_after=seconds_until(moment, now),
        next_allowed=moment,
    )


def count_invalid(connection: Connection, team: int, now: int, settings: Settings) -> bool:
    """Count an invalid file of the team; return whether it was within the limit."""
    window = round(settings.invalid_window_seconds * 1000)
    over = teams.c.invalid_since + window <= now
    counted = (
        update(teams)
        .where(teams.c.id == team, or_(over, teams.c.invalid_count < settings.invalid_limit))
        .values(
            invalid_count=case((over, 1), else_=teams.c.invalid_count + 1),
            invalid_since=case((over, now), else_=teams.c.invalid_since),
        )
    )
    return connection.execute(counted.returning(teams.c.id)).first() is not None


def check_invalid(connection: Connection, team: int, now: int, settings: Settings) -> None:
    """Check that the team has not sent as many invalid files as it may.

    Raises:
        RefusalError: it has.
    """
    row = connection.execute(select(teams.c.invalid_since, teams.c.invalid_count).where(teams.c.id == team)).one()
    end = row.invalid_since + round(settings.invalid_window_seconds * 1000)
    if end > now and row.invalid_count >= settings.invalid_limit:
        raise too_many_invalid(end, now)


def too_many_invalid(end: int, now: int) -> RefusalError:
    """Return the refusal of a team that has sent too many invalid files, until `end`."""
    return RefusalError(
        "your team has sent too many invalid files; check the next one with `thumbnet submit --check` before you send",
        code="too_many_invalid",
        status=429,
        retry_after=seconds_until(end, now),
    )
