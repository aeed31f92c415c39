# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchanging all that is in one MySQL or MariaDB database for what is in another.

The tables of both move by one RENAME TABLE, which is done wholly or not at all; what else there is, and is not the same
in both, is dropped and made anew around it. Everything goes to the server as one packet of statements, which it carries
out to the end even when the sender dies. For the case that the server dies in the middle, the database that keeps the
old tables has a marker table that holds the definitions of both sides; its name tells how far things are, as it moves
by the same RENAME.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..errors import SwapRefused
from ..faults import reached
from .mysql_definitions import Thing, carry_out, drop, drops, making, things
from .mysql_events import Events
from .mysql_grants import grants_on_routines, routines_of
from .mysql_rights import quote, value_of

if TYPE_CHECKING:
    import pymysql

BEGUN = "holdfast_swap_begun"  # no table has moved yet
MOVED = "holdfast_swap_moved"  # the tables have moved, and not all is made that belongs to them
KEPT = "holdfast_kept"  # all is done; what is left here is how the old things were made
EMPTIED = "holdfast_emptied"  # the tables went back to be live
MARKERS = (BEGUN, MOVED, KEPT, EMPTIED)
_LOCK_TIMEOUT_S = 60
_OTHERS = ("VIEW", "FUNCTION", "PROCEDURE", "EVENT")


