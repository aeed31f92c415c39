# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dump holds, whichever engine made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """One table's content: exact rows, and a SHA-256 of them in the order the engine dumps them."""

    rows: int
    checksum: str


@dataclass(frozen=True)
class Content:
    """What one dump holds: its tables, and a fingerprint of everything that is not rows.

    `schema` does not change with rows, counters or tool versions. `counters` says how each sequence or automatic number
    goes on. Of sets made by the first Holdfast neither is known: None. `separate` names tables whose rows do not belong
    to the snapshot of the others (engines without transactions).
    """

    tables: dict[str, Table]
    schema: str | None
    counters: dict[str, str] | None = field(default_factory=dict)
    separate: tuple[str, ...] = ()

    def difference(self, other: Content) -> str | None:
        """The first difference that matters, as a sentence, or None when both hold the same."""
        for name in sorted(self.tables.keys() | other.tables.keys()):
            here, there = self.tables.get(name), other.tables.get(name)
            if here is None or there is None:
                return f"table {name} is {'missing' if there is None else 'one too many'}"
            if here.rows != there.rows:
                return f"table {name} has {there.rows} rows instead of {here.rows}"
            if here.checksum != there.checksum:
                return f"table {name} has the right number of rows ({here.rows}) but not the same content"
        if self.schema is not None and self.schema != other.schema:
            return "the schema (tables, views, routines, triggers) is not the same"
        return None if self.counters is None else _numbering_difference(self.counters, other.counters or {})


def _numbering_difference(here: Mapping[str, str], there: Mapping[str, str]) -> str | None:
    for name in sorted(here.keys() | there.keys()):
        wanted, found = here.get(name, "nothing"), there.get(name, "nothing")
        if wanted != found:
            return f"the numbers of {name} go on with {found} instead of {wanted}"
    return None
