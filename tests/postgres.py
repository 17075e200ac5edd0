"""A PostgreSQL server that all tests share."""

from collections.abc import Iterator

import pytest
from benchmarks.challenge import postgres
from benchmarks.challenge.postgres import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server; `make test` installs its programs where it may."""
    with postgres.cluster() as running:
        yield running
