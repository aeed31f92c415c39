# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The databases Holdfast can dump, restore and inspect."""

from __future__ import annotations

from ..errors import InvalidInput
from .base import Dump, Engine, Inspection, Login
from .mysql import MySQL
from .postgresql import PostgreSQL
from .sqlite import SQLite

ENGINES: dict[str, type[Engine]] = {engine.name: engine for engine in (SQLite, MySQL, PostgreSQL)}


def open_engine(name: str, login: Login) -> Engine:
    """The engine `name` for one database. Raises InvalidInput for an unknown name or an unusable login."""
    try:
        kind = ENGINES[name]
    except KeyError:
        raise InvalidInput(f"Unknown engine {name!r}. Known are: {', '.join(sorted(ENGINES))}.") from None
    if not login.database or "\0" in login.database:
        raise InvalidInput("The option 'database' is empty. Name the database (SQLite: the path of its file).")
    return kind(login)


__all__ = [
    "ENGINES",
    "Dump",
    "Engine",
    "Inspection",
    "Login",
    "open_engine",
]
