from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.challenge import postgres
from tests.challenge.postgres import Cluster
from tests.challenge.world import World
from thumbnet.challenge.settings import Settings


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server; `make test` installs its programs where it may."""
    with postgres.cluster() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The setting `database`, for an empty one: SQLite first, then PostgreSQL."""
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
