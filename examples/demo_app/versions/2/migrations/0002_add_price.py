# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give every order a price, and keep the prices by item in a table of their own."""

from __future__ import annotations

import sqlite3

PRICES_CENTS = {"rope": 1250, "anchor": 48900, "lamp": 3995}


def up(connection: sqlite3.Connection) -> None:
    """Add the column and the table, then fill both."""
    connection.execute("ALTER TABLE orders ADD COLUMN price_cents INTEGER NOT NULL DEFAULT 0")
    connection.execute("CREATE TABLE prices (item TEXT PRIMARY KEY, cents INTEGER NOT NULL)")
    connection.executemany("INSERT INTO prices VALUES (?, ?)", PRICES_CENTS.items())
    connection.execute(
        "UPDATE orders SET price_cents = quantity * prices.cents FROM prices WHERE prices.item = orders.item"
    )
