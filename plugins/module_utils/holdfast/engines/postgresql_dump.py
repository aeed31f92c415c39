# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain format of pg_dump, read while it streams by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from .postgresql_quotes import Quotes
from .scanner import RowCounter, Scanner, newlines

NAME = rb'(?:"(?:[^"]|"")+"|[\w$]+)'
_ANNOUNCES = re.compile(rb"-- Data for Name: .*; Type: TABLE DATA; ")
_STARTS = re.compile(rb"COPY ((?:" + NAME + rb"\.)?" + NAME + rb") .*FROM stdin;\n", re.DOTALL)
_SETS_SEQUENCE = re.compile(rb"SELECT pg_catalog\.setval\('(.+)', (\d+, (?:true|false))\);\n")
_START_LIMIT = 1 << 20  # more than 1600 columns with names of 63 bytes take
_EXTENSION = re.compile(rb"CREATE EXTENSION IF NOT EXISTS (" + NAME + rb") WITH SCHEMA .+;\n")
_OWNER = re.compile(rb"ALTER .+ OWNER TO (" + NAME + rb");\n")
_GRANT = re.compile(
    rb"(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES FOR ROLE (" + NAME + rb")) .+ "
    rb"(?:TO|FROM) (" + NAME + rb")(?: WITH GRANT OPTION)?;\n"
)
# Only the owner of these may change them, and a restore leaves them where they are.
_KEPT_OBJECTS = re.compile(rb"(?:(?:GRANT|REVOKE) .+ ON SCHEMA public|COMMENT ON (?:EXTENSION|SCHEMA public)) ")
# Without a search path, functions that name a table or an extension's function without its schema fail, and with them
# the indexes and constraints that use them. It is there to keep a superuser from running what others put into `public`
# (CVE-2018-1058); the application's own user has that path in each of its sessions.
_NO_SEARCH_PATH = b"SELECT pg_catalog.set_config('search_path', '', false);\n"
# pg_dump 17 and later write it for every server, and older ones do not know it.
_UNKNOWN_SETTING = b"SET transaction_timeout = 0;\n"
_ENTRY = re.compile(rb"-- (?:Data for )?Name: .*; Type: ([A-Z ]+); Schema: .*\n")
# What pg_dump writes after the tables' rows, for tables that are filled (pg_dump's manual, --section).
_POST_DATA = frozenset(
    b"CONSTRAINT, CHECK CONSTRAINT, FK CONSTRAINT, INDEX, INDEX ATTACH, STATISTICS, RULE, TRIGGER, EVENT TRIGGER,"
    b" POLICY, ROW SECURITY, PUBLICATION, PUBLICATION TABLE, PUBLICATION TABLES IN SCHEMA, SUBSCRIPTION,"
    b" SUBSCRIPTION TABLE, MATERIALIZED VIEW DATA, DEFAULT ACL".split(b", ")
)
_DATA = (b"TABLE DATA", b"SEQUENCE SET", b"BLOBS")
_NOT_SCHEMA = (b"--", b"SET ", b"SELECT pg_catalog.set", b"\\restrict ", b"\\unrestrict ", b"\\.\n", b"\n")


@dataclass(frozen=True)
class Roles:
    """The roles of a server: those it has, and those that the login belongs to (a superuser: all).

    A right can be given to any known role; only a role of one's own can be made an object's owner.
    """

    known: frozenset[str]
    own: frozenset[str]
    superuser: bool = False


class Section(IntEnum):
    """The sections of pg_dump's --section, and what is around them: the settings under which they are carried out."""

    HEAD = 0
    PRE_DATA = 1
    DATA = 2
    POST_DATA = 3
    END = 4


class _CopyRows(RowCounter):
    """COPY's text format has one row a line; a newline inside a value is written as backslash and n.

    (PostgreSQL manual, SQL COPY, "Text Format".) Each row is preceded by a newline here, the last line's own
    newline being part of what ends the stretch.
    """

    def feed(self, data: bytes, end: int) -> None:
        self.rows += newlines(data, end)