class Swap:
    """The swap of the database `live` on one connection; at the end of the block another may begin one."""

    def __init__(self, cursor: pymysql.cursors.Cursor, live: str) -> None:
        self._cursor = cursor
        self._live = live

    def __enter__(self) -> Swap:
        name = "holdfast_" + hashlib.sha256(self._live.encode()).hexdigest()[:32]
        self._cursor.execute(f"SET SESSION lock_wait_timeout = {_LOCK_TIMEOUT_S}")
        if value_of(self._cursor, f"SELECT GET_LOCK('{name}', {_LOCK_TIMEOUT_S})") != 1:
            raise SwapRefused(f"Another restore of {self._live} is in the middle of its swap.")
        return self

    def __exit__(self, *_: object) -> None:
        """The lock ends with the connection."""

    def check(self, kept: str) -> None:
        """Raise SwapRefused when a swap that keeps the old tables in `kept` could not succeed."""
        self._use(self._live)
        self._refuse_names_within()
        things(self._cursor)
        parents = self._column(
            "SELECT DISTINCT CONCAT(table_schema, '.', table_name) FROM information_schema.key_column_usage"
            f" WHERE referenced_table_schema = {self._text(self._live)} AND table_schema <> referenced_table_schema"
        )
        if parents:
            raise SwapRefused(f"Foreign keys of other databases lead here, such as those of {parents[0]}.")
        try:
            self._cursor.execute(f"CREATE DATABASE {quote(kept)}")
            self._cursor.execute(f"DROP DATABASE {quote(kept)}")
        except self._cursor.connection.Error as error:
            raise SwapRefused(
                f"The user may not create the database {kept}, which would keep what is replaced ({error.args[1]})."
                f" GRANT ALL ON {quote(_pattern(self._live))}.* to it."
            ) from error

    def run(self, source: str, kept: str, events: Events | None = None) -> None:
        """Let the tables of `source`, and how the rest there is made, take the place of what is live.

        `events` tells how those that sleep in `source` are to be made.
        """
        self._use(source)
        self._refuse_names_within()
        markers = [name for name in self._tables(source) if name in MARKERS]
        new = self._noted(source, "new") if markers else making(things(self._cursor, events=events))
        routines = routines_of(self._cursor)
        carry_out(self._cursor, drops(self._cursor, ["TRIGGER"]))
        self._use(self._live)
        grants = grants_on_routines(self._cursor)
        live = things(self._cursor)
        old = [*making(live), *(statement for _, statement in grants)]
        new += [statement for routine, statement in grants if routine in routines]
        self._begin(kept, old, new)
        reached("swap: begun")
        renames = [self._moves(self._live, kept), [(kept, BEGUN, kept, MOVED)], self._moves(source, self._live)]
        renames.append([(source, name, source, EMPTIED) for name in markers])
        packet = [*drops(self._cursor, ["TRIGGER"]), _rename(one for moves in renames for one in moves)]
        packet += [*_changes(live, new), *_finish(kept)]
        try:
            carry_out(self._cursor, packet)
        except self._cursor.connection.Error as error:
            self._go_back(source, kept)
            raise SwapRefused(f"The server refused the swap: {error.args[1]}.") from error
        if markers:
            self._cursor.execute(f"DROP DATABASE {quote(source)}")

    def _begin(self, kept: str, old: Sequence[bytes], new: Sequence[bytes]) -> None:
        self._cursor.execute(f"CREATE DATABASE {quote(kept)} CHARACTER SET utf8mb4")
        self._cursor.execute(
            f"CREATE TABLE {quote(kept)}.{BEGUN} (side CHAR(3), position INT, statement LONGBLOB NOT NULL,"
            " PRIMARY KEY (side, position)) ENGINE = InnoDB"
        )
        rows = [("old", *row) for row in enumerate(old)] + [("new", *row) for row in enumerate(new)]
        self._cursor.executemany(f"INSERT INTO {quote(kept)}.{BEGUN} VALUES (%s, %s, %s)", rows)

    def _go_back(self, source: str, kept: str) -> None:
        """Undo what the server did of a packet before it refused a statement of it."""
        if MOVED in self._tables(kept):
            back = [*self._moves(self._live, source), *self._moves(kept, self._live), (kept, MOVED, kept, BEGUN)]
            back += [(source, EMPTIED, source, KEPT)] if EMPTIED in self._tables(source) else []
            carry_out(self._cursor, [*drops(self._cursor, ["TRIGGER"]), _rename(back)])
        self.mend([kept])

    def mend(self, databases: Iterable[str]) -> None:
        """Finish or undo the swaps that left these databases behind."""
        for name in databases:
            tables = self._tables(name)
            if BEGUN in tables:
                self._make_anew(self._noted(name, "old"))
            elif MOVED in tables:
                self._make_anew([*self._noted(name, "new"), *_finish(name)])
            if tables in ([], [BEGUN], [EMPTIED]):
                self._cursor.execute(f"DROP DATABASE {quote(name)}")

    def _make_anew(self, statements: Sequence[bytes]) -> None:
        self._use(self._live)
        carry_out(self._cursor, [*drops(self._cursor, ["TRIGGER", *_OTHERS]), *statements])

    def _noted(self, kept: str, side: str) -> list[bytes]:
        """What a marker says of how one side's things are made; the new side's of a kept one are those it kept."""
        marker = next(name for name in self._tables(kept) if name in MARKERS)
        side = "old" if marker == KEPT else side
        self._cursor.execute(f"SELECT statement FROM {quote(kept)}.{marker} WHERE side = %s ORDER BY position", (side,))
        return [bytes(row[0]) for row in self._cursor.fetchall()]

    def _moves(self, source: str, target: str) -> list[tuple[str, str, str, str]]:
        return [(source, name, target, name) for name in self._tables(source) if name not in MARKERS]

    def _tables(self, database: str) -> list[str]:
        return self._column(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = {self._text(database)}"
            " AND table_type NOT LIKE '%VIEW' ORDER BY 1"
        )

    def _refuse_names_within(self) -> None:
        """A table that names its own database, as the default of a column does a sequence, would name it ever after."""
        database = str(value_of(self._cursor, "SELECT DATABASE()"))
        for name in self._tables(database):
            self._cursor.execute(f"SHOW CREATE TABLE {quote(name)}")
            row = self._cursor.fetchone()
            if row and f"{quote(database)}." in row[1]:
                raise SwapRefused(f"The table {name} has a column that goes by the database's name, as by a sequence.")

    def _use(self, database: str) -> None:
        self._cursor.execute(f"USE {quote(database)}")

    def _text(self, value: str) -> str:
        return str(self._cursor.connection.escape(value))

    def _column(self, query: str) -> list[str]:
        self._cursor.execute(query)
        return [str(row[0]) for row in self._cursor.fetchall()]


def _changes(live: Sequence[Thing], new: Sequence[bytes]) -> list[bytes]:
    """What makes `new` of what is live. Who uses a thing that is the same in both never finds it missing."""
    wanted = set(new)
    standing = [thing for thing in live if thing.kind != "TRIGGER" and thing.made in wanted]
    there = {part for thing in standing for part in (thing.placeholder, thing.made)}
    gone = [drop(thing.kind, thing.name) for thing in live if thing.kind != "TRIGGER" and thing not in standing]
    return [*gone, *(part for part in new if part not in there)]


def _finish(kept: str) -> list[bytes]:
    return [
        f"DELETE FROM {quote(kept)}.{MOVED} WHERE side = 'new'".encode(),
        _rename([(kept, MOVED, kept, KEPT)]),
    ]


def _rename(moves: Iterable[tuple[str, str, str, str]]) -> bytes:
    pairs = [f"{quote(a)}.{quote(b)} TO {quote(c)}.{quote(d)}" for a, b, c, d in moves]
    return ("RENAME TABLE " + ", ".join(pairs)).encode()


def _pattern(live: str) -> str:
    """The databases that keep what was live, as GRANT names them (MySQL manual, 13.7.1.6)."""
    return live.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%") + "\\_\\_before\\_%"
