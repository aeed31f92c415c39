# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a health check is: its types, their options, and what comes of one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidInput

PASS, WARN, FAIL = "pass", "warn", "fail"
DEFAULT_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Option:
    """One option of a type: what it must be, and what it is when not given."""

    kind: type | tuple[type, ...]
    default: Any = None
    required: bool = False


_COMMON = {
    "name": Option(str),
    "type": Option(str, required=True),
    "timeout": Option((int, float), DEFAULT_TIMEOUT_S),
    "critical": Option(bool, True),
}
_LOGIN = {
    "login_host": Option(str, "localhost"),
    "login_port": Option(int),
    "login_user": Option(str),
    "login_password": Option(str),
    "login_unix_socket": Option(str),
}
TYPES: dict[str, dict[str, Option]] = {
    "http": {
        "url": Option(str, required=True),
        "method": Option(str, "GET"),
        "headers": Option(dict, {}),
        "status": Option(list, [200]),
        "body_contains": Option(str),
        "body_regex": Option(str),
        "json": Option(dict, {}),
        "follow_redirects": Option(bool, False),
        "validate_certs": Option(bool, True),
        "bypass_path": Option(str, ""),
        "login_user": Option(str),
        "login_password": Option(str),
    },
    "tcp": {"host": Option(str, "localhost"), "port": Option(int, required=True)},
    "command": {
        "command": Option((str, list), required=True),
        "chdir": Option(str),
        "exit_status": Option(list, [0]),
        "output_contains": Option(str),
    },
    "database": {
        "engine": Option(str, required=True),
        "database": Option(str, required=True),
        "query": Option(str, "SELECT 1"),
        "expect": Option((str, int, float)),
        **_LOGIN,
    },
}


@dataclass(frozen=True)
class Check:
    """A check with every option filled in."""

    name: str
    type: str
    timeout: float
    critical: bool
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What came of a check. `latency_ms` is the time it took; `time` when it ended, ISO 8601 in UTC."""

    name: str
    type: str
    status: str
    output: str
    latency_ms: float
    time: str
    critical: bool


class Unhealthy(Exception):
    """What was expected and what was seen instead."""


def parse(entries: list[Mapping[str, Any]]) -> list[Check]:
    """The checks that a list of dictionaries describes. Raises InvalidInput before anything is asked."""
    if not entries:
        raise InvalidInput("There is no check in the list.")
    checks = [_parse_one(entry) for entry in entries]
    names = [check.name for check in checks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InvalidInput(f"Two checks are called {twice!r}. Give each a name of its own.")
    return checks


def _parse_one(entry: Mapping[str, Any]) -> Check:
    kind = str(entry.get("type", ""))
    if kind not in TYPES:
        raise InvalidInput(f"Unknown check type {kind!r}{_nearest(kind, TYPES)} Known are: {', '.join(sorted(TYPES))}.")
    known = {**_COMMON, **TYPES[kind]}
    for option in entry:
        if option not in known:
            raise InvalidInput(f"A check of type {kind} has no option {option!r}{_nearest(option, known)}")
    options = {name: _value(kind, name, option, entry.get(name)) for name, option in known.items()}
    target = options.get("url") or options.get("port") or options.get("database") or options.get("command")
    return Check(
        name=options.pop("name") or f"{kind} {target}",
        type=options.pop("type"),
        timeout=float(options.pop("timeout")),
        critical=options.pop("critical"),
        options=options,
    )


def _value(kind: str, name: str, option: Option, value: Any) -> Any:
    if value is None:
        if option.required:
            raise InvalidInput(f"A check of type {kind} needs the option {name!r}.")
        return option.default
    wanted = option.kind if isinstance(option.kind, tuple) else (option.kind,)
    if int in wanted and isinstance(value, str) and value.isdigit():
        value = int(value)  # a template that was rendered as text
    if list in wanted and str not in wanted and not isinstance(value, list):
        value = [value]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        names = " or ".join(one.__name__ for one in wanted)
        raise InvalidInput(
            f"The option {name!r} of a check of type {kind} must be {names}, not {type(value).__name__}."
        )
    return value


def _nearest(word: str, known: Mapping[str, Any]) -> str:
    found = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {found[0]!r}?" if found else "."
