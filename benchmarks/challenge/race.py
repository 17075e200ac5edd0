"""Posts of one team at the same moment: one gets in, whatever the database and the number of server processes."""

import asyncio
from collections import Counter
from typing import Any

import numpy as np

from benchmarks.challenge.classroom import Classroom, classroom, token_headers
from benchmarks.challenge.processes import ServerProcess
from benchmarks.challenge.traffic import Connection
from thumbnet.challenge.keeping import verify

PROCESSES = (1, 2)


def measure(database: str, posts: int, rounds: int, seed: int) -> dict[str, Any]:
    """Return for each number of server processes how often just one of `posts` posts got in, in `rounds` rounds."""
    return {f"{count} processes": _measure(database, count, posts, rounds, seed) for count in PROCESSES}


def _measure(database: str, processes: int, posts: int, rounds: int, seed: int) -> dict[str, Any]:
    with classroom(database, images=1000) as made:
        chance = np.random.default_rng(seed)
        tokens = made.join(rounds)
        servers = [ServerProcess(made.folder) for _ in range(processes)]
        try:
            for server in servers:
                server.wait_until_ready()
            ports = [servers[number % processes].port for number in range(posts)]
            answered = []
            for token in tokens:
                files = [made.draw_file(chance).content for _ in ports]
                answered.append(asyncio.run(_post_at_once(ports, token, files)))
        finally:
            for server in servers:
                server.end()
        return _figures(made, posts, answered)


async def _post_at_once(ports: list[int], token: str, files: list[bytes]) -> Counter[int]:
    connections = [Connection(port) for port in ports]
    await asyncio.gather(*(connection.open() for connection in connections))
    try:
        sent = [
            connection.post("/api/submissions", token_headers(token), file)
            for connection, file in zip(connections, files, strict=True)
        ]
        return Counter(answer.status for answer in await asyncio.gather(*sent))
    finally:
        for connection in connections:
            connection.close()


def _figures(made: Classroom, posts: int, answered: list[Counter[int]]) -> dict[str, Any]:
    counts = made.submissions_of_teams()
    checked = verify(made.challenge)
    return {
        "posts": posts,
        "rounds": len(answered),
        "rounds_with_one_accepted": sum(found == {201: 1, 429: posts - 1} for found in answered),
        "teams_with_one_submission": sum(count == 1 for count in counts),
        "statuses": {str(status): count for status, count in sorted(sum(answered, Counter()).items())},
        "problems_of_verification": len(checked.problems),
        "files_without_a_row": checked.orphans,
    }


def passed(figures: dict[str, Any]) -> bool:
    """Return whether each round had one accepted post."""
    return all(
        one["rounds_with_one_accepted"] == one["teams_with_one_submission"] == one["rounds"]
        and not one["problems_of_verification"]
        for one in figures.values()
    )


def summary(database: str, figures: dict[str, Any]) -> str:
    """Return the figures of one database as a line."""
    return f"{database}: " + "; ".join(
        f"{name}: one of {one['posts']} posts got in, in {one['rounds_with_one_accepted']} of {one['rounds']} rounds"
        for name, one in figures.items()
    )
