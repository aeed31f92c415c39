# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL dialect of mysqldump and mariadb-dump, read while it streams by."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum

from .scanner import RowCounter, Scanner, newlines

# MariaDB 10.11.8 / 11.4.2 and others begin their dumps with this; older clients and MySQL's own stop at it
# (https://mariadb.org/mariadb-dump-file-compatibility-change/).
_SANDBOX = re.compile(rb"/\*M?!999999\\- enable the sandbox mode \*/ *;?\n?")
_DEFINER = re.compile(rb"\bDEFINER\s*=\s*(?:`(?:[^`]|``)*`|'[^']*'|[\w$]+)@(?:`(?:[^`]|``)*`|'[^']*'|[\w$.%]+) ?")
_EMPTY_COMMENT = re.compile(rb"/\*!\d{5} ?\*/ ?")
_COUNTERS = re.compile(rb" AUTO_INCREMENT=(\d+)")
_CREATES = re.compile(rb"CREATE TABLE (`(?:[^`]|``)+`) \(\n")
_SETS_SEQUENCE = re.compile(rb"DO SETVAL\((`(?:[^`]|``)+`), (.+)\);\n")
_ANNOUNCES = re.compile(rb"-- Dumping data for table `((?:[^`]|``)+)`\n")
_STARTS = re.compile(rb"/\*!40000 ALTER TABLE `((?:[^`]|``)+)` DISABLE KEYS \*/;\n")
# Under these locks a table whose default is a sequence's next value cannot be filled (MariaDB's error 1100), and a user
# without LOCK TABLES cannot restore at all.
_LOCKS = re.compile(rb"(?:UN)?LOCK TABLES(?: `(?:[^`]|``)+` WRITE)?;\n")
# Around what was defined under another default character set. Without the name it means the database that is loaded;
# with it, a restore under another name would alter the original.
_ALTERS = re.compile(rb"ALTER DATABASE `(?:[^`]|``)+` (CHARACTER SET \w+ COLLATE \w+ ;;?\n)")
_ENTRY = re.compile(rb"-- (?:Sequence structure|Table structure|Temporary|Dumping|Final view structure) .*\n")
_AFTER_TABLES = (b"-- Dumping events for database ", b"-- Dumping routines for database ", b"-- Final view structure ")
_CLOSES = b"/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n"
_CREATES_EVENT = b"/*!50106 CREATE"
# Stated by the tool and not by the database: session settings, and comments with versions and dates.
_NOT_SCHEMA = (
    b"--",
    b"/*!40101 SET",
    b"/*!40103 SET",
    b"/*!40014 SET",
    b"/*!40111 SET",
    b"DO SETVAL(",
    b"\n",
)


class Section(IntEnum):
    """The head and the end are the session's settings; in between are tables, and then what is made of them."""

    HEAD = 0
    TABLES = 1
    AFTER_TABLES = 2
    END = 3


class _LineRows(RowCounter):
    """MariaDB since 10.9 writes each row on a line of its own, after one that ends with VALUES.

    A newline inside a value is written as backslash and n, so a real one never is. To count newlines, and take
    off the few lines that are no rows, is three times as fast as to look for the beginnings of rows.
    """

    _MARK = b" VALUES\n"

    def __init__(self, header: bytes) -> None:
        self._lines_of_header = header.count(b"\n")  # more than one where a column's name has a newline
        self._line: bytes | None = b""  # how the line began that the last piece broke off in; None for a row's

    def feed(self, data: bytes, end: int) -> None:
        self.rows += newlines(data, end)
        # A header has a quoted name in it, which is rare enough in rows.
        if self._line is not None or b"`" in data:
            self.rows -= ((self._line or b"") + data[:end]).count(self._MARK) * self._lines_of_header
        newline = data.rfind(b"\n", 0, end)
        if newline >= 0:
            self._line = data[newline + 1 : end]
        elif self._line is not None:
            self._line += data[:end]
        if self._line is not None and self._line.startswith(b"("):
            self._line = None


class _InlineRows(RowCounter):
    """MySQL and older MariaDB write all rows of a statement on one line: `VALUES (1,'a'),(2,'b');`.

    Newer MariaDB does so with the first row only, where the statement names the columns (one is invisible, or has a
    history).
    Rows are told apart by what stands outside of quotes; quotes inside of values are escaped by a backslash.
    """

    def __init__(self) -> None:
        self._quoted = False
        self._carry = b""
        self._tails = {b"),(": b"", b"),\n(": b"", b" VALUES (": b""}

    def feed(self, data: bytes, end: int) -> None:
        data = self._carry + data[:end]
        slashes = len(data) - len(data.rstrip(b"\\"))
        self._carry = b"\\" if slashes % 2 else b""
        if self._carry:
            data = data[:-1]
        if b"\\" in data:
            data = re.sub(rb"\\.", b"", data, flags=re.DOTALL)
        pieces = data.split(b"'")
        outside = b"'".join(pieces[self._quoted :: 2])
        self._quoted ^= len(pieces) % 2 == 0
        for mark, tail in self._tails.items():
            # A mark may straddle two pieces; a tail is too short to hold a whole one.
            text = tail + outside
            self.rows += text.count(mark)
            self._tails[mark] = text[1 - len(mark) :]


