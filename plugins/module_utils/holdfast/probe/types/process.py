# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether processes of a name or a command line run, how many, since when, and what they hold."""

from __future__ import annotations

import pwd
import re
from collections.abc import Mapping
from typing import Any

from .. import options as opt
from ..checks import CheckType, Look, Measure, Option, Seen, Unhealthy
from ..deadline import why
from ..processes import Process, processes, with_children, without_us

_MIB = 1 << 20


def check_process(look: Look) -> Seen:
    """Count the processes and measure them with all that they started."""
    try:
        found = processes(look.deadline)
    except TimeoutError:
        raise
    except OSError as error:
        raise Unhealthy(f"the processes cannot be read from {error.filename}: {why(error)}") from error
    matching = _matching(look.options, found)
    values = {"count": float(len(matching)), "rss_mb": _rss(matching, found)}
    if not matching:
        # The first process is always there; who does not see it sees his own only (proc(5), hidepid).
        hidden = "" if 1 in found else "; /proc hides the processes of other users"
        return Seen(f"no process {_target(look.options)}{hidden}", values)
    uptimes = [process.uptime for process in matching]
    values["oldest_s"], values["youngest_s"] = round(max(uptimes), 1), round(min(uptimes), 1)
    files = [share for share in (process.files_percent() for process in matching) if share is not None]
    if files:
        values["files_percent"] = max(files)
    count = "1 process" if len(matching) == 1 else f"{len(matching)} processes"
    return Seen(f"{count} {_target(look.options)}, {values['rss_mb']:.10g} MiB", values)


def _rss(matching: list[Process], found: Mapping[int, Process]) -> float:
    return round(sum(process.rss for process in with_children(matching, found)) / _MIB, 1)


def _matching(options: Mapping[str, Any], found: Mapping[int, Process]) -> list[Process]:
    name, match = options["process"], options["match"]
    user = None if options["user"] is None else _user_id(options["user"])
    matching = [
        process
        for process in found.values()
        if (name is None or process.is_called(name))
        and (match is None or re.search(match, process.command_line))
        and (user is None or process.user_id == user)
    ]
    return without_us(matching, found)


def _user_id(user: str) -> int:
    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise Unhealthy(f"there is no user {user!r}") from None


def _fit(options: Mapping[str, Any]) -> None:
    if options["process"] is None and options["match"] is None:
        raise ValueError("the type process needs the option 'process' or 'match'")


def _target(options: Mapping[str, Any]) -> str:
    parts = [
        f"called {options['process']!r}" if options["process"] is not None else "",
        f"matching {options['match']!r}" if options["match"] is not None else "",
        f"of {options['user']}" if options["user"] is not None else "",
    ]
    return " ".join(part for part in parts if part)


PROCESS = CheckType(
    options={"process": Option(opt.text), "match": Option(opt.regex), "user": Option(opt.text)},
    run=check_process,
    target=_target,
    fit=_fit,
    component="system",
    measures={
        "count": Measure(fail=0, lower_is_worse=True),
        "rss_mb": Measure("MiB"),
        "oldest_s": Measure("s"),
        "youngest_s": Measure("s", lower_is_worse=True),
        "files_percent": Measure("%"),
    },
)
