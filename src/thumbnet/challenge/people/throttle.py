"""How often something may fail before it has to wait, kept by one conditional write."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from thumbnet.challenge.database import Database
from thumbnet.challenge.database.schema import throttle
from thumbnet.challenge.moments import seconds_until
from thumbnet.challenge.refusals import RefusalError


@dataclass(frozen=True)
class Limit:
    """How many attempts under one key pass in a window of time.

    Attributes:
        key: what is counted.
        count: attempts in a window.
        window: its length, in milliseconds.
    """

    key: str
    count: int
    window: int = 15 * 60_000


def take(database: Database, limits: Sequence[Limit], what: str) -> None:
    """Count one attempt under each of `limits`, before it is made, so that attempts at once cannot pass together.

    Raises:
        RefusalError: one of them is used up.
    """
    with database.write() as connection:
        now = database.now(connection)
        waits = [until for limit in limits if (until := _count(connection, limit, now)) is not None]
    if waits:
        raise RefusalError(
            f"too many {what}; wait before you try again",
            code="too_many_attempts",
            status=429,
            retry_after=seconds_until(max(waits), now),
        )


def forget(database: Database, keys: Sequence[str]) -> None:
    """Take back what was counted under `keys`, and drop what is over for a day."""
    with database.write() as connection:
        old = throttle.c.since < database.now(connection) - 86_400_000
        connection.execute(delete(throttle).where(or_(throttle.c.key.in_(keys), old)))


def give_back(database: Database, keys: Sequence[str]) -> None:
    """Take back one attempt under each of `keys`."""
    with database.write() as connection:
        chosen = throttle.c.key.in_(keys) & (throttle.c.count > 0)
        connection.execute(update(throttle).where(chosen).values(count=throttle.c.count - 1))


def _count(connection: Connection, limit: Limit, now: int) -> int | None:
    """Count an attempt; where the limit is used up, return when it can be made."""
    make = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    over = throttle.c.since + limit.window <= now
    statement = make(throttle).values(key=limit.key, since=now, count=1)
    counted = statement.on_conflict_do_update(
        index_elements=[throttle.c.key],
        set_={
            "count": case((over, 1), else_=throttle.c.count + 1),
            "since": case((over, now), else_=throttle.c.since),
        },
        where=or_(over, throttle.c.count < limit.count),
    )
    if connection.execute(counted.returning(throttle.c.key)).first() is not None:
        return None
    since: int = connection.execute(select(throttle.c.since).where(throttle.c.key == limit.key)).scalar_one()
    return since + limit.window
