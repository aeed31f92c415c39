#!/usr/bin/env python3
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The migrations of the demonstration: `status` lists those that are pending, `up` runs them.

Every statement commits at once, as DDL does in MySQL: a migration that breaks half-way leaves half its work.
"""

from __future__ import annotations

import argparse
import contextlib
import runpy
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from layout import DATABASE, RELEASE


def connect() -> sqlite3.Connection:
    """The database in autocommit mode, with the table that remembers what ran."""
    connection = sqlite3.connect(DATABASE, timeout=10, isolation_level=None)
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations"
        " (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)"
    )
    return connection


def pending() -> list[Path]:
    """The migrations that have not run, in the order of their numbers; the database is only read."""
    done: set[str] = set()
    if DATABASE.exists():
        with contextlib.closing(sqlite3.connect(f"{DATABASE.as_uri()}?mode=ro", uri=True)) as connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'").fetchone():
                done = {name for (name,) in connection.execute("SELECT name FROM schema_migrations")}
    found = (path for path in (RELEASE / "migrations").iterdir() if path.suffix in {".sql", ".py"})
    return sorted(path for path in found if path.stem not in done)


def statements(script: str) -> Iterator[str]:
    """The statements of an SQL script, one by one."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


def run(connection: sqlite3.Connection, migration: Path) -> None:
    """Run one migration: the statements of an .sql file, or the function `up(connection)` of a .py file."""
    if migration.suffix == ".sql":
        for statement in statements(migration.read_text()):
            connection.execute(statement)
    else:
        runpy.run_path(str(migration))["up"](connection)
    connection.execute("INSERT INTO schema_migrations (name) VALUES (?)", (migration.stem,))


def main() -> None:
    """Do what the one argument says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["status", "up"])
    action = parser.parse_args().action
    if action == "status":
        for migration in pending():
            print(f"pending {migration.stem}")
        return
    with contextlib.closing(connect()) as connection:
        for migration in pending():
            try:
                run(connection, migration)
            except sqlite3.Error as error:
                sys.exit(f"migration {migration.stem} broke off: {error}")
            print(f"applied {migration.stem}")


if __name__ == "__main__":
    main()
