from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.challenge.postgres import Cluster
from sqlalchemy import Engine, event
from starlette.testclient import TestClient

from tests.challenge.responses import ORIGIN
from tests.challenge.world import DATABASES, World, quick_passwords
from thumbnet.challenge.database import engine
from thumbnet.challenge.people import secrets
from thumbnet.challenge.settings import Settings

_REAL = {"_HASHER": secrets._HASHER, "_NOBODYS": secrets._NOBODYS}
_REAL_ENGINE = engine._sqlite_engine


@pytest.fixture(scope="package", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Hash at the least cost; `real_hasher` is the usual one."""
    with quick_passwords():
        yield


@pytest.fixture(scope="package", autouse=True)
def _not_waited_for() -> Iterator[None]:
    """Let SQLite not wait for the disk at each commit, as `tests.disk` does; `real_engine` is the usual one."""

    def make(url: str, **pool: Any) -> Engine:
        made = _REAL_ENGINE(url, **pool)
        event.listen(made, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF").close())
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_sqlite_engine", make)
        yield


@pytest.fixture
def real_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let SQLite wait for the disk as on a server."""
    monkeypatch.setattr(engine, "_sqlite_engine", _REAL_ENGINE)


@pytest.fixture
def real_hasher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords at the cost that a server does."""
    for name, value in _REAL.items():
        monkeypatch.setattr(secrets, name, value)


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """The setting `database`, for an empty one: SQLite first, then PostgreSQL."""
    return _new_database(request)


@pytest.fixture(params=DATABASES)
def another_database(request: pytest.FixtureRequest) -> str:
    """The setting `database` for a second empty one, of each kind beside each of the first."""
    return _new_database(request)


def _new_database(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return ""
    running: Cluster = request.getfixturevalue("cluster")
    return running.new_database()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A challenge on SQLite that anyone may join."""
    return Settings(folder=tmp_path / "challenge", sign_up="open")


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """A small challenge on SQLite."""
    made = World(settings)
    yield made
    made.challenge.close()


@pytest.fixture
def both(database: str, tmp_path: Path) -> Iterator[World]:
    """A small challenge on each database, half of whose images are private."""
    made = World(
        Settings(folder=tmp_path / "challenge", sign_up="open", database=database, public_fraction=0.5, seed=3)
    )
    yield made
    made.challenge.close()


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    """A browser, as far as its requests go, on a small challenge; it follows no redirect."""
    with world.client() as made:
        made.headers.update(ORIGIN)
        made.follow_redirects = False
        yield made
