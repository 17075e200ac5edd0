"""A small challenge: 40 images of 4 classes, with files whose score is known."""

import contextlib
import functools
import itertools
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from argon2 import PasswordHasher
from benchmarks.challenge.processes import PASSWORD, ServerProcess
from fastapi import FastAPI
from sqlalchemy import event, func, select, update
from starlette.routing import Route
from starlette.testclient import TestClient

from thumbnet.challenge import board, labels
from thumbnet.challenge.board import Board
from thumbnet.challenge.database import Database
from thumbnet.challenge.database.schema import ledger, scores, submissions, teams
from thumbnet.challenge.people import accounts, secrets, tokens
from thumbnet.challenge.people.accounts import Account
from thumbnet.challenge.settings import Settings
from thumbnet.challenge.state import Challenge, set_up
from thumbnet.challenge.submissions.intake import Outcome, submit
from thumbnet.challenge.web import make_app

# Sorted, as a challenge keeps them.
IMAGES = tuple(sorted(f"test_{number}.JPEG" for number in range(40)))
CLASSES = ("n01", "n02", "n03", "n04")
TRUTH = tuple(CLASSES[number % 4] for number in range(40))
ROSTER = "name,id,team\nAnna Ansel,s1,Owls\nBert Bär,s2,Owls\nCleo Castor,s3,\n"
_DATABASE = "challenge.sqlite3"
DATABASES = ("sqlite", "postgresql")
TEXT = {"Content-Type": "text/plain"}


@contextlib.contextmanager
def quick_passwords() -> Iterator[None]:
    """Hash at the least cost within the block, but not in the servers that tests start."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "_HASHER", quick)
        patch.setattr(secrets, "_NOBODYS", quick.hash("nobody"))
        yield


def truth() -> labels.Labels:
    return labels.make(IMAGES, TRUTH)


def corrected(count: int) -> labels.Labels:
    """Return labels by which the first `count` images are of the next class."""
    shifted = [CLASSES[(CLASSES.index(name) + (place < count)) % 4] for place, name in enumerate(TRUTH)]
    return labels.make(IMAGES, shifted)


def answers(right: Iterable[int] | int, *, variant: int = 0) -> bytes:
    """Return a submission in which just the images at the positions `right` (or the first `right` ones) are right."""
    good = set(range(right) if isinstance(right, int) else right)
    lines = []
    for place, (image, name) in enumerate(zip(IMAGES, TRUTH, strict=True)):
        shift = 0 if place in good else 1 + (variant >> place % 16 & 1)
        lines.append(f"{image} {CLASSES[(CLASSES.index(name) + shift) % 4]}\n")
    return "".join(lines).encode()


@functools.cache
def _migrated() -> bytes:
    """Return an empty SQLite database of the newest schema; made once, as making it takes most of a small test."""
    with tempfile.TemporaryDirectory() as folder:
        made = Challenge.open(Settings(folder=Path(folder)))
        made.close()
        return (Path(folder) / _DATABASE).read_bytes()


def _place_migrated(settings: Settings) -> None:
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = settings.folder / _DATABASE
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(_migrated())


class World:
    """An open challenge, with what a test does to it."""

    def __init__(self, settings: Settings, challenge: Challenge | None = None) -> None:
        self.settings = settings
        if challenge is None and not settings.database:
            _place_migrated(settings)
        self.challenge = challenge or Challenge.open(settings)
        self._addresses = (f"192.0.{place // 250}.{place % 250}" for place in itertools.count(500))
        set_up(self.challenge, truth())

    def join(self, name: str, **more: str) -> Account:
        """Sign up from an address of one's own."""
        return accounts.sign_up(self.challenge, name, PASSWORD, address=next(self._addresses), **more)

    def send(self, account: Account, content: bytes) -> Outcome:
        return submit(self.challenge, account, content)

    def end_cooldown(self, account: Account) -> None:
        """Make the team's cooldown end now, as if its time had passed."""
        with self.challenge.database.write() as connection:
            connection.execute(update(teams).where(teams.c.id == account.team_id).values(next_allowed_at=0))

    def pass_time(self, account: Account, milliseconds: int) -> None:
        """Move what is stored of the team's limits back, as if so much time had passed."""
        columns = (teams.c.next_allowed_at, teams.c.last_taken_at, teams.c.invalid_since)
        earlier = {column.name: column - milliseconds for column in columns}
        with self.challenge.database.write() as connection:
            connection.execute(update(teams).where(teams.c.id == account.team_id).values(**earlier))

    def send_all(self, account: Account, *contents: bytes) -> None:
        for content in contents:
            self.end_cooldown(account)
            assert self.send(account, content).is_new

    def admin_token(self, name: str = "admin") -> str:
        token = tokens.make_admin(self.challenge, name)
        assert token is not None
        return token

    def token(self, account: Account) -> str:
        return tokens.make_token(self.challenge, account, "a test")

    def changed(self, **changes: Any) -> Settings:
        return replace(self.settings, **changes)

    @contextlib.contextmanager
    def client(self, **changes: Any) -> Iterator[TestClient]:
        """Yield a client of an app on this challenge."""
        with TestClient(make_app(Challenge.open(self.changed(**changes))), raise_server_exceptions=False) as client:
            yield client