class MySQLScanner(Scanner):
    """Follows a dump of one database, and takes the DEFINER clauses and the sandbox line out of it.

    Without a DEFINER the restoring user becomes it; with one, the restore needs SET USER or SUPER and the
    account must exist (MySQL manual, 27.6 "Stored Object Access Control"). `event` may change the first line of each
    event's definition.
    """

    end_of_rows = b"\n/*!40000 ALTER TABLE `"
    end_sign = b"`"
    trailer = b"-- Dump completed"

    def __init__(self, event: Callable[[bytes], bytes] | None = None) -> None:
        super().__init__()
        self._event = event
        self._announced: bytes | None = None
        self._creating: bytes | None = None
        self._in_body = False  # of a trigger, an event or a routine

    def section_of(self, line: bytes) -> int:
        if line.startswith(b"DELIMITER "):
            self._in_body = line != b"DELIMITER ;\n"
        if self._in_body:
            return self.section
        if line == _CLOSES or line.startswith(self.trailer):
            return Section.END
        if line.startswith(_AFTER_TABLES):
            return max(self.section, Section.AFTER_TABLES)
        return max(self.section, Section.TABLES) if _ENTRY.fullmatch(line) else self.section

    def begins_entry(self, line: bytes) -> bool:
        return not self._in_body and bool(_ENTRY.fullmatch(line))

    def numbering(self, line: bytes) -> tuple[str, str] | None:
        creates = _CREATES.fullmatch(line)
        if creates:
            self._creating = creates[1]
        elif self._creating and line.startswith(b") "):
            name, self._creating = self._creating, None
            counter = _COUNTERS.search(line)
            return (_text(name), _text(counter[1])) if counter else None
        sets = _SETS_SEQUENCE.fullmatch(line)
        return (_text(sets[1]), _text(sets[2])) if sets else None

    def line(self, line: bytes) -> bytes:
        if line.startswith((b"INSERT ", b"(")):
            return line  # rows of a dump made by others, without the comments that announce them
        if _LOCKS.fullmatch(line):
            return b""
        alters = _ALTERS.fullmatch(line)
        if alters:
            return b"ALTER DATABASE " + alters[1]
        line = _SANDBOX.sub(b"", line)
        if b"DEFINER" in line:
            line = _EMPTY_COMMENT.sub(b"", _DEFINER.sub(b"", line))
        if self._event and line.startswith(_CREATES_EVENT):
            line = self._event(line)
        return line

    def starts_rows(self, line: bytes) -> str | None:
        announced = _ANNOUNCES.fullmatch(line)
        if announced:
            self._announced = announced[1]
            return None
        starts = _STARTS.fullmatch(line)
        if not starts or starts[1] != self._announced:
            return None
        self._announced = None
        return starts[1].replace(b"``", b"`").decode(errors="surrogateescape")

    def in_schema(self, line: bytes) -> bytes | None:
        return None if line.startswith(_NOT_SCHEMA) else _COUNTERS.sub(b"", line)

    def counter(self, line: bytes) -> RowCounter:
        return _AnyRows()


class MySQLPartScanner(MySQLScanner):
    """Follows a dump of some tables that shall stand in another, and leaves out what that one has already."""

    def line(self, line: bytes) -> bytes:
        return super().line(line) if self.section == Section.TABLES else b""

    def rest(self) -> bytes:
        return b""


class _AnyRows(RowCounter):
    """Chooses the way of counting by how the first statement of the stretch begins."""

    _STYLE = re.compile(rb"\n?INSERT(?: IGNORE)? INTO `(?:[^`]|``)+` (?:\((?:`(?:[^`]|``)*`|[^`)])*\) )?VALUES([ \n])")

    def __init__(self) -> None:
        self._held = b""
        self._chosen: RowCounter | None = None

    def feed(self, data: bytes, end: int) -> None:
        if self._chosen is None:
            self._held += data[:end]
            style = self._STYLE.match(self._held)
            if not style:
                return
            self._chosen = _LineRows(style[0].lstrip(b"\n")) if style[1] == b"\n" else _InlineRows()
            data, self._held = self._held, b""
            end = len(data)
        self._chosen.feed(data, end)
        self.rows = self._chosen.rows


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")