class PostgreSQLScanner(Scanner):
    """Follows a dump of one database.

    With `roles` it is made fit for loading. What hands an object or a right to a role that cannot have it there is
    left out: such a line would stop the restore on a server without the role, or by a user who may not act for it.
    Schemas may be there already.
    """

    end_of_rows = b"\n\\.\n"
    end_sign = b"\\"
    trailer = b"-- PostgreSQL database dump complete"

    def __init__(self, roles: Roles | None = None) -> None:
        super().__init__()
        self._roles = roles
        self._announced = False
        self._start = b""
        self._quotes = Quotes()
        self._schema_announced = False
        self.extensions: list[str] = []
        self.headers: list[tuple[bytes, int]] = []  # the kind of each entry so far, and where it begins

    def section_of(self, line: bytes) -> int:
        if self._quotes.starts_inside(line):
            return self.section
        if line.startswith(self.trailer):
            return Section.END
        entry = _ENTRY.fullmatch(line)
        if not entry:
            return self.section
        self.headers.append((entry[1], self._kept))
        if entry[1] in _POST_DATA:
            return Section.POST_DATA
        return max(self.section, Section.DATA if entry[1] in _DATA else Section.PRE_DATA)

    def line(self, line: bytes) -> bytes:
        if self._roles is None:
            return line
        if line == _NO_SEARCH_PATH and not self._roles.superuser:
            return b""
        if line == _UNKNOWN_SETTING and self.section == Section.HEAD:
            return b""
        if line.startswith(b"-- Name: "):
            self._schema_announced = b"; Type: SCHEMA; " in line
        elif self._schema_announced and line.startswith(b"CREATE SCHEMA "):
            return line.replace(b"CREATE SCHEMA ", b"CREATE SCHEMA IF NOT EXISTS ", 1)
        extension = _EXTENSION.fullmatch(line)
        if extension:
            self.extensions.append(_plain(extension[1]))
        if _KEPT_OBJECTS.match(line):
            return b""
        owner = _OWNER.fullmatch(line)
        if owner:
            return line if _plain(owner[1]) in self._roles.own else b""
        grant = _GRANT.fullmatch(line)
        if grant:
            possible = _plain(grant[2]) in self._roles.known and (not grant[1] or _plain(grant[1]) in self._roles.own)
            return line if possible else b""
        return line

    def starts_rows(self, line: bytes) -> str | None:
        if line.startswith(b"-- Data for Name: "):
            self._announced = bool(_ANNOUNCES.match(line))
            self._start = b""
            return None
        if not self._announced or not (self._start or line.startswith(b"COPY ")):
            return None
        # More than one line where a name has a newline in it.
        self._start += line
        starts = _STARTS.fullmatch(self._start)
        if starts or len(self._start) > _START_LIMIT:
            self._announced = False
        return starts[1].decode(errors="surrogateescape") if starts else None

    def numbering(self, line: bytes) -> tuple[str, str] | None:
        sets = _SETS_SEQUENCE.fullmatch(line)
        return (sets[1].decode(errors="surrogateescape"), sets[2].decode()) if sets else None

    def in_schema(self, line: bytes) -> bytes | None:
        if self._announced and (self._start or line.startswith(b"COPY ")):
            return None  # it may stand in another stream
        if line.startswith(_NOT_SCHEMA) or _KEPT_OBJECTS.match(line):
            return None
        return None if _OWNER.fullmatch(line) or _GRANT.fullmatch(line) else line

    def counter(self, line: bytes) -> RowCounter:
        return _CopyRows()


class PartScanner(PostgreSQLScanner):
    """Follows a dump of the rows of some tables, and keeps these alone."""

    def line(self, line: bytes) -> bytes:
        wanted = self._announced or line == b"\\.\n" or line.startswith(b"-- Data for Name: ")
        return line if wanted else b""

    def rest(self) -> bytes:
        return b""


def _plain(name: bytes) -> str:
    """A role's name without its quotes."""
    if name.startswith(b'"'):
        name = name[1:-1].replace(b'""', b'"')
    return name.decode(errors="surrogateescape")
