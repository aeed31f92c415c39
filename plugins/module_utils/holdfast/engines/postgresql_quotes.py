# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling the lines of a PostgreSQL dump from lines inside of what it quotes: texts, names, bodies of functions."""

from __future__ import annotations

import re

# PostgreSQL manual, 4.1.1 "Identifiers" and 4.1.2 "Constants". A doubled quote ends and begins; backslashes before
# quotes do not matter, as pg_dump and the server double both.
_OPENS = re.compile(rb"--|['\"]|(?<![\w$\x80-\xff])\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$")


class Quotes:
    """Follows a dump line by line."""

    def __init__(self) -> None:
        self._until: bytes | None = None

    def starts_inside(self, line: bytes) -> bool:
        """Whether this next line begins inside of something quoted."""
        inside = self._until is not None
        start = 0
        while True:
            if self._until is None:
                opens = _OPENS.search(line, start)
                if not opens or opens[0] == b"--":
                    return inside
                self._until, start = opens[0], opens.end()
            end = line.find(self._until, start)
            if end < 0:
                return inside
            start, self._until = end + len(self._until), None
