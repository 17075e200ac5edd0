"""A class at a deadline: everyone submits once within a minute, while many more watch the board."""

import asyncio
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.challenge.classroom import Classroom, File, classroom, quantiles, say, token_headers
from benchmarks.challenge.processes import ServerProcess
from benchmarks.challenge.traffic import Answer, Connection
from thumbnet.challenge.keeping import verify
from thumbnet.challenge.ledger import read_receipt

LIVE = "/board/live"
"""What the board's page asks for, with the ETag that it knows."""

FAILURES = ("lost", "doubled", "wrong_scores", "server_errors", "without_answer", "problems_of_verification")
"""The figures that are 0 where all went well."""


@dataclass(frozen=True)
class Plan:
    """How many do what.

    Attributes:
        clients: teams that submit once each.
        readers: who poll the board.
        window: seconds until the deadline; the moments crowd before it, twice as dense there as on average.
        poll: seconds between two questions of one reader, as the board's page asks.
    """

    clients: int
    readers: int
    window: float
    poll: float


@dataclass
class Seen:
    """What the clients saw.

    Attributes:
        sent: each submission with its answer.
        statuses: how often which status was answered, to submissions and to readers.
        broken: requests without an answer.
        board: seconds of each look at the board.
    """

    sent: list[tuple[File, Answer]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    board: list[float] = field(default_factory=list)


def measure(database: str, plan: Plan, seed: int) -> dict[str, Any]:
    """Return what a class at a deadline finds on `database`."""
    with classroom(database) as made:
        chance = np.random.default_rng(seed)
        tokens = made.join(plan.clients)
        files = [made.draw_file(chance) for _ in tokens]
        moments = plan.window * np.sqrt(chance.random(plan.clients))
        say(f"{database}: {plan.clients} teams are ready")
        server = ServerProcess(made.folder)
        try:
            server.wait_until_ready()
            before = (time.process_time(), server.cpu_seconds(), time.perf_counter())
            seen = asyncio.run(
                _deadline(server.port, plan, list(zip(tokens, files, moments.tolist(), strict=True)), seed)
            )
            wall = time.perf_counter() - before[2]
            shares = {
                "generator_cpu_share": (time.process_time() - before[0]) / wall,
                "server_cpu_share": (server.cpu_seconds() - before[1]) / wall,
                "server_peak_memory_bytes": server.peak_memory_bytes(),
            }
        finally:
            stopped = server.end()
        return _figures(made, plan, seen) | shares | {"seconds": wall, "exit_status": stopped}


async def _deadline(port: int, plan: Plan, students: list[tuple[str, File, float]], seed: int) -> Seen:
    seen = Seen()
    chance = np.random.default_rng(seed + 1)
    begin = asyncio.get_running_loop().time() + plan.poll
    end = begin + plan.window
    # The readers come evenly over one interval before the first submission, and stay until the last answer.
    readers = [
        asyncio.create_task(_read(port, plan.poll, begin - wait, seen))
        for wait in chance.uniform(0, plan.poll, plan.readers)
    ]
    await asyncio.gather(*(_submit(port, begin + moment, token, file, seen) for token, file, moment in students))
    await asyncio.sleep(max(0.0, end - asyncio.get_running_loop().time()))
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    return seen


async def _submit(port: int, moment: float, token: str, file: File, seen: Seen) -> None:
    await asyncio.sleep(moment - asyncio.get_running_loop().time())
    connection = Connection(port)
    try:
        answer = await connection.post("/api/submissions", token_headers(token), file.content)
    except ConnectionError:
        seen.broken += 1
        return
    finally:
        connection.close()
    seen.sent.append((file, answer))
    seen.statuses[answer.status] += 1


async def _read(port: int, poll: float, moment: float, seen: Seen) -> None:
    connection, known = Connection(port), {"Accept-Encoding": "gzip"}
    clock = asyncio.get_running_loop().time
    try:
        while True:
            await asyncio.sleep(max(0.0, moment - clock()))
            moment += poll
            try:
                answer = await connection.get(LIVE, known)
            except ConnectionError:
                seen.broken += 1
                continue
            seen.statuses[answer.status] += 1
            seen.board.append(answer.seconds)
            known["If-None-Match"] = answer.headers.get("etag", "")
    finally:
        connection.close()


def _figures(made: Classroom, plan: Plan, seen: Seen) -> dict[str, Any]:
    accepted = [(file, answer.json()) for file, answer in seen.sent if answer.status == 201]
    receipts = [read_receipt(answer["receipt"]) for _, answer in accepted]
    checked = verify(made.challenge, receipts)
    counts = made.submissions_of_teams()
    wrong = [file for file, answer in accepted if answer["submission"]["public"]["correct"] != file.public_correct]
    return {
        "clients": plan.clients,
        "readers": plan.readers,
        "poll_seconds": plan.poll,
        "window_seconds": plan.window,
        "submissions": quantiles([answer.seconds for _, answer in seen.sent]),
        "board": quantiles(seen.board) | {"requests": len(seen.board)},
        "accepted": len(accepted),
        "lost": plan.clients - len(counts),
        "doubled": sum(count - 1 for count in counts),
        "wrong_scores": len(wrong),
        "server_errors": sum(count for status, count in seen.statuses.items() if status >= 500),
        "without_answer": seen.broken,
        "statuses": {str(status): count for status, count in sorted(seen.statuses.items())},
        "problems_of_verification": len(checked.problems),
        "load_average": os.getloadavg()[0],
    }


def passed(figures: dict[str, Any]) -> bool:
    """Return whether nothing was lost, doubled, wrong or failed; how fast it was is another matter."""
    return figures["accepted"] == figures["clients"] and not any(figures[name] for name in FAILURES)


def summary(database: str, figures: dict[str, Any]) -> str:
    """Return the figures of one database as a line."""
    sent, read = figures["submissions"], figures["board"]
    return (
        f"{database}: {figures['accepted']} of {figures['clients']} accepted, {figures['lost']} lost, "
        f"{figures['doubled']} doubled, {figures['server_errors']} server errors; submissions p50 "
        f"{sent['p50_ms']:.0f} ms, p99 {sent['p99_ms']:.0f} ms; board p50 {read['p50_ms']:.1f} ms, "
        f"p99 {read['p99_ms']:.0f} ms, {read['requests']:,} times; server "
        f"{figures['server_cpu_share']:.0%} and generator {figures['generator_cpu_share']:.0%} of a core"
    )
