"""How often something may fail before it has to wait, kept by one conditional write."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, delete, or_, select, update

from thumbnet.challenge.database import Database
from thumbnet.challenge.database.engine import insert_new
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

    Where one is used up, nothing is counted under any of them: who is stopped by one cannot use up the others, which
    somebody else may need. Nothing is written then either.

    Raises:
        RefusalError: one of them is used up; the first in their order is named.
    """
    check(database, limits, what)

    def count(connection: Connection) -> None:
        now = database.now(connection)
        # Rows are locked in one order everywhere, so that no two wait for each other in a circle.
        for limit in sorted(limits, key=lambda limit: limit.key):
            until = _count(connection, limit, now)
            if until is not None:
                raise _spent(until, now, what)

    database.change(count)


def check(database: Database, limits: Sequence[Limit], what: str) -> None:
    """Check that none of `limits` is used up, without counting.

    Raises:
        RefusalError: one of them is; the first in their order is named.
    """
    with database.read() as connection:
        now = database.now(connection)
        columns = (throttle.c.key, throttle.c.since, throttle.c.count)
        chosen = select(*columns).where(throttle.c.key.in_([limit.key for limit in limits]))
        rows = {row.key: (int(row[1]), int(row[2])) for row in connection.execute(chosen)}
    for limit in limits:
        since, count = rows.get(limit.key, (0, 0))
        if count >= limit.count and since - limit.window <= now < since + limit.window:
            raise _spent(since + limit.window, now, what)


def forget(database: Database, keys: Sequence[str]) -> None:
    """Take back what was counted under `keys`."""

    def remove(connection: Connection) -> None:
        for key in sorted(keys):
            connection.execute(delete(throttle).where(throttle.c.key == key))

    database.change(remove)


def give_back(database: Database, keys: Sequence[str]) -> None:
    """Take back one attempt under each of `keys`."""

    def lower(connection: Connection) -> None:
        for key in sorted(keys):
            chosen = (throttle.c.key == key) & (throttle.c.count > 0)
            connection.execute(update(throttle).where(chosen).values(count=throttle.c.count - 1))

    database.change(lower)


def drop_old(database: Database) -> None:
    """Remove what is over for a day; rows that somebody else is changing are left for another time."""

    def remove(connection: Connection) -> None:
        old = throttle.c.since < database.now(connection) - 86_400_000
        unused = select(throttle.c.key).where(old).with_for_update(skip_locked=True)
        connection.execute(delete(throttle).where(throttle.c.key.in_(unused)))

    database.change(remove)


def source(address: str) -> str:
    """Return what stands for `address` in a limit: of IPv6, the network of 2^64 addresses that one customer has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address


def _spent(until: int, now: int, what: str) -> RefusalError:
    return RefusalError(
        f"too many {what}; wait before you try again",
        code="too_many_attempts",
        status=429,
        retry_after=seconds_until(until, now),
    )


def _count(connection: Connection, limit: Limit, now: int) -> int | None:
    """Count an attempt; where the limit is used up, return when it can be made."""
    # A window that begins in the future was begun by a clock that was wrong.
    over = or_(throttle.c.since + limit.window <= now, throttle.c.since > now + limit.window)
    statement = insert_new(connection, throttle).values(key=limit.key, since=now, count=1)
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
