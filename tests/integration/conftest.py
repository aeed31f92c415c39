"""A filled database of every engine in turn."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.databases import Database, mysql_database, postgresql_database, sqlite_database

ENGINES = ["sqlite", "mysql", "postgresql"]


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    name = "shop_" + secrets.token_hex(4)
    if request.param == "sqlite":
        opened = sqlite_database(tmp_path)
    elif request.param == "mysql":
        opened = mysql_database(request.getfixturevalue("mariadb_server"), name)
    else:
        opened = postgresql_database(request.getfixturevalue("postgresql_server"), name)
    with opened as one:
        yield one


@pytest.fixture
def able(database: Database, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database whose user may create scratch databases."""
    if database.engine == "mysql":
        server = request.getfixturevalue("mariadb_server")
        server.sql("GRANT ALL ON `holdfast\\_scratch\\_%`.* TO `shop`@`%`")
        yield database
        server.sql("REVOKE ALL ON `holdfast\\_scratch\\_%`.* FROM `shop`@`%`")
    elif database.engine == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        server.sql("ALTER ROLE shop CREATEDB")
        yield database
        server.sql("ALTER ROLE shop NOCREATEDB")
    else:
        yield database


@pytest.fixture
def swapping(able: Database, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database whose user may do all that a restore by swap takes."""
    if able.engine == "mysql":
        server = request.getfixturevalue("mariadb_server")
        server.sql("GRANT ALL ON `shop\\_%\\_\\_before\\_%`.* TO `shop`@`%`")
        yield able
        server.sql("REVOKE ALL ON `shop\\_%\\_\\_before\\_%`.* FROM `shop`@`%`")
        for (name,) in server.sql("SHOW DATABASES LIKE 'shop%before%'"):
            server.drop_database(name)
    elif able.engine == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        yield able
        for (name,) in server.sql("SELECT datname FROM pg_database WHERE datname LIKE 'shop%before%'"):
            server.drop_database(name)
    else:
        yield able