def look(world: World, version: int | None = None) -> Board:
    """Return the board, by the newest labels or by those of a version."""
    with world.challenge.database.read() as connection:
        return board.build(world.challenge, connection, version)


def count(world: World) -> tuple[int, int, int]:
    """Return how many submissions, scores and log entries of submissions there are."""
    with world.challenge.database.read() as connection:
        # The ledger's entry of the labels is of no submission.
        columns = (submissions.c.id, scores.c.submission_id, ledger.c.submission_id)
        one, two, three = (connection.execute(select(func.count(column))).scalar_one() for column in columns)
    return one, two, three


@contextlib.contextmanager
def before(database: Database, statements: tuple[str, ...]) -> Iterator[list[Callable[[], object]]]:
    """Yield a list: what a test puts there is taken out and called before the next statement that starts as given."""
    calls: list[Callable[[], object]] = []

    def look_at(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(statements) and calls:
            calls.pop()()

    event.listen(database.engine, "before_cursor_execute", look_at)
    yield calls
    event.remove(database.engine, "before_cursor_execute", look_at)


def app_of(client: TestClient) -> FastAPI:
    """Return the app that the client talks to."""
    assert isinstance(client.app, FastAPI)
    return client.app


def operations(client: TestClient) -> list[tuple[str, str]]:
    """Return method and path, with its parameters, of every route of the app, also of those OpenAPI does not list."""
    return [
        (method, route.path)
        for route in _routes(app_of(client).routes)
        for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def requests(client: TestClient) -> list[tuple[str, str]]:
    """Return method and path of every route of the app, with the numbers 1 to 3 in the place of a parameter."""
    found = operations(client)
    assert len(found) > 45
    filled = ((method, re.sub(r"\{[^}]*\}", value, path)) for method, path in found for value in ("1", "2", "3"))
    return list(dict.fromkeys(filled))


def _routes(routes: list[Any]) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Route):
            yield route
        else:
            # A router that FastAPI included, or a mounted app.
            yield from _routes(getattr(route, "original_router", route).routes)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@contextlib.contextmanager
def server(folder: Path, *arguments: object, **environment: str) -> Iterator[ServerProcess]:
    """Run `thumbnet serve` as a process of its own until the block ends; yield it when it answers."""
    process = ServerProcess(folder, *arguments, variables=environment)
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.end()


def known_right(seed: int, share: float) -> list[int]:
    """Return positions drawn at random, each with the chance `share`."""
    return np.flatnonzero(np.random.default_rng(seed).random(len(IMAGES)) < share).tolist()
