# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a database can be written: a row in a scratch table that stays as small as there are hosts."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .checks import Unhealthy
from .databases import connected
from .deadline import Deadline

_LONGEST_NAME = 64  # HOST_NAME_MAX of Linux (gethostname(2))


@dataclass(frozen=True)
class _Statements:
    """How an engine says it. Whether the table is there is asked first: to make it needs rights, and is replicated."""

    exists: str
    create: tuple[str, ...]
    put: str


_STATEMENTS = {
    "sqlite": _Statements(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'holdfast_probe'",
        ("CREATE TABLE IF NOT EXISTS holdfast_probe (host TEXT PRIMARY KEY, token TEXT NOT NULL)",),
        "REPLACE INTO holdfast_probe (host, token) VALUES (%s, %s)",
    ),
    "mysql": _Statements(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'holdfast_probe'",
        (
            "CREATE TABLE IF NOT EXISTS holdfast_probe"
            " (host VARCHAR(64) PRIMARY KEY, token VARCHAR(32) NOT NULL) ENGINE=InnoDB",
        ),
        "INSERT INTO holdfast_probe (host, token) VALUES (%s, %s) ON DUPLICATE KEY UPDATE token = VALUES(token)",
    ),
    "postgresql": _Statements(
        "SELECT 1 WHERE to_regclass('holdfast_probe') IS NOT NULL",
        (
            # Two that make the same table at once can fail in spite of IF NOT EXISTS, so they take turns.
            "SELECT pg_advisory_xact_lock(1752132708)",
            "CREATE TABLE IF NOT EXISTS holdfast_probe (host varchar(64) PRIMARY KEY, token varchar(32) NOT NULL)",
        ),
        "INSERT INTO holdfast_probe (host, token) VALUES (%s, %s)"
        " ON CONFLICT (host) DO UPDATE SET token = EXCLUDED.token",
    ),
}


def write_and_read(engine: str, options: Mapping[str, Any], deadline: Deadline) -> float:
    """Write this host's row, read it back and commit; the milliseconds that this took, without the login.

    The row stays locked until the commit, so others who probe at the same time do not mistake its value for theirs.
    Raises Unhealthy, also when time is over.
    """
    statements = _STATEMENTS[engine]
    host, token = socket.gethostname()[:_LONGEST_NAME], secrets.token_hex(16)
    try:
        with connected(engine, options, deadline, writing=True) as session:
            begun = time.monotonic()
            if not session.rows(statements.exists):
                for statement in statements.create:
                    session.rows(statement)
            session.rows(statements.put, (host, token))
            seen = session.rows("SELECT token FROM holdfast_probe WHERE host = %s", (host,))
            session.rows("COMMIT")
            took = (time.monotonic() - begun) * 1000
    except TimeoutError:
        raise Unhealthy(f"a row was not written within {deadline.seconds:g} s: a lock may be held") from None
    except Unhealthy as error:
        raise Unhealthy(f"a row cannot be written: {error}") from error
    if seen != [(token,)]:
        raise Unhealthy(f"a row was written with the value {token}, but {seen!r} was read back")
    return round(took, 1)
