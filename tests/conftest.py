"""Fixtures that real servers stand behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.mariadb import MariaDB, mariadb
from support.postgres import PostgreSQL, postgresql
from support.sshd import Sshd, sshd


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A short path that servers running as other users can enter; sockets allow about 100 characters."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mariadb_server(server_folder: Path) -> Iterator[MariaDB]:
    folder = server_folder / "mariadb"
    folder.mkdir()
    with mariadb(folder) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server(server_folder: Path) -> Iterator[PostgreSQL]:
    folder = server_folder / "postgresql"
    folder.mkdir()
    with postgresql(folder) as server:
        yield server


@pytest.fixture(scope="session")
def ssh_server(server_folder: Path) -> Iterator[Sshd]:
    folder = server_folder / "sshd"
    folder.mkdir()
    with sshd(folder) as server:
        yield server
