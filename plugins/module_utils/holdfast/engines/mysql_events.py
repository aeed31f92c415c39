# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events that sleep in a database that is not the live one, or not yet known to be whole.

An event does its work wherever it is: one that names the live database would do it twice while a copy is looked at.
And one whose time has passed is not even created, unless it is disabled and to be preserved (MySQL manual, 13.1.13
"CREATE EVENT Statement").
"""

from __future__ import annotations

import re

_HEAD = re.compile(
    rb"(?:/\*!\d+ )?CREATE\b.*?\bEVENT `(?P<name>(?:[^`]|``)+)` ON SCHEDULE .*?"
    rb"(?P<state>ON COMPLETION (?:NOT )?PRESERVE (?:ENABLE|DISABLE ON \w+|DISABLE))\b"
)
_ASLEEP = b"ON COMPLETION PRESERVE DISABLE"


class Events:
    """The events of one database that were put to sleep, and how they are when they are awake."""

    def __init__(self) -> None:
        self._states: dict[str, bytes] = {}

    def put_to_sleep(self, line: bytes) -> bytes:
        """The line of a dump; where it creates an event, one that does nothing."""
        found = _HEAD.match(line)
        if not found:
            return line
        self._states[_name(found)] = found["state"]
        return _with_state(line, found, _ASLEEP)

    def wake(self, line: bytes, name: str | None = None) -> bytes:
        """The line that creates a sleeping event as it was before; `name` is its name, where the line misspells it."""
        found = _HEAD.match(line)
        state = self._states.get(name or _name(found)) if found else None
        return _with_state(line, found, state) if found and state else line


def _name(found: re.Match[bytes]) -> str:
    return found["name"].replace(b"``", b"`").decode(errors="surrogateescape")


def _with_state(line: bytes, found: re.Match[bytes], state: bytes) -> bytes:
    return line[: found.start("state")] + state + line[found.end("state") :]
