"""What tests of several rooms share: databases to run against."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from callboard.database import Database, open_database
from callboard.testing.postgresql import PostgresqlCluster

# A time says more about the machine and its other work than about what is tested.
settings.register_profile("callboard", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("callboard")


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[PostgresqlCluster]:
    """One PostgreSQL cluster for all tests of a run."""
    cluster = PostgresqlCluster(survives_power_loss=False)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def postgresql_url(postgresql_cluster: PostgresqlCluster) -> Iterator[str]:
    """A new, empty PostgreSQL database."""
    url = postgresql_cluster.create_database()
    yield url
    postgresql_cluster.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path}/callboard.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A new, empty database of each kind."""
    url = request.getfixturevalue(f"{request.param}_url")
    assert isinstance(url, str)
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A new database of each kind, open."""
    database = open_database(database_url)
    await database.open()
    yield database
    await database.close()
