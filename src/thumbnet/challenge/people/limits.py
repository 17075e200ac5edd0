"""The limits of a team: its turn and its invalid files in the database, the files of any kind in memory (`Posts`).

Each of the two in the database is kept by one conditional write: whoever finds no row written comes too late. The
database takes such writes of a row one after the other and judges the condition by what the one before left, so that
requests at the same moment, in any number of processes, cannot pass together.
"""

import math
import threading
import time
from collections import deque
from typing import Any

from sqlalchemy import Connection, case, or_, select, update

from thumbnet.challenge.database.schema import teams
from thumbnet.challenge.moments import iso, seconds_until
from thumbnet.challenge.refusals import RefusalError
from thumbnet.challenge.settings import Settings

_HOUR_SECONDS = 3600
_POSTS = 60


def take_turn(connection: Connection, team: int, now: int, settings: Settings) -> bool:
    """Use the team's right to submit, and start its cooldown; return whether it had that right at `now`."""
    cooldown = round(settings.cooldown_seconds * 1000)
    # A last turn that lies ahead was given by a clock that was wrong, and binds nobody.
    free = or_(teams.c.next_allowed_at <= now, teams.c.last_taken_at > now + cooldown)
    taken = update(teams).where(teams.c.id == team, free)
    taken = taken.values(next_allowed_at=now + cooldown, last_taken_at=now)
    return connection.execute(taken.returning(teams.c.id)).first() is not None


def next_allowed(connection: Connection, team: int, now: int) -> int:
    """Return when the team may submit again, in milliseconds since 1970; a time that is over means `now`."""
    chosen = select(teams.c.next_allowed_at, teams.c.last_taken_at).where(teams.c.id == team)
    return due(connection.execute(chosen).one(), now)


def due(row: Any, now: int) -> int:
    """Return when the team of this row of the table may submit again; see `take_turn` and `next_allowed`."""
    next_allowed_at, last_taken_at = int(row.next_allowed_at), int(row.last_taken_at)
    # The cooldown as it was when the turn was taken.
    return now if last_taken_at > now + max(next_allowed_at - last_taken_at, 0) else next_allowed_at


class Posts:
    """How many files each team has sent in the last hour, of every kind: each of them is work.

    Kept in memory, so that counting costs no write; each process counts for itself.

    Args:
        settings: twice as many as the cooldown lets in pass, and `_POSTS` at least.
    """

    def __init__(self, settings: Settings) -> None:
        cooldown = settings.cooldown_seconds
        self._most = max(_POSTS, math.ceil(2 * _HOUR_SECONDS / cooldown)) if cooldown else None
        self._seen: dict[int, deque[float]] = {}
        self._lock = threading.Lock()

    def count(self, team: int) -> None:
        """Count a file of `team`.

        Raises:
            RefusalError: it has sent too many.
        """
        if self._most is None:
            return
        now = time.monotonic()
        with self._lock:
            seen = self._seen.setdefault(team, deque())
            while seen and seen[0] <= now - _HOUR_SECONDS:
                seen.popleft()
            if len(seen) >= self._most:
                raise RefusalError(
                    f"your team has sent {self._most} files within an hour; wait before you send another one",
                    code="too_many_files",
                    status=429,
                    retry_after=max(1, math.ceil(seen[0] + _HOUR_SECONDS - now)),
                )
            seen.append(now)


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
    # A request that waited may have read the clock before those ahead of it; only a whole window is a wrong clock.
    over = or_(teams.c.invalid_since + window <= now, teams.c.invalid_since > now + window)
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
    window = round(settings.invalid_window_seconds * 1000)
    end = row.invalid_since + window
    if row.invalid_since <= now + window and now < end and row.invalid_count >= settings.invalid_limit:
        raise too_many_invalid(end, now)


def too_many_invalid(end: int, now: int) -> RefusalError:
    """Return the refusal of a team that has sent too many invalid files, until `end`."""
    return RefusalError(
        "your team has sent too many invalid files; check the next one with `thumbnet submit --check` before you send",
        code="too_many_invalid",
        status=429,
        retry_after=seconds_until(end, now),
    )
