"""SIGKILL at random moments while submissions come in; after each restart everything acknowledged has to be there."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import func, select, text

from benchmarks.challenge.classroom import Classroom, classroom, token_headers
from benchmarks.challenge.processes import ServerProcess, free_port
from benchmarks.challenge.traffic import Connection
from thumbnet.challenge.database.schema import ledger, scores, submissions
from thumbnet.challenge.keeping import verify
from thumbnet.challenge.ledger import Receipt, read_receipt
from thumbnet.challenge.submissions.files import UNFINISHED_SECONDS
from thumbnet.errors import ThumbnetError

CLIENTS = 8
LONGEST = 2.0
"""Greatest time between the first post and the kill, in seconds."""
STARTING = 0.2
"""Share of the kills that come while the server starts."""
LEFTOVER_SECONDS = UNFINISHED_SECONDS + 1
"""After this time a start removes unfinished files."""


@dataclass
class Client:
    """A team that submits all the time.

    Attributes:
        headers: of its requests.
        pending: a file that was sent and not answered; it is sent again.
    """

    headers: dict[str, str]
    pending: bytes | None = None


@dataclass
class Kept:
    """What the clients know.

    Attributes:
        clients: all of them.
        receipts: of every submission that was acknowledged.
        statuses: how often which status was answered.
        resent: files sent again because their answer did not come.
        recognised: of those, how many the server had, so that only the answer was lost.
    """

    clients: Sequence[Client]
    receipts: list[Receipt] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    resent: int = 0
    recognised: int = 0


@dataclass
class Found:
    """What the checks after the restarts found."""

    checks: int = 0
    good: int = 0
    problems: list[str] = field(default_factory=list)


def measure(
    database: str, kills: int, seed: int, *, starting: float = STARTING, rest: float = LEFTOVER_SECONDS
) -> dict[str, Any]:
    """Return how many of `kills` kills lost or broke nothing, and what the clients saw.

    Args:
        database: 'sqlite' or 'postgresql'.
        kills: how often.
        seed: of files and moments.
        starting: share of the kills that come while the server starts.
        rest: seconds before the last start; with fewer than the default, unfinished files are not looked for.
    """
    with classroom(database, images=1000, classes=20, cooldown=0) as made:
        chance = np.random.default_rng(seed)
        clients = [Client(token_headers(token)) for token in made.join(CLIENTS)]
        kept, found, moments = Kept(clients), Found(), list[float]()
        port, start_seconds, killed_at_start = free_port(), 1.0, 0
        while len(moments) < kills:
            server, began = ServerProcess(made.folder, port=port), time.monotonic()
            if moments and chance.random() < starting:
                moments.append(chance.uniform(0, start_seconds))
                killed_at_start += 1
                time.sleep(moments[-1])
                server.end(signal.SIGKILL)
                continue
            server.wait_until_ready()
            start_seconds = time.monotonic() - began
            _check(made, kept, found)
            moments.append(chance.uniform(0, LONGEST))
            asyncio.run(_load_until_killed(made, server, kept, moments[-1], chance))
        time.sleep(rest)
        _check_at_rest(made, port, kept, found)
        if rest >= LEFTOVER_SECONDS:
            check_leftovers(made, found)
        return {
            "kills": kills,
            "kills_at_start": killed_at_start,
            "checks": found.checks,
            "good_checks": found.good,
            "problems": found.problems[:20],
            "acknowledged": len(kept.receipts),
            "resent": kept.resent,
            "recognised": kept.recognised,
            "statuses": {str(status): count for status, count in sorted(kept.statuses.items())},
            "moments_seconds": moments,
        }


async def _load_until_killed(
    made: Classroom, server: ServerProcess, kept: Kept, delay: float, chance: np.random.Generator
) -> None:
    tasks = [asyncio.create_task(_submit_on(made, server.port, client, kept, chance)) for client in kept.clients]
    await asyncio.sleep(delay)
    server.end(signal.SIGKILL)
    await asyncio.gather(*tasks)


async def _submit_on(made: Classroom, port: int, client: Client, kept: Kept, chance: np.random.Generator) -> None:
    """Submit until the connection breaks."""
    connection = Connection(port)
    while True:
        again = client.pending is not None
        client.pending = client.pending or made.draw_file(chance).content
        kept.resent += again
        try:
            answer = await connection.post("/api/submissions", client.headers, client.pending)
        except ConnectionError:
            return
        kept.statuses[answer.status] += 1
        client.pending = None
        if answer.status in (200, 201):
            kept.receipts.append(read_receipt(answer.json()["receipt"]))
            kept.recognised += answer.status == 200


def _check(made: Classroom, kept: Kept, found: Found) -> None:
    """Check all that is stored, while nothing is sent, and let go of the database."""
    checked = verify(made.challenge, kept.receipts)
    problems = list(checked.problems)
    with made.challenge.database.read() as connection:
        columns = (submissions.c.id, scores.c.submission_id, ledger.c.submission_id)
        counts = {str(column): connection.execute(select(func.count(column))).scalar_one() for column in columns}
        if made.challenge.database.is_sqlite:
            problems += [line for line in connection.execute(text("PRAGMA integrity_check")).scalars() if line != "ok"]
    # Closed, so that the server that is killed next was the last to have the database open.
    made.challenge.close()
    if len(set(counts.values())) != 1:
        problems.append(f"half-written rows: {counts}")
    # A killed process may leave a file whose row it did not write; that file is whole.
    problems += _broken_files(made)
    if checked.submissions < len({receipt.entry_hash for receipt in kept.receipts}):
        problems.append("fewer submissions than were acknowledged")
    found.checks += 1
    found.good += not problems
    found.problems += problems


def _broken_files(made: Classroom) -> list[str]:
    """Return what is wrong with stored files, also with those that no row names."""
    problems = []
    for digest in made.challenge.files.digests():
        try:
            made.challenge.files.get(digest)
        except ThumbnetError as error:
            problems.append(str(error))
    return problems


def _check_at_rest(made: Classroom, port: int, kept: Kept, found: Found) -> None:
    """Start once more, check, and end the server."""
    server = ServerProcess(made.folder, port=port)
    try:
        server.wait_until_ready()
        _check(made, kept, found)
    finally:
        server.end()


def check_leftovers(made: Classroom, found: Found) -> None:
    """Check that the last start removed all unfinished files; a check beside that of what is stored."""
    stored = made.challenge.files
    digests = stored.digests()
    strange = [path.name for path in stored.folder.glob("??/*") if path.name not in digests]
    found.checks += 1
    found.good += not strange
    if strange:
        found.problems.append(f"unfinished files: {', '.join(strange)}")


def passed(figures: dict[str, Any]) -> bool:
    """Return whether no check found anything, and the server never failed by itself."""
    return figures["good_checks"] == figures["checks"] and set(figures["statuses"]) <= {"200", "201"}


def summary(database: str, figures: dict[str, Any]) -> str:
    """Return the figures of one database as a line."""
    return (
        f"{database}: {figures['kills']} kills, {figures['good_checks']} of {figures['checks']} checks found all "
        "right; "
        f"{figures['acknowledged']} submissions acknowledged, {figures['resent']} sent again, of which the server had "
        f"{figures['recognised']}"
    )
