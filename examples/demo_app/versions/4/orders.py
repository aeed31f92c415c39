# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the application knows of its orders: every access to its database."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from layout import DATABASE


@contextlib.contextmanager
def connect() -> Iterator[sqlite3.Connection]:
    """One transaction on the database: committed at the end, undone on an error.

    Opened anew each time, so that a database put in place by a restore is seen at once.
    """
    connection = sqlite3.connect(DATABASE, timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def every() -> list[dict[str, Any]]:
    """All orders with all their columns, oldest first; bytes are given as hexadecimal digits."""
    with connect() as connection:
        rows = connection.execute("SELECT *, discount_cents FROM orders ORDER BY id").fetchall()
    return [{name: _plain(value) for name, value in dict(row).items()} for row in rows]


def add(customer: str, item: str, quantity: int) -> int:
    """Store a new order and return its number."""
    receipt = hashlib.sha256(json.dumps([customer, item, quantity]).encode()).digest()
    with connect() as connection:
        added = connection.execute(
            "INSERT INTO orders (customer, item, quantity, receipt) VALUES (?, ?, ?, ?)",
            (customer, item, quantity, receipt),
        )
    assert added.lastrowid is not None
    return added.lastrowid


def process(release: str) -> int:
    """Mark every waiting order as processed by `release`; returns how many there were."""
    with connect() as connection:
        waiting = connection.execute("SELECT count(*) FROM orders WHERE processed_by IS NULL").fetchone()[0]
        if waiting:
            connection.execute("UPDATE orders SET processed_by = ? WHERE processed_by IS NULL", (release,))
    return int(waiting)


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
